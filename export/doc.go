// Package export writes a fine-tuned model as a directory that any ONNX Runtime and Hugging Face transformers load
// as it is, and reads back what serving it needs.
//
// An export holds
//
//	model.onnx         input_ids, attention_mask, token_type_ids [B, T] int64 → logits [B, K] float32; standard
//	                   ai.onnx operators, weights inside; metadata: task, labels, base_model, method, max_length
//	model.safetensors  the same weights under the names of transformers' BertForSequenceClassification
//	config.json        the base model's, with id2label, label2id, problem_type and an "r3f_ort" object ([Info])
//	tokenizer.json …   the tokenizer's files, unchanged
//
// [WriteTraining] writes a pretrained model as artifacts of ONNX Runtime's training API instead, which package
// driver/artifacts describes.
//
// A directory is replaced as a whole: whoever opens it sees the old export or the new one, never parts of both.
package export
