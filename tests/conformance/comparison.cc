#include "comparison.h"

#include <cmath>
#include <cstring>

#include "tensor/element.h"

namespace edgewright {
namespace {

bool close(double found, double expected, Tolerance tolerance) {
  if (std::isnan(expected)) return std::isnan(found);
  if (found == expected) return true;
  if (std::isinf(expected) || !std::isfinite(found)) return false;
  return std::fabs(found - expected) <=
         tolerance.absolute + tolerance.relative * std::fabs(expected);
}

// Real and imaginary parts of complex elements count as elements of their own.
std::string compare_reals(DType dtype, int64_t count, const void* found, const void* expected,
                          Tolerance tolerance) {
  for (int64_t i = 0; i < count; ++i) {
    const double a = load_double(dtype, found, i);
    const double b = load_double(dtype, expected, i);
    if (!close(a, b, tolerance)) {
      return fmt::format("element {} is {}, expected {}", i, a, b);
    }
  }
  return {};
}

std::string compare_integers(const Tensor& found, const Tensor& expected) {
  for (int64_t i = 0; i < found.element_count(); ++i) {
    const int64_t a = load_int64(found.dtype(), found.bytes(), i);
    const int64_t b = load_int64(expected.dtype(), expected.bytes(), i);
    if (a != b) return fmt::format("element {} is {}, expected {}", i, a, b);
  }
  return {};
}

std::string compare_strings(const Tensor& found, const Tensor& expected) {
  for (size_t i = 0; i < found.string_elements().size(); ++i) {
    const std::string& a = found.string_elements()[i];
    const std::string& b = expected.string_elements()[i];
    if (a != b) return fmt::format("element {} is \"{}\", expected \"{}\"", i, a, b);
  }
  return {};
}

std::string compare_tensors(const Tensor& found, const Tensor& expected, Tolerance tolerance,
                            bool shapes_only) {
  if (found.dtype() != expected.dtype() || found.dims() != expected.dims()) {
    return fmt::format("{} {}, expected {} {}", dtype_name(found.dtype()), dims_text(found.dims()),
                       dtype_name(expected.dtype()), dims_text(expected.dims()));
  }
  if (shapes_only) return {};
  const int64_t count = found.element_count();
  switch (found.dtype()) {
    case DType::kString: return compare_strings(found, expected);
    case DType::kComplex64:
      return compare_reals(DType::kFloat32, 2 * count, found.bytes(), expected.bytes(), tolerance);
    case DType::kComplex128:
      return compare_reals(DType::kFloat64, 2 * count, found.bytes(), expected.bytes(), tolerance);
    default: break;
  }
  if (is_floating_point(found.dtype())) {
    return compare_reals(found.dtype(), count, found.bytes(), expected.bytes(), tolerance);
  }
  return compare_integers(found, expected);
}

std::string_view kind_name(Datum::Kind kind) {
  switch (kind) {
    case Datum::Kind::kTensor: return "a tensor";
    case Datum::Kind::kSequence: return "a sequence";
    case Datum::Kind::kEmptyOptional: return "an empty optional";
    default: return "nothing";
  }
}

}  // namespace

std::string difference(const Datum& found, const Datum& expected, Tolerance tolerance,
                       bool shapes_only) {
  if (found.kind() != expected.kind()) {
    return fmt::format("{}, expected {}", kind_name(found.kind()), kind_name(expected.kind()));
  }
  if (found.is_tensor()) {
    return compare_tensors(found.tensor(), expected.tensor(), tolerance, shapes_only);
  }
  if (!found.is_sequence()) return {};
  const auto& a = found.elements();
  const auto& b = expected.elements();
  if (a.size() != b.size()) {
    return fmt::format("a sequence of {}, expected {}", a.size(), b.size());
  }
  for (size_t i = 0; i < a.size(); ++i) {
    const std::string text = difference(a[i], b[i], tolerance, shapes_only);
    if (!text.empty()) return fmt::format("element {} of the sequence: {}", i, text);
  }
  return {};
}

}  // namespace edgewright
