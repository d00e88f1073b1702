// Package durable writes files and directories that a crash leaves whole or not at all, and keeps two processes out of
// one directory.
//
// A file or directory is made under a temporary name beside its place, everything in it is synced, it is renamed, and
// the parent directory is synced. What a crash leaves under a temporary name is found by [Sweep].
//
// All writes go through an [FS], so that a test can let any one of them fail, stop half-way or kill the process.
package durable
