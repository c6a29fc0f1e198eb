// Cast, CastLike and BitCast.
#include <cstring>

#include "kernels/cast/convert.h"
#include "kernels/families.h"
#include "kernels/reference/arguments.h"

namespace edgewright {
namespace {

using namespace reference;

Result<CastOptions> cast_options(const OpCall& call) {
  CastOptions options;
  options.saturate = call.attributes->get_int("saturate", 1) != 0;
  const std::string rounding = call.attributes->get_string("round_mode", "up");
  if (rounding == "up") {
    options.rounding = E8M0Rounding::kUp;
  } else if (rounding == "down") {
    options.rounding = E8M0Rounding::kDown;
  } else if (rounding == "nearest") {
    options.rounding = E8M0Rounding::kNearest;
  } else {
    return bad_input("{}: round_mode \"{}\" is none of up, down, nearest", call.op, rounding);
  }
  return options;
}

Result<DType> target_type(const OpCall& call) {
  const int64_t to = call.attributes->get_int("to", 0);
  if (to <= 0 || to >= kDTypeCount) {
    return unsupported("{}: the element type numbered {} is not known", call.op, to);
  }
  return static_cast<DType>(to);
}

Status cast_to(OpCall& call, DType dtype) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const CastOptions options, cast_options(call));
  if (x->dtype() == dtype) {
    call.set_output(0, *x);
    return {};
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, dtype, x->dims()));
  return convert_elements(*x, *out, options);
}

Status cast(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const DType dtype, target_type(call));
  return cast_to(call, dtype);
}

Status cast_like(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* like, call.tensor(1));
  return cast_to(call, like->dtype());
}

Status bit_cast(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const DType dtype, target_type(call));
  if (dtype_bits(dtype) == 0 || dtype_bits(dtype) != dtype_bits(x->dtype())) {
    return bad_input("BitCast: elements of type {} and {} differ in size", dtype_name(x->dtype()),
                     dtype_name(dtype));
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, dtype, x->dims()));
  if (x->size_bytes() > 0) std::memcpy(out->mutable_bytes(), x->bytes(), x->size_bytes());
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Cast", cast},
    {"", "CastLike", cast_like},
    {"", "BitCast", bit_cast},
};

}  // namespace

std::span<const ReferenceKernel> cast_reference_kernels() { return kKernels; }

}  // namespace edgewright
