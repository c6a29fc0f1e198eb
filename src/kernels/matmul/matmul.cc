#include "kernels/families.h"
#include "kernels/matmul/matmul_kernels.h"

namespace edgewright {

std::span<const KernelImplementation> matmul_implementations() {
  static const ImplementationFunctions packed = matmul_packed();
  static const ImplementationFunctions dynamic = matmul_dynamic();
  static const KernelImplementation table[] = {
      implementation("matmul_packed_f32_hwy", "edgewright", "MatMul", packed),
      implementation("matmul_dynamic_f32_hwy", "edgewright", "MatMul", dynamic),
      implementation("matmul_onnx_packed_f32_hwy", "", "MatMul", packed),
      implementation("matmul_onnx_dynamic_f32_hwy", "", "MatMul", dynamic),
      implementation("gemm_packed_f32_hwy", "", "Gemm", packed),
      implementation("gemm_dynamic_f32_hwy", "", "Gemm", dynamic),
#ifdef EDGEWRIGHT_HAVE_ONEDNN
      implementation("matmul_packed_f32_onednn", "edgewright", "MatMul", matmul_onednn()),
      implementation("matmul_packed_bf16_onednn", "edgewright", "MatMul", matmul_onednn_bfloat16()),
#endif
  };
  return table;
}

}  // namespace edgewright
