package optim_test
import ("testing";"syscall";"github.com/r3f-ort/r3f-ort/driver/optim")
func cpu() int64 { var r syscall.Rusage; syscall.Getrusage(0,&r); return r.Utime.Nano()+r.Stime.Nano() }
func BenchmarkCPURows(b *testing.B) {
	p, g, _, _ := tensors(1, vocabulary*width)
	m, v := make([]float32, len(p)), make([]float32, len(p))
	touched, ever := optim.NewRowSet(vocabulary), optim.NewRowSet(vocabulary)
	for row := range 1000 { touched.Add(row * 30) }
	t:=0; c:=cpu(); for b.Loop() { t++; optim.AdamW{}.ApplyRows(p, g, m, v, width, touched, ever, optim.Step{T: t, LR: 1e-5, Decay: true}) }
	b.ReportMetric(float64(cpu()-c)/1e6/float64(b.N),"cpu-ms/op")
}
