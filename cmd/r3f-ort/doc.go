// Command r3f-ort fine-tunes pretrained text encoders with R3F and R4F on a stock ONNX Runtime.
//
//	r3f-ort train    fine-tune a model and keep the best in RUN/model
//	r3f-ort eval     score an exported model on labelled data
//	r3f-ort predict  label texts with an exported model
//	r3f-ort export   write a run's model to a directory of its own
//	r3f-ort bench    time training steps
//	r3f-ort graph    print, check or write the graphs of a model
//	r3f-ort runtime  show or install the ONNX Runtime library
//	r3f-ort version  print the version
//
// Results go to standard output, as JSON with --json; progress and messages go to standard error.
//
// Exit status: 0 done, 1 the run failed, 2 usage, configuration, data or model are wrong, 3 the ONNX Runtime library or
// the provider is missing, 4 training diverged, 130 interrupted (143 terminated).
package main
