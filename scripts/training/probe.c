/* Custom-op library whose only job is to learn where a training-enabled ONNX Runtime wheel keeps its OrtApiBase: the
 * number training_base in scripts/setup.sh, which belongs to the wheel that setup-training.sha256 pins. For another
 * wheel, in a Python that has it installed:
 *   cc -shared -fPIC -o libprobe.so probe.c -ldl
 *   python -c "import onnxruntime as o; o.SessionOptions().register_custom_ops_library('./libprobe.so')"
 * prints: <path of onnxruntime_pybind11_state.so> <offset of OrtApiBase in it> <ONNX Runtime version> */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
struct base { const void* (*GetApi)(unsigned); const char* (*GetVersionString)(void); };
void* RegisterCustomOps(void* options, const struct base* b) {
  Dl_info i;
  dladdr((void*)b, &i);
  printf("%s %ld %s\n", i.dli_fname, (long)((const char*)b - (const char*)i.dli_fbase), b->GetVersionString());
  fflush(stdout);
  return 0;
}
