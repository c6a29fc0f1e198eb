#pragma once

#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace edgewright {

// How far a tuned kernel may be from the reference: |actual - expected| <= absolute * scale +
// relative * |expected|, where scale is the largest |expected| of the tensor. One row per
// operation.
struct KernelTolerance {
  std::string_view operation;
  double relative;
  double absolute;
};

// Sums of a few thousand products in another order.
inline constexpr KernelTolerance kMatMulTolerance = {"MatMul", 1e-5, 2e-6};
inline constexpr KernelTolerance kConvTolerance = {"Conv2d", 1e-5, 2e-6};
// Winograd F(4x4, 3x3) loses about four bits in its transforms.
inline constexpr KernelTolerance kWinogradTolerance = {"Conv2d by Winograd", 1e-4, 2e-5};
// Operands are rounded to 8 bits of precision before they are multiplied.
inline constexpr KernelTolerance kBfloat16Tolerance = {"bfloat16 products", 8e-3, 8e-3};
inline constexpr KernelTolerance kAttentionTolerance = {"Attention", 1e-5, 2e-6};
inline constexpr KernelTolerance kElementwiseTolerance = {"Elementwise", 1e-6, 0};
inline constexpr KernelTolerance kSoftmaxTolerance = {"Softmax", 4e-6, 1e-7};
inline constexpr KernelTolerance kNormalizationTolerance = {"LayerNormalization", 1e-5, 1e-6};
inline constexpr KernelTolerance kReduceTolerance = {"ReduceSum", 1e-5, 1e-6};
inline constexpr KernelTolerance kPoolTolerance = {"AveragePool", 1e-6, 1e-7};
inline constexpr KernelTolerance kResizeTolerance = {"Resize", 1e-5, 1e-6};
inline constexpr KernelTolerance kRecurrentTolerance = {"LSTM", 1e-5, 2e-6};
inline constexpr KernelTolerance kExact = {"copies", 0, 0};

// Empty when all elements of two float32 tensors agree, else where they first do not.
std::string difference(const Tensor& actual, const Tensor& expected,
                       const KernelTolerance& tolerance);

}  // namespace edgewright
