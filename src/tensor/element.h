#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace edgewright {

// Value of one 8-bit float (one of the kFloat8* types) as float; formats as in the ONNX
// specification, "Float stored in 8 bits".
float float8_to_float(DType dtype, uint8_t bits);
// Nearest value, ties to even. With `saturate` values beyond the range become the largest finite
// one, else NaN or infinity as the type has it.
uint8_t float_to_float8(DType dtype, float value, bool saturate);
// Rounding of kFloat8E8M0 is an option of Cast and QuantizeLinear: "up", "down" or "nearest".
enum class E8M0Rounding : uint8_t { kUp, kDown, kNearest };
uint8_t float_to_e8m0(float value, bool saturate, E8M0Rounding rounding);
float float4_to_float(uint8_t bits);
uint8_t float_to_float4(float value);

// Element `index` of a packed array of a 2- or 4-bit type: its raw bits.
uint8_t packed_get(const void* data, int64_t index, int bits);
void packed_set(void* data, int64_t index, int bits, uint8_t value);

// Element `index` of an array of any numeric type or bool.
double load_double(DType dtype, const void* data, int64_t index);
int64_t load_int64(DType dtype, const void* data, int64_t index);

}  // namespace edgewright
