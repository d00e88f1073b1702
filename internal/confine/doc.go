// Package confine reads files of a directory that a stranger may have made, such as a downloaded model: nothing outside
// that directory, nothing that is no regular file, and no more of a text file than a limit.
//
// A symbolic link is followed where it stays in the directory, and from a snapshot of Hugging Face's cache into the
// cache's blobs, which is how that cache is made.
package confine
