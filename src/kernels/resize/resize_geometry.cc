#include "kernels/resize/resize_geometry.h"

#include <cmath>

namespace edgewright::reference {
namespace {

template <size_t N>
bool one_of(const std::string& value, const std::string_view (&allowed)[N]) {
  return std::find(std::begin(allowed), std::end(allowed), value) != std::end(allowed);
}

// The axes that roi, scales and sizes speak of.
Result<std::vector<size_t>> named_axes(const OpCall& call, size_t rank) {
  std::vector<size_t> axes;
  if (!call.attributes->contains("axes")) {
    for (size_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    return axes;
  }
  for (const int64_t named : call.attributes->get_ints("axes")) {
    EDGEWRIGHT_ASSIGN(const size_t axis, axis_of(call, named, rank));
    if (std::find(axes.begin(), axes.end(), axis) != axes.end()) {
      return bad_input("{} names axis {} twice", call.op, axis);
    }
    axes.push_back(axis);
  }
  return axes;
}

// Holds what may become a dimension: no honest image comes near 2^26 positions along an axis.
Result<int64_t> whole_size(const OpCall& call, double size) {
  if (size >= 0 && size <= 0x1p26) return static_cast<int64_t>(size);
  return bad_input("{} to a size of {}", call.op, size);
}

Status apply_scales(const OpCall& call, const Operand<float>& scales,
                    const std::vector<size_t>& axes, bool crops, std::vector<ResizeAxis>& all) {
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = all[axes[i]];
    const float scale = scales[static_cast<int64_t>(i)];
    if (!(scale > 0) || !std::isfinite(scale)) {
      return bad_input("{} has scale {}, expected a positive number", call.op, scale);
    }
    axis.scale = scale;
    // The size is defined in single precision: 0.6 of 5 is 3, not 2.
    const double part = crops ? axis.roi_end - axis.roi_start : 1;
    axis.exact_output = static_cast<float>(static_cast<double>(axis.input) * part) * scale;
    EDGEWRIGHT_ASSIGN(axis.output, whole_size(call, std::floor(axis.exact_output)));
    axis.resized = true;
  }
  return {};
}

Status apply_sizes(const OpCall& call, const Operand<int64_t>& sizes,
                   const std::vector<size_t>& axes, std::vector<ResizeAxis>& all) {
  const std::string policy = call.attributes->get_string("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller") {
    return bad_input("{} has keep_aspect_ratio_policy '{}'", call.op, policy);
  }
  double common = policy == "not_larger" ? INFINITY : 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis& axis = all[axes[i]];
    EDGEWRIGHT_ASSIGN(axis.output,
                      whole_size(call, static_cast<double>(sizes[static_cast<int64_t>(i)])));
    if (axis.input == 0 && axis.output > 0) {
      return bad_input("{} of an axis of size 0 to {}", call.op, axis.output);
    }
    axis.scale =
        axis.input == 0 ? 1 : static_cast<double>(axis.output) / static_cast<double>(axis.input);
    axis.exact_output = static_cast<double>(axis.output);
    axis.resized = axis.output != axis.input;
    common = policy == "not_larger" ? std::min(common, axis.scale) : std::max(common, axis.scale);
  }
  for (size_t i = 0; policy != "stretch" && i < axes.size(); ++i) {
    ResizeAxis& axis = all[axes[i]];
    axis.scale = common;
    axis.exact_output = common * static_cast<double>(axis.input);
    EDGEWRIGHT_ASSIGN(axis.output, whole_size(call, std::floor(axis.exact_output + 0.5)));
    axis.resized = true;
  }
  return {};
}

double source_position(const ResizeAxis& axis, const ResizeOptions& options, int64_t i) {
  const auto x = static_cast<double>(i);
  const auto in = static_cast<double>(axis.input);
  const auto out = static_cast<double>(axis.output);
  const std::string& mode = options.coordinates;
  if (mode == "asymmetric") return x / axis.scale;
  if (mode == "align_corners") {
    return axis.exact_output == 1 ? 0 : x * (in - 1) / (axis.exact_output - 1);
  }
  if (mode == "tf_crop_and_resize") {
    if (axis.output == 1) return 0.5 * (axis.roi_start + axis.roi_end) * (in - 1);
    return axis.roi_start * (in - 1) + x * (axis.roi_end - axis.roi_start) * (in - 1) / (out - 1);
  }
  const double centre = (x + 0.5) / axis.scale - 0.5;
  if (mode == "pytorch_half_pixel") return axis.output > 1 ? centre : 0;
  if (mode == "half_pixel_symmetric") return in / 2 * (1 - out / axis.exact_output) + centre;
  return centre;
}

double nearest_position(double x, const std::string& mode) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  return mode == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5);
}

