/* Makes the extension module of a training-enabled ONNX Runtime wheel loadable as a library: exports OrtGetApiBase,
 * which the module keeps to itself. No Python runs and none is needed: whatever the module wants of libpython, and
 * never touches unless Python imports it, is a block of zeros here.
 *
 * Built by scripts/setup.sh training, linked against the module, with -DOFFSET=N: where the module's OrtApiBase lies,
 * as probe.c tells, and -DPYTHON="FILE": a line ZERO(name) for each symbol of libpython that the module lacks. */
#define _GNU_SOURCE
#include <dlfcn.h>

#define ZERO(name) char name[1024];
#include PYTHON

void PyInit_onnxruntime_pybind11_state(void);

const void *OrtGetApiBase(void) {
  Dl_info module;
  if (!dladdr((void *)PyInit_onnxruntime_pybind11_state, &module)) return 0;
  return (const char *)module.dli_fbase + OFFSET;
}
