// The part of ONNX Runtime's C API that training needs. The API is two tables of function pointers, OrtApi and
// OrtTrainingApi, whose order never changes; each function here calls the slot that its first argument of FUNCTION
// gives, and has the name that onnxruntime_c_api.h and onnxruntime_training_c_api.h, version 1.19, give that slot.
// Handles are void pointers; a status is NULL where all went well.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void *status;
typedef void *const *table;

// FUNCTION defines the function of a slot of table t: its result, name, parameters and arguments.
#define FUNCTION(slot, result, name, parameters, ...) \
  static inline result name(table t, PARAMETERS parameters) { \
    return ((result(*)(PARAMETERS parameters))t[slot])(__VA_ARGS__); \
  }
#define PARAMETERS(...) __VA_ARGS__

// OrtApi
FUNCTION(1, int, GetErrorCode, (status s), s)
FUNCTION(2, const char *, GetErrorMessage, (status s), s)
FUNCTION(3, status, CreateEnv, (int level, const char *id, void **out), level, id, out)
FUNCTION(10, status, CreateSessionOptions, (void **out), out)
FUNCTION(17, status, DisableMemPattern, (void *options), options)
FUNCTION(23, status, SetSessionGraphOptimizationLevel, (void *options, int level), options, level)
FUNCTION(24, status, SetIntraOpNumThreads, (void *options, int n), options, n)
FUNCTION(25, status, SetInterOpNumThreads, (void *options, int n), options, n)
FUNCTION(49, status, CreateTensorWithDataAsOrtValue,
         (const void *info, void *data, size_t bytes, const int64_t *shape, size_t rank, int type, void **out),
         info, data, bytes, shape, rank, type, out)
FUNCTION(51, status, GetTensorMutableData, (void *value, void **out), value, out)
FUNCTION(60, status, GetTensorElementType, (const void *info, int *out), info, out)
FUNCTION(61, status, GetDimensionsCount, (const void *info, size_t *out), info, out)
FUNCTION(62, status, GetDimensions, (const void *info, int64_t *out, size_t n), info, out, n)
FUNCTION(65, status, GetTensorTypeAndShape, (const void *value, void **out), value, out)
FUNCTION(69, status, CreateCpuMemoryInfo, (int allocator, int memory, void **out), allocator, memory, out)
FUNCTION(76, status, AllocatorFree, (void *allocator, void *p), allocator, p)
FUNCTION(78, status, GetAllocatorWithDefaultOptions, (void **out), out)
FUNCTION(92, void, ReleaseEnv, (void *env), env)
FUNCTION(93, void, ReleaseStatus, (status s), s)
FUNCTION(94, void, ReleaseMemoryInfo, (void *info), info)
FUNCTION(96, void, ReleaseValue, (void *value), value)
FUNCTION(99, void, ReleaseTensorTypeAndShapeInfo, (void *info), info)
FUNCTION(100, void, ReleaseSessionOptions, (void *options), options)
FUNCTION(125, status, GetAvailableProviders, (char ***out, int *n), out, n)
FUNCTION(126, status, ReleaseAvailableProviders, (char **names, int n), names, n)
FUNCTION(130, status, AddSessionConfigEntry, (void *options, const char *key, const char *value), options, key, value)
FUNCTION(204, status, SessionOptionsAppendExecutionProvider_CUDA_V2, (void *options, const void *cuda), options, cuda)
FUNCTION(205, status, CreateCUDAProviderOptions, (void **out), out)
FUNCTION(208, void, ReleaseCUDAProviderOptions, (void *cuda), cuda)
FUNCTION(219, table, GetTrainingApi, (uint32_t version), version)

// OrtTrainingApi
FUNCTION(0, status, LoadCheckpoint, (const char *path, void **out), path, out)
FUNCTION(1, status, SaveCheckpoint, (void *state, const char *path, bool optimizer), state, path, optimizer)
FUNCTION(2, status, CreateTrainingSession,
         (const void *env, const void *options, void *state, const char *train, const char *eval, const char *optimizer,
          void **out),
         env, options, state, train, eval, optimizer, out)
