#include "kernels/conv/conv_kernels.h"
#include "kernels/families.h"

namespace edgewright {

std::span<const KernelImplementation> conv_implementations() {
  static const KernelImplementation table[] = {
      implementation("conv2d_winograd4_f32_hwy", "edgewright", "Conv2d", conv_winograd4()),
      implementation("conv2d_winograd2_f32_hwy", "edgewright", "Conv2d", conv_winograd2()),
      implementation("conv2d_depthwise_f32_hwy", "edgewright", "Conv2d", conv_depthwise()),
      implementation("conv2d_direct_f32_hwy", "edgewright", "Conv2d", conv_direct()),
      implementation("conv2d_csr_f32_hwy", "edgewright", "Conv2d", conv_sparse()),
      implementation("conv2d_bf16_amx", "edgewright", "Conv2d", conv_bfloat16()),
#ifdef EDGEWRIGHT_HAVE_ONEDNN
      implementation("conv2d_f32_onednn", "edgewright", "Conv2d", conv_onednn()),
      implementation("conv2d_bf16_onednn", "edgewright", "Conv2d", conv_onednn_bfloat16()),
#endif
  };
  return table;
}

}  // namespace edgewright
