// Conversion of element types, as the Cast operator defines it.
#pragma once

#include "base/result.h"
#include "tensor/element.h"
#include "tensor/tensor.h"

namespace edgewright::reference {

struct CastOptions {
  bool saturate = true;                       // 8-bit floats only
  E8M0Rounding rounding = E8M0Rounding::kUp;  // float8e8m0 only
};

// Every element of `from` as the type of `to`, which has as many elements. Numbers out of the range
// of an integer type keep their low bits; real ones are truncated first. Strings are read and
// written as decimal numbers, with INF, -INF and NaN; a string that is no number is kBadInput.
// Complex types are kUnsupported.
Status convert_elements(const Tensor& from, Tensor& to, CastOptions options);

}  // namespace edgewright::reference
