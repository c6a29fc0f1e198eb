#include "tensor/half_weights.h"

#include <cmath>

#include "tensor/element.h"

namespace edgewright {
namespace {

constexpr int64_t kLeastElements = 32;
constexpr float kLargestHalf = 65504;

}  // namespace

std::optional<Tensor> as_half_weights(const Tensor& tensor) {
  if (tensor.dtype() != DType::kFloat32 || tensor.element_count() < kLeastElements) return {};
  auto half = Tensor::allocate_uninitialised(DType::kFloat16, tensor.dims());
  if (!half.ok()) return {};
  auto* to = half->mutable_data<Half>();
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    const auto number = static_cast<float>(load_double(DType::kFloat32, tensor.bytes(), i));
    if (!(std::abs(number) <= kLargestHalf)) return {};
    to[i] = Half(number);
  }
  return *std::move(half);
}

}  // namespace edgewright
