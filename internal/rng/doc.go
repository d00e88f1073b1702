// Package rng is counter-based randomness: every random number of a run is a pure function of a key
// (seed, step, stream name) and a position, so a run can be repeated, resumed at any step, or have its tensors
// filled in any order by any number of goroutines, and yield the same bytes.
//
// Generator: AES-128 in counter mode, byte i of a stream being byte i of
//
//	AES(K, IV) ‖ AES(K, IV+1) ‖ …   K = SHA-256(label ‖ seed)[:16]   IV = SHA-256(label ‖ step ‖ name)[:16]
//
// with seed and step as 8 little-endian bytes. Two streams of one seed overlap only if their 128-bit IVs lie closer
// than their lengths, which for a billion streams of 64 GiB has probability 2⁻³⁶.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (the AESNI generator).
//
// Reproducibility: bytes, [Stream.Uniform32], [Stream.Mask] and [Stream.Perm] are the same on every machine.
// [Stream.Normal32] is the same on every machine of one architecture: compilers may fuse a multiply and an add of the
// tail's logarithm where the hardware offers it, which can move a value by one unit in the last place.
package rng
