package optim

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// piece is the number of elements that a goroutine takes at a time: fixed, so that sums by piece do not depend on the
// number of processors.
const piece = 1 << 15

// parallel calls work with the number and the bounds of every piece of [0, n), each of size items, on all processors.
func parallel(n, size int, work func(i, lo, hi int)) {
	pieces := (n + size - 1) / size
	run := func(i int) { work(i, i*size, min(n, (i+1)*size)) }
	workers := min(pieces, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		for i := range pieces {
			run(i)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < pieces; i = int(next.Add(1)) - 1 {
				run(i)
			}
		})
	}
	group.Wait()
}
