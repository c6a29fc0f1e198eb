/* The C interface of custom operators. A shared library that exports edgewright_operators() gives
 * operators to the program (--operators FILE) without being built with it. All calls come from one
 * thread at a time per node; nothing that is handed in may be kept beyond the call, strings and
 * tables that the library hands out live as long as the program. */
#ifndef EDGEWRIGHT_OPERATOR_H
#define EDGEWRIGHT_OPERATOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDGEWRIGHT_OPERATOR_INTERFACE 1
#define EDGEWRIGHT_MAX_RANK 8

/* A tensor, row-major. dtype is a number of onnx.TensorProto.DataType (1 float32, 2 uint8, 7 int64
 * and so on), 0 for one that is omitted. Before a run rank may be -1 and dims -1 where they are not
 * known, and data is null unless the value is a constant. */
typedef struct EdgewrightTensor {
  int32_t dtype;
  int32_t rank;
  int64_t dims[EDGEWRIGHT_MAX_RANK];
  void* data;
} EdgewrightTensor;

/* One node, as every function of an operator sees it. Attributes are read through the functions;
 * one that is absent or of another kind gives `otherwise` (or null and a count of 0). */
typedef struct EdgewrightCall {
  const void* attributes;
  int64_t (*get_int)(const void* attributes, const char* name, int64_t otherwise);
  float (*get_float)(const void* attributes, const char* name, float otherwise);
  const char* (*get_string)(const void* attributes, const char* name, const char* otherwise);
  const int64_t* (*get_ints)(const void* attributes, const char* name, size_t* count);
  const float* (*get_floats)(const void* attributes, const char* name, size_t* count);
  int32_t input_count;
  int32_t output_count;
  const EdgewrightTensor* inputs;
  EdgewrightTensor* outputs;
  const void* state; /* what make_state wrote, 64-byte aligned; null where there is none */
  size_t state_bytes;
} EdgewrightCall;

/* A kernel for nodes whose first input has this dtype. Outputs have memory; run may not fail. */
typedef struct EdgewrightKernel {
  int32_t dtype;
  void (*run)(const EdgewrightCall* call);
} EdgewrightKernel;

typedef struct EdgewrightOperator {
  const char* domain;
  const char* name;
  uint32_t version; /* raised when the state's form changes: older plan files are refused then */
  /* Sets dtype, rank and dims of every output. Null when all is well, else why the node cannot be:
   * a text that lives as long as the program. */
  const char* (*infer)(EdgewrightCall* call);
  /* State, both null where there is none: bytes made once, when a plan is made, from attributes and
   * from those inputs that have data, and kept in the plan file. At run time such an input may come
   * without data again; a node may also run with state that was made without any input. */
  size_t (*state_bytes)(const EdgewrightCall* call);
  void (*make_state)(const EdgewrightCall* call, void* state);
  const EdgewrightKernel* kernels;
  int32_t kernel_count;
} EdgewrightOperator;

typedef struct EdgewrightOperators {
  uint32_t interface; /* EDGEWRIGHT_OPERATOR_INTERFACE */
  int32_t count;
  const EdgewrightOperator* operators;
} EdgewrightOperators;

/* What the library exports. */
const EdgewrightOperators* edgewright_operators(void);
typedef const EdgewrightOperators* (*EdgewrightOperatorsFunction)(void);
#define EDGEWRIGHT_OPERATORS_SYMBOL "edgewright_operators"

#ifdef __cplusplus
}
#endif

#endif
