//go:build !unix

package main

// peakRSSMB is the largest resident memory of the process so far in MB; this system does not say.
func peakRSSMB() float64 { return 0 }
