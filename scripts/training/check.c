/* check LIBRARY VERSION: is this that version of ONNX Runtime, with the training API? Exit 0 if so. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

struct base {
  const void *const *(*GetApi)(unsigned);
  const char *(*GetVersionString)(void);
};

int main(int argc, char **argv) {
  void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : 0;
  const struct base *(*get)(void) = library ? (const struct base *(*)(void))dlsym(library, "OrtGetApiBase") : 0;
  const struct base *base = get ? get() : 0;
  if (!base || strcmp(base->GetVersionString(), argv[2])) {
    fprintf(stderr, "check: %s\n", !library ? argc == 3 ? dlerror() : "give LIBRARY VERSION" : "another version");
    return 1;
  }
  const unsigned version = 19, get_training_api = 219; /* slot of OrtApi */
  const void *const *api = base->GetApi(version);
  return !api || !((const void *(*)(unsigned))api[get_training_api])(version);
}