FUNCTION(3, status, CreateTrainingSessionFromBuffer,
         (const void *env, const void *options, void *state, const void *train, size_t trainBytes, const void *eval,
          size_t evalBytes, const void *optimizer, size_t optimizerBytes, void **out),
         env, options, state, train, trainBytes, eval, evalBytes, optimizer, optimizerBytes, out)
FUNCTION(4, status, TrainingSessionGetTrainingModelOutputCount, (const void *session, size_t *out), session, out)
FUNCTION(5, status, TrainingSessionGetEvalModelOutputCount, (const void *session, size_t *out), session, out)
FUNCTION(6, status, TrainingSessionGetTrainingModelOutputName,
         (const void *session, size_t i, void *allocator, char **out),
         session, i, allocator, out)
FUNCTION(7, status, TrainingSessionGetEvalModelOutputName,
         (const void *session, size_t i, void *allocator, char **out),
         session, i, allocator, out)
FUNCTION(8, status, LazyResetGrad, (void *session), session)
FUNCTION(9, status, TrainStep,
         (void *session, const void *run, size_t nin, const void *const *in, size_t nout, void **out),
         session, run, nin, in, nout, out)
FUNCTION(10, status, EvalStep,
         (const void *session, const void *run, size_t nin, const void *const *in, size_t nout, void **out),
         session, run, nin, in, nout, out)
FUNCTION(11, status, SetLearningRate, (void *session, float rate), session, rate)
FUNCTION(12, status, GetLearningRate, (void *session, float *out), session, out)
FUNCTION(13, status, OptimizerStep, (void *session, const void *run), session, run)
FUNCTION(14, status, RegisterLinearLRScheduler,
         (void *session, int64_t warmup, int64_t total, float rate),
         session, warmup, total, rate)
FUNCTION(15, status, SchedulerStep, (void *session), session)
FUNCTION(16, status, GetParametersSize, (void *session, size_t *out, bool trainable), session, out, trainable)
FUNCTION(17, status, CopyParametersToBuffer, (void *session, void *value, bool trainable), session, value, trainable)
FUNCTION(18, status, CopyBufferToParameters, (void *session, void *value, bool trainable), session, value, trainable)
FUNCTION(19, void, ReleaseTrainingSession, (void *session), session)
FUNCTION(20, void, ReleaseCheckpointState, (void *state), state)
FUNCTION(21, status, ExportModelForInferencing,
         (void *session, const char *path, size_t n, const char *const *outputs),
         session, path, n, outputs)
FUNCTION(22, status, SetSeed, (int64_t seed), seed)
FUNCTION(23, status, TrainingSessionGetTrainingModelInputCount, (const void *session, size_t *out), session, out)
FUNCTION(24, status, TrainingSessionGetEvalModelInputCount, (const void *session, size_t *out), session, out)
FUNCTION(25, status, TrainingSessionGetTrainingModelInputName,
         (const void *session, size_t i, void *allocator, char **out),
         session, i, allocator, out)
FUNCTION(26, status, TrainingSessionGetEvalModelInputName,
         (const void *session, size_t i, void *allocator, char **out),
         session, i, allocator, out)
FUNCTION(27, status, AddProperty, (void *state, const char *name, int type, void *value), state, name, type, value)
FUNCTION(28, status, GetProperty,
         (const void *state, const char *name, void *allocator, int *type, void **out),
         state, name, allocator, type, out)
FUNCTION(29, status, LoadCheckpointFromBuffer, (const void *data, size_t n, void **out), data, n, out)
FUNCTION(30, status, GetParameterTypeAndShape, (const void *state, const char *name, void **out), state, name, out)
FUNCTION(31, status, UpdateParameter, (void *state, const char *name, void *value), state, name, value)
FUNCTION(32, status, GetParameter,
         (const void *state, const char *name, void *allocator, void **out),
         state, name, allocator, out)

// base is what OrtGetApiBase returns.
typedef struct {
  table (*GetApi)(uint32_t version);
  const char *(*GetVersionString)(void);
} base;
