#include "kernels/integer/requantise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/implementation.h"

namespace edgewright {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool is_byte(DType dtype) { return dtype == DType::kUint8 || dtype == DType::kInt8; }
float lowest(DType dtype) { return dtype == DType::kInt8 ? -128.0f : 0.0f; }
float highest(DType dtype) { return dtype == DType::kInt8 ? 127.0f : 255.0f; }

// Whether v is kept in units of the integer output: nothing needs its real value.
bool in_output_units(const Requantisation& r) {
  return is_byte(r.out) && !r.also_float && r.epilogue.is_clamp();
}

// Real values to the units of v.
struct Units {
  double scale = 1;  // v = real / scale + zero
  double zero = 0;
};
Units units_of(const Requantisation& r) {
  if (!in_output_units(r)) return {};
  return {r.y_scale, static_cast<double>(r.y_zero)};
}

bool usable(float scale) { return std::isfinite(scale) && scale > 0; }

}  // namespace

Result<Requantisation> parse_requantisation(const KernelRequest& request) {
  const Attributes& a = *request.attributes;
  Requantisation r;
  r.x_zero = static_cast<int32_t>(a.get_int("x_zero", 0));
  r.out = request.outputs[0].dtype;
  r.y_scale = a.get_float("y_scale", 1.0f);
  r.y_zero = static_cast<int32_t>(a.get_int("y_zero", 0));
  if (has_input(request, 4)) r.residual = request.inputs[4].dtype;
  r.residual_scale = a.get_float("residual_scale", 1.0f);
  r.residual_zero = static_cast<int32_t>(a.get_int("residual_zero", 0));
  if (a.contains("product_scale")) {
    r.product = a.get_int("product_is_signed", 0) != 0 ? DType::kInt8 : DType::kUint8;
    r.product_scale = a.get_float("product_scale", 1.0f);
    r.product_zero = static_cast<int32_t>(a.get_int("product_zero", 0));
  }
  r.also_float = request.outputs.size() > 1 && request.outputs[1].dtype != DType::kUndefined;
  EDGEWRIGHT_ASSIGN(r.epilogue, parse_epilogue(a));
  const bool types_fit =
      (is_byte(r.out) || r.out == DType::kFloat32) &&
      (r.residual == DType::kUndefined || r.residual == DType::kFloat32 || is_byte(r.residual));
  if (!types_fit || !usable(r.y_scale) || !usable(r.residual_scale) || !usable(r.product_scale)) {
    return unsupported("quantised product: a type or a scale is not usable");
  }
  if (!r.epilogue.residual_before_activation && r.residual != DType::kUndefined &&
      r.epilogue.activation != Activation::kNone) {
    return unsupported("quantised product: a sum after the activation");
  }
  if (r.residual == DType::kFloat32) {
    r.residual_scale = 1;
    r.residual_zero = 0;
  }
  return r;
}

Finish make_finish(const Requantisation& r) {
  const Units units = units_of(r);
  Finish f;
  const bool byte = is_byte(r.out);
  f.out_type = r.out;
  f.epilogue = r.epilogue;
  f.residual_type = r.residual;
  f.residual_scale = static_cast<float>(r.residual_scale / units.scale);
  f.low = -kInfinity;
  f.high = kInfinity;
  if (r.epilogue.is_clamp()) {
    f.low = static_cast<float>(r.epilogue.low() / units.scale + units.zero);
    f.high = static_cast<float>(r.epilogue.high() / units.scale + units.zero);
  }
  if (r.product != DType::kUndefined) {
    f.round_product = true;
    f.product_low = lowest(r.product);
    f.product_high = highest(r.product);
    f.product_scale = static_cast<float>(r.product_scale / units.scale);
    f.product_offset =
        static_cast<float>(units.zero - (static_cast<double>(r.product_zero) * r.product_scale +
                                         static_cast<double>(r.residual_zero) * r.residual_scale) /
                                            units.scale);
  }
  if (in_output_units(r)) {
    f.low = std::max(f.low, lowest(r.out));
    f.high = std::min(f.high, highest(r.out));
  } else if (byte) {
    f.rescale = true;
    f.gate = find_gate(r.epilogue.activation);
    f.out_scale = static_cast<float>(1.0 / r.y_scale);
    f.out_offset = static_cast<float>(r.y_zero);
  }
  return f;
}

void fold_columns(const Requantisation& r, const float* m, bool one_m, const float* b,
                  const int32_t* column_sums, size_t columns, size_t padded, float* scale,
                  float* bias) {
  Units units = units_of(r);
  double residual = static_cast<double>(r.residual_zero) * r.residual_scale;
  if (r.product != DType::kUndefined) {
    units = {r.product_scale, static_cast<double>(r.product_zero)};
    residual = 0;  // taken off after the rounding
  }
  if (r.residual == DType::kUndefined) residual = 0;
  std::fill(scale, scale + padded, 0.0f);
  std::fill(bias, bias + padded, 0.0f);
  for (size_t c = 0; c < columns; ++c) {
    const double factor = m[one_m ? 0 : c];
    const double moved = -static_cast<double>(r.x_zero) * column_sums[c] * factor;
    const double sum = moved + (b != nullptr ? b[c] : 0.0) - residual;
    scale[c] = static_cast<float>(factor / units.scale);
    bias[c] = static_cast<float>(sum / units.scale + units.zero);
  }
}

}  // namespace edgewright
