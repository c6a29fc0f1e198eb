#include "verify/difference.h"

#include <algorithm>
#include <cmath>

#include "tensor/element.h"

namespace edgewright {

void DifferenceGatherer::add_pair(double reference, double candidate) {
  if (reference == candidate || (std::isnan(reference) && std::isnan(candidate))) {
    if (std::isfinite(reference)) {
      squared_reference_ += reference * reference;
      squared_candidate_ += reference * reference;
      product_ += reference * reference;
    }
    return;
  }
  if (!std::isfinite(reference) || !std::isfinite(candidate)) {
    incomparable_ = true;
    return;
  }
  const double error = candidate - reference;
  squared_error_ += error * error;
  squared_reference_ += reference * reference;
  squared_candidate_ += candidate * candidate;
  product_ += candidate * reference;
  max_abs_ = std::max(max_abs_, std::fabs(error));
}

Status DifferenceGatherer::add(const Tensor& reference, const Tensor& candidate) {
  if (reference.dims() != candidate.dims()) {
    return bad_input("shape {}, expected {}", dims_text(candidate.dims()),
                     dims_text(reference.dims()));
  }
  if (reference.dtype() != candidate.dtype()) {
    return bad_input("type {}, expected {}", dtype_name(candidate.dtype()),
                     dtype_name(reference.dtype()));
  }
  const DType dtype = reference.dtype();
  if (dtype == DType::kString) {
    incomparable_ = incomparable_ || reference.string_elements() != candidate.string_elements();
    return {};
  }
  if (dtype == DType::kComplex64 || dtype == DType::kComplex128) {
    const DType part = dtype == DType::kComplex64 ? DType::kFloat32 : DType::kFloat64;
    for (int64_t i = 0; i < 2 * reference.element_count(); ++i) {
      add_pair(load_double(part, reference.bytes(), i), load_double(part, candidate.bytes(), i));
    }
    return {};
  }
  for (int64_t i = 0; i < reference.element_count(); ++i) {
    add_pair(load_double(dtype, reference.bytes(), i), load_double(dtype, candidate.bytes(), i));
  }
  return {};
}

Status DifferenceGatherer::add(const Datum& reference, const Datum& candidate) {
  if (reference.kind() != candidate.kind()) return bad_input("a value of another kind");
  if (reference.is_tensor()) return add(reference.tensor(), candidate.tensor());
  if (reference.is_map()) {
    EDGEWRIGHT_TRY(add(reference.map_keys(), candidate.map_keys()));
    return add(reference.map_values(), candidate.map_values());
  }
  if (!reference.is_sequence()) return {};
  if (reference.elements().size() != candidate.elements().size()) {
    return bad_input("a sequence of {} elements, expected {}", candidate.elements().size(),
                     reference.elements().size());
  }
  for (size_t i = 0; i < reference.elements().size(); ++i) {
    EDGEWRIGHT_TRY(add(reference.elements()[i], candidate.elements()[i]));
  }
  return {};
}

Difference DifferenceGatherer::difference() const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (incomparable_) return {kInfinity, kInfinity, 0};
  Difference result;
  result.max_abs = max_abs_;
  if (squared_error_ > 0) {
    result.relative_l2 =
        squared_reference_ > 0 ? std::sqrt(squared_error_ / squared_reference_) : kInfinity;
  }
  const double norms = std::sqrt(squared_reference_) * std::sqrt(squared_candidate_);
  if (norms > 0) {
    result.cosine = std::clamp(product_ / norms, -1.0, 1.0);
  } else if (squared_reference_ != squared_candidate_) {
    result.cosine = 0;
  }
  return result;
}

}  // namespace edgewright
