package stock

import "sync"

// addTo adds src to dst, split over threads. Each element is one addition, so the split changes nothing.
func addTo(dst, src []float32, threads int) {
	chunk := aligned((len(dst) + threads - 1) / threads)
	if chunk < 1<<14 {
		add(dst, src)
		return
	}
	var wait sync.WaitGroup
	for at := 0; at < len(dst); at += chunk {
		end := min(at+chunk, len(dst))
		wait.Go(func() { add(dst[at:end], src[at:end]) })
	}
	wait.Wait()
}

func add(dst, src []float32) {
	src = src[:len(dst)]
	for i, x := range src {
		dst[i] += x
	}
}
