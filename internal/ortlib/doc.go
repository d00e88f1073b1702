// Package ortlib finds the ONNX Runtime shared library on this machine and reads
// its version from its file name. It loads nothing and needs no cgo.
//
// The first of these places that is set or holds a library decides:
//
//  1. the path given (flag --ort-library), a file or a directory;
//  2. the environment variable R3F_ORT_LIBRARY, a file or a directory;
//  3. .r3f/lib in the working directory, or in a directory above it up to the
//     one that holds go.mod or .git (make setup puts the library there);
//  4. r3f-ort/lib in the user's cache directory (r3f-ort runtime install does).
//
// In a directory the newest version wins. A library with the training API is
// looked for in the same places, under a name of its own in the last two.
package ortlib