double filter(double distance, bool cubic, double a) {
  const double d = std::fabs(distance);
  if (!cubic) return std::max(1 - d, 0.0);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// Taps of one output element around position x.
void add_taps(const ResizeAxis& axis, const ResizeOptions& options, double x, double shrink,
              ResizeTaps& taps) {
  const bool cubic = options.mode == "cubic";
  const double reach = (cubic ? 2 : 1) / shrink;
  const auto first = static_cast<int64_t>(std::floor(x - reach)) + 1;
  const auto last = std::max(first, static_cast<int64_t>(std::ceil(x + reach)) - 1);
  const auto start = static_cast<int64_t>(taps.weights.size());
  double sum = 0;
  for (int64_t i = first; i <= last; ++i) {
    double weight = filter((static_cast<double>(i) - x) * shrink, cubic, options.cubic_a);
    if (options.exclude_outside && (i < 0 || i >= axis.input)) weight = 0;
    taps.weights.push_back(weight);
    sum += weight;
  }
  if ((options.exclude_outside || shrink < 1) && sum != 0) {
    std::for_each(taps.weights.begin() + start, taps.weights.end(),
                  [sum](double& weight) { weight /= sum; });
  }
  taps.first.push_back(first);
}

}  // namespace

Result<ResizeOptions> resize_options(const OpCall& call) {
  const Attributes& a = *call.attributes;
  ResizeOptions options;
  options.mode = a.get_string("mode", "nearest");
  options.coordinates = a.get_string("coordinate_transformation_mode", "half_pixel");
  options.nearest = a.get_string("nearest_mode", "round_prefer_floor");
  options.cubic_a = a.get_float("cubic_coeff_a", -0.75f);
  options.extrapolation = a.get_float("extrapolation_value", 0);
  options.exclude_outside = a.get_int("exclude_outside", 0) != 0;
  options.antialias = a.get_int("antialias", 0) != 0;
  constexpr std::string_view kModes[] = {"nearest", "linear", "cubic"};
  constexpr std::string_view kCoordinates[] = {"half_pixel",         "half_pixel_symmetric",
                                               "pytorch_half_pixel", "asymmetric",
                                               "align_corners",      "tf_crop_and_resize"};
  constexpr std::string_view kNearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                           "ceil"};
  if (!one_of(options.mode, kModes) || !one_of(options.coordinates, kCoordinates) ||
      !one_of(options.nearest, kNearest)) {
    return bad_input("{} has mode '{}', coordinate_transformation_mode '{}', nearest_mode '{}'",
                     call.op, options.mode, options.coordinates, options.nearest);
  }
  return options;
}

Result<std::vector<ResizeAxis>> resize_axes(OpCall& call, const Dims& dims,
                                            const ResizeOptions& options) {
  EDGEWRIGHT_ASSIGN(const std::vector<size_t> axes, named_axes(call, dims.size()));
  std::vector<ResizeAxis> all;
  for (const int64_t dim : dims) {
    all.push_back({dim, dim, 1, static_cast<double>(dim), 0, 1, false});
  }
  const auto count = static_cast<int64_t>(axes.size());
  EDGEWRIGHT_ASSIGN(const Operand<double> roi, optional_operand<double>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<float> scales, optional_operand<float>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> sizes, optional_operand<int64_t>(call, 3));
  const int64_t scale_count = scales ? scales.count() : 0;
  const int64_t size_count = sizes ? sizes.count() : 0;
  if (scale_count + size_count != count || (scale_count != count && size_count != count)) {
    return bad_input("{} has {} scales and {} sizes for {} axes, expected one of the two", call.op,
                     scale_count, size_count, count);
  }
  if (options.crops()) {
    if (!roi || roi.count() != 2 * count) {
      return bad_input("{} crops without a roi of {} values", call.op, 2 * count);
    }
    for (size_t i = 0; i < axes.size(); ++i) {
      all[axes[i]].roi_start = roi[static_cast<int64_t>(i)];
      all[axes[i]].roi_end = roi[static_cast<int64_t>(i) + count];
    }
  }
  if (scale_count > 0) {
    EDGEWRIGHT_TRY(apply_scales(call, scales, axes, options.crops(), all));
  } else {
    EDGEWRIGHT_TRY(apply_sizes(call, sizes, axes, all));
  }
  for (ResizeAxis& axis : all) {
    axis.resized = axis.resized || options.crops();
    if (axis.input == 0 && axis.output > 0) {
      return bad_input("{} of an axis of size 0 to {}", call.op, axis.output);
    }
  }
  return all;
}

Result<ResizeTaps> resize_taps(const OpCall& call, const ResizeAxis& axis,
                               const ResizeOptions& options) {
  ResizeTaps taps;
  const double shrink = options.antialias ? std::min(axis.scale, 1.0) : 1;
  const auto in = static_cast<double>(axis.input);
  // A filter wider than this adds nothing but weight on the edges; it takes a scale that does not
  // belong to the sizes.
  if (!(2 / shrink <= 4 * in + 16)) {
    return bad_input("{} with scale {} of an axis of size {}", call.op, axis.scale, axis.input);
  }
  for (int64_t i = 0; i < axis.output; ++i) {
    const double x = source_position(axis, options, i);
    taps.outside.push_back(options.crops() && !(x >= 0 && x <= in - 1));
    taps.begin.push_back(static_cast<int64_t>(taps.weights.size()));
    const double held = std::isnan(x) ? 0 : std::clamp(x, -in - 8, 2 * in + 8);
    if (options.mode == "nearest") {
      taps.first.push_back(static_cast<int64_t>(nearest_position(held, options.nearest)));
      taps.weights.push_back(1);
    } else {
      add_taps(axis, options, held, shrink, taps);
    }
  }
  taps.begin.push_back(static_cast<int64_t>(taps.weights.size()));
  return taps;
}

}  // namespace edgewright::reference
