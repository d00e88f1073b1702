package importer

import (
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"

	"github.com/r3f-ort/r3f-ort/graphs"
	"github.com/r3f-ort/r3f-ort/internal/onnxpb"
)

func FuzzImport(f *testing.F) {
	f.Add(maskedEncoder(17).bytes(f))
	f.Add(newEncoder(14, decomposedNorm("x", "last_hidden_state")...).number("two", 2).number("eps", 1e-12).bytes(f))
	for _, name := range []string{"tiny-distilbert/classifier-dynamo-opset20-sdpa-eval.onnx", "tiny-roberta/classifier-dynamo-opset20-eager-eval.onnx"} {
		data, err := os.ReadFile(filepath.Join("../../testdata/golden", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	files, err := onnxpb.OpenDirectory(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
		metrics.Read(sample)
		before := sample[0].Value.Uint64()
		m, err := read(data, files, nil, Options{Labels: 2})
		metrics.Read(sample)
		if n := sample[0].Value.Uint64() - before; n > uint64(64<<20+256*len(data)) {
			t.Errorf("%d bytes allocated for a file of %d", n, len(data))
		}
		if err != nil {
			return
		}
		if err := graphs.Check(m.Graph); err != nil {
			t.Errorf("a model that does not check: %v", err)
		}
		for i, p := range m.Graph.Parameters {
			if w := m.Weights[i]; w.Name != p.Name || len(w.Data) != p.Shape.Product().Coef {
				t.Errorf("parameter %q %v has weight %q of %d elements", p.Name, p.Shape, w.Name, len(w.Data))
			}
		}
	})
}
