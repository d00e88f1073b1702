//go:build unix

package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// peakRSSMB is the largest resident memory of the process so far in MB, 0 where the system does not say.
func peakRSSMB() float64 {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	bytes := float64(usage.Maxrss)
	if runtime.GOOS != "darwin" && runtime.GOOS != "ios" {
		bytes *= 1024
	}
	return bytes / (1 << 20)
}
