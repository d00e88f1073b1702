package archtest

const (
	module  = "github.com/r3f-ort/r3f-ort"
	runtime = "github.com/yalue/onnxruntime_go"
)

// Rule forbids imports: no package that matches From and not Except may reach a
// package that matches To. Patterns are import paths, where a leading "./" stands
// for this module and a trailing "/..." for the path itself and all below it, or
// "cgo", which stands for packages outside the standard library that use cgo.
type Rule struct {
	Why    string
	From   []string
	Except []string
	To     []string
}

// Rules are the arrows of the design.
var Rules = []Rule{
	{
		Why:  "tasks know no graph and no engine: they turn files into examples and scores",
		From: []string{"./tasks/..."},
		To:   []string{"./graphs/...", "./driver/...", "./export/..."},
	}, {
		Why:  "tokenize knows no graph and no engine: it turns text into ids",
		From: []string{"./tokenize/..."},
		To:   []string{"./graphs/...", "./driver/...", "./export/...", "./tasks/..."},
	}, {
		Why:  "graphs know no runtime: they emit ONNX that any runtime can load",
		From: []string{"./graphs/..."},
		To:   []string{"./driver/...", runtime, "cgo"},
	}, {
		Why:  "the driver knows no task name: it trains on whatever examples it is given",
		From: []string{"./driver/..."},
		To:   []string{"./tasks/..."},
	}, {
		Why:    "only the engines touch the runtime's C library, and only the program links them in",
		From:   []string{"./..."},
		Except: []string{"./driver/stock/...", "./driver/trainapi/...", "./cmd/..."},
		To:     []string{runtime, "cgo"},
	}, {
		Why:    "nothing imports the program",
		From:   []string{"./..."},
		Except: []string{"./cmd/..."},
		To:     []string{"./cmd/..."},
	}, {
		Why:  "internal packages serve the public ones and know none of them",
		From: []string{"./internal/..."},
		To:   []string{"./cmd/...", "./driver/...", "./graphs/...", "./tokenize/...", "./tasks/...", "./export/..."},
	},
}
