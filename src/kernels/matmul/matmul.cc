#include "kernels/families.h"
#include "kernels/matmul/matmul_kernels.h"

namespace edgewright {

std::span<const KernelImplementation> matmul_implementations() {
  static const ImplementationFunctions packed = matmul_packed();
  static const ImplementationFunctions dynamic = matmul_dynamic();
  static const ImplementationFunctions sparse = matmul_sparse();
  static const ImplementationFunctions two_of_four = matmul_two_of_four();
  static const KernelImplementation table[] = {
      implementation("matmul_packed_f32_hwy", "edgewright", "MatMul", packed),
      implementation("matmul_dynamic_f32_hwy", "edgewright", "MatMul", dynamic),
      implementation("matmul_onnx_packed_f32_hwy", "", "MatMul", packed),
      implementation("matmul_onnx_dynamic_f32_hwy", "", "MatMul", dynamic),
      implementation("gemm_packed_f32_hwy", "", "Gemm", packed),
      implementation("gemm_dynamic_f32_hwy", "", "Gemm", dynamic),
      implementation("matmul_csr_f32_hwy", "edgewright", "MatMul", sparse),
      implementation("matmul_2of4_f32_hwy", "edgewright", "MatMul", two_of_four),
      implementation("matmul_onnx_csr_f32_hwy", "", "MatMul", sparse),
      implementation("matmul_onnx_2of4_f32_hwy", "", "MatMul", two_of_four),
      implementation("gemm_csr_f32_hwy", "", "Gemm", sparse),
      implementation("gemm_2of4_f32_hwy", "", "Gemm", two_of_four),
      implementation("matmul_packed_bf16_amx", "edgewright", "MatMul", matmul_bfloat16()),
#ifdef EDGEWRIGHT_HAVE_ONEDNN
      implementation("matmul_packed_f32_onednn", "edgewright", "MatMul", matmul_onednn()),
      implementation("matmul_packed_bf16_onednn", "edgewright", "MatMul", matmul_onednn_bfloat16()),
#endif
  };
  return table;
}

}  // namespace edgewright
