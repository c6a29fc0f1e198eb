#include "kernels/families.h"
#include "kernels/integer/quantized_kernels.h"

namespace edgewright {

std::span<const KernelImplementation> quantized_implementations() {
  constexpr std::string_view kConv = "QuantizedConv2d", kMatMul = "QuantizedMatMul",
                             kAttention = "QuantizedAttention";
  static const KernelImplementation table[] = {
      implementation("quantized_conv2d_pointwise_s8_amx", "edgewright", kConv,
                     quantized_pointwise_amx()),
      implementation("quantized_conv2d_s8_amx", "edgewright", kConv, quantized_conv_amx()),
      implementation("quantized_conv2d_depthwise_s8_hwy", "edgewright", kConv,
                     quantized_depthwise()),
      implementation("quantized_conv2d_pointwise_s8_hwy", "edgewright", kConv,
                     quantized_pointwise_vector()),
      implementation("quantized_conv2d_s8_hwy", "edgewright", kConv, quantized_conv_vector()),
      implementation("quantized_conv2d_pointwise_2of4_s8_hwy", "edgewright", kConv,
                     quantized_pointwise_two_of_four()),
      implementation("quantized_conv2d_2of4_s8_hwy", "edgewright", kConv,
                     quantized_conv_two_of_four()),
      implementation("quantized_conv2d_csr_s8_hwy", "edgewright", kConv, quantized_conv_csr()),
      implementation("quantized_matmul_s8_amx", "edgewright", kMatMul, quantized_matmul_amx()),
      implementation("quantized_matmul_s8_hwy", "edgewright", kMatMul, quantized_matmul_vector()),
      implementation("quantized_matmul_2of4_s8_hwy", "edgewright", kMatMul,
                     quantized_matmul_two_of_four()),
      implementation("quantized_matmul_csr_s8_hwy", "edgewright", kMatMul, quantized_matmul_csr()),
      implementation("quantized_average_pool_bytes_hwy", "edgewright", "QuantizedAveragePool",
                     quantized_average_pool()),
      implementation("quantized_resize_bytes_hwy", "edgewright", "QuantizedResize",
                     quantized_resize()),
      implementation("quantized_attention_s8_amx", "edgewright", kAttention,
                     quantized_attention_amx()),
      implementation("quantized_attention_s8_hwy", "edgewright", kAttention,
                     quantized_attention_vector()),
  };
  return table;
}

}  // namespace edgewright
