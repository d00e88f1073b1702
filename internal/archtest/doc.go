// Package archtest holds the arrows between this module's packages: which may
// import which, directly or through others. The rules are the table Rules; the
// package's test applies them to what go list reports of the module. Only
// non-test code counts: a test may compare a graph with the real runtime.
package archtest
