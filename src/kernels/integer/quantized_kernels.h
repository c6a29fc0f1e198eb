#pragma once

#include "kernels/implementation.h"

namespace edgewright {

// The implementations of edgewright::QuantizedConv2d, QuantizedMatMul and QuantizedAttention;
// quantized.cc lists them.
ImplementationFunctions quantized_conv_amx();
ImplementationFunctions quantized_conv_vector();
ImplementationFunctions quantized_pointwise_amx();  // 1x1, read in place
ImplementationFunctions quantized_pointwise_vector();
ImplementationFunctions quantized_depthwise();
ImplementationFunctions quantized_matmul_amx();
ImplementationFunctions quantized_matmul_vector();
ImplementationFunctions quantized_attention_amx();
ImplementationFunctions quantized_attention_vector();

}  // namespace edgewright
