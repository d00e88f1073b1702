// Package faultfs is a durable.FS for tests: it passes operations on to the operating system, and before each of them
// asks the test, which can let it fail, as on a full disk, or kill the process.
//
// A write is two operations, half of the data each, so that a file can be torn. To sync is only noted, which makes tests
// fast: [FS.LosePower] takes away what was not synced.
package faultfs
