#pragma once

#include "kernels/implementation.h"

namespace edgewright {

// The implementations of edgewright::Quantized...; quantized.cc lists them.
ImplementationFunctions quantized_conv_amx();
ImplementationFunctions quantized_conv_vector();
ImplementationFunctions quantized_pointwise_amx();  // 1x1, read in place
ImplementationFunctions quantized_pointwise_vector();
// Weights of which two in four along the channels are kept.
ImplementationFunctions quantized_conv_two_of_four();
ImplementationFunctions quantized_pointwise_two_of_four();
ImplementationFunctions quantized_matmul_two_of_four();
// Weights most of which are zero, in compressed sparse rows.
ImplementationFunctions quantized_conv_csr();
ImplementationFunctions quantized_matmul_csr();
ImplementationFunctions quantized_depthwise();
ImplementationFunctions quantized_average_pool();
ImplementationFunctions quantized_resize();
ImplementationFunctions quantized_matmul_amx();
ImplementationFunctions quantized_matmul_vector();
ImplementationFunctions quantized_attention_amx();
ImplementationFunctions quantized_attention_vector();

}  // namespace edgewright
