/* com.example::MuLawDecode: mu-law speech codes to linear samples (ITU-T G.711 in its continuous
 * form). Attribute mu, 255 by default.
 *
 *   y = sign(v) ((1 + mu)^|v| - 1) / mu,  v in [-1, 1]
 *
 * uint8 codes stand for v = code / 127.5 - 1 and are looked up in a table of 256 samples, the
 * operator's state, which is made once and kept in plan files; float32 values are v themselves. */
#include "edgewright_operator.h"

#include <math.h>

enum { kFloat32 = 1, kUint8 = 2, kCodes = 256 };

static float decode(float v, float mu) {
  const float magnitude = (powf(1 + mu, fabsf(v)) - 1) / mu;
  return v < 0 ? -magnitude : magnitude;
}

static int64_t element_count(const EdgewrightTensor* tensor) {
  int64_t count = 1;
  for (int32_t axis = 0; axis < tensor->rank; ++axis) count *= tensor->dims[axis];
  return count;
}

static const char* infer(EdgewrightCall* call) {
  if (call->input_count != 1 || call->output_count != 1)
    return "MuLawDecode has one input, one output";
  if (!(call->get_float(call->attributes, "mu", 255) > 0)) return "MuLawDecode: mu is not positive";
  call->outputs[0] = call->inputs[0];
  call->outputs[0].dtype = kFloat32;
  return 0;
}

static size_t state_bytes(const EdgewrightCall* call) {
  (void)call;
  return kCodes * sizeof(float);
}

static void make_state(const EdgewrightCall* call, void* state) {
  const float mu = call->get_float(call->attributes, "mu", 255);
  float* table = (float*)state;
  for (int code = 0; code < kCodes; ++code) table[code] = decode((float)code / 127.5f - 1, mu);
}

static void run_uint8(const EdgewrightCall* call) {
  const uint8_t* codes = (const uint8_t*)call->inputs[0].data;
  const float* table = (const float*)call->state;
  float* samples = (float*)call->outputs[0].data;
  const int64_t count = element_count(&call->inputs[0]);
  for (int64_t i = 0; i < count; ++i) samples[i] = table[codes[i]];
}

static void run_float32(const EdgewrightCall* call) {
  const float mu = call->get_float(call->attributes, "mu", 255);
  const float* values = (const float*)call->inputs[0].data;
  float* samples = (float*)call->outputs[0].data;
  const int64_t count = element_count(&call->inputs[0]);
  for (int64_t i = 0; i < count; ++i) samples[i] = decode(values[i], mu);
}

static const EdgewrightKernel kKernels[] = {{kUint8, run_uint8}, {kFloat32, run_float32}};
static const EdgewrightOperator kOperators[] = {
    {"com.example", "MuLawDecode", 1, infer, state_bytes, make_state, kKernels, 2}};
static const EdgewrightOperators kAll = {EDGEWRIGHT_OPERATOR_INTERFACE, 1, kOperators};

const EdgewrightOperators* edgewright_operators(void) { return &kAll; }
