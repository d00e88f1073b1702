package stock

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/r3f-ort/r3f-ort/graphs"
)

// session is one graph loaded into ONNX Runtime.
type session struct {
	*ort.DynamicAdvancedSession
	graph           *graphs.Graph
	inputs, outputs []ort.Value       // in the graph's order; parameters follow the inputs
	seconds         float64           // spent running
	sum             [sha256.Size]byte // of the ONNX model
}

// newSession loads a graph. Parameters are inputs, in the graph's order after its own inputs.
func newSession(g *graphs.Graph, options Options) (*session, error) {
	data, err := g.ONNX(nil, nil)
	if err != nil {
		return nil, err
	}
	so, err := sessionOptions(options)
	if err != nil {
		return nil, fmt.Errorf("setting ONNX Runtime session options: %w", err)
	}
	defer so.Destroy()
	var in, out []string
	for _, v := range g.Inputs {
		in = append(in, v.Name)
	}
	for _, v := range g.Parameters {
		in = append(in, v.Name)
	}
	for _, v := range g.Outputs {
		out = append(out, v.Name)
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(data, in, out, so)
	if err != nil {
		return nil, fmt.Errorf("loading graph %s into ONNX Runtime: %w", g.Name, err)
	}
	return &session{DynamicAdvancedSession: s, graph: g, inputs: make([]ort.Value, len(in)), outputs: make([]ort.Value, len(out)), sum: sha256.Sum256(data)}, nil
}

func sessionOptions(o Options) (*ort.SessionOptions, error) {
	so, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		so.SetIntraOpNumThreads(o.Threads),
		so.SetInterOpNumThreads(1),
		so.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll),
		so.SetMemPattern(false), // patterns keep one plan for each shape, and shapes change with every batch
		so.AddSessionConfigEntry("session.use_env_allocators", "1"),
		so.AddSessionConfigEntry("session.force_spinning_stop", "1"), // leave the processors to Go between runs
	)
	if err != nil {
		return nil, errors.Join(err, so.Destroy())
	}
	return so, nil
}

// run executes the session on s.inputs and s.outputs.
func (s *session) run() error {
	begin := time.Now()
	defer func() { s.seconds += time.Since(begin).Seconds() }()
	if err := s.Run(s.inputs, s.outputs); err != nil {
		return fmt.Errorf("running graph %s: %w", s.graph.Name, err)
	}
	return nil
}
