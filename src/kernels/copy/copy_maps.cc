#include <algorithm>
#include <cmath>

#include "kernels/copy/mapped_copy.h"

namespace edgewright {
namespace {

Result<std::vector<int64_t>> constant_ints(const KernelRequest& request, size_t i) {
  if (!has_input(request, i) || request.inputs[i].constant == nullptr) {
    return unsupported("{}: input {} is not constant", request.op, i);
  }
  return request.inputs[i].constant->to_int64s();
}

// Axes from a constant input, or all of them in order.
Result<std::vector<int64_t>> axes_from(const KernelRequest& request, size_t i, size_t count) {
  const int64_t rank = static_cast<int64_t>(request.inputs[0].dims.size());
  std::vector<int64_t> axes;
  if (has_input(request, i)) {
    EDGEWRIGHT_ASSIGN(axes, constant_ints(request, i));
  } else {
    for (size_t axis = 0; axis < count; ++axis) axes.push_back(static_cast<int64_t>(axis));
  }
  if (axes.size() != count) return unsupported("{}: axes do not fit", request.op);
  for (int64_t& axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return unsupported("{}: axis out of range", request.op);
  }
  return axes;
}

// Position in the input of position i - before of a padded axis; kFill outside.
int64_t padded_source(const std::string& mode, int64_t i, int64_t size) {
  if (i >= 0 && i < size) return i;
  if (mode == "constant" || size == 0) return CopyMap::kFill;
  if (mode == "edge") return std::clamp<int64_t>(i, 0, size - 1);
  if (mode == "wrap") return ((i % size) + size) % size;
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t within = ((i % period) + period) % period;
  return within < size ? within : period - within;
}

}  // namespace

std::vector<int64_t> row_major_strides(const Dims& dims) {
  std::vector<int64_t> strides(dims.size());
  int64_t stride = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= dims[axis];
  }
  return strides;
}

CopyMap identity_map(const Dims& in, const Dims& out) {
  const auto strides = row_major_strides(in);
  CopyMap map;
  for (size_t axis = 0; axis < out.size(); ++axis) {
    std::vector<int64_t> table(static_cast<size_t>(out[axis]));
    for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<int64_t>(i) * strides[axis];
    map.tables.push_back(std::move(table));
  }
  return map;
}

Result<CopyMap> slice_map(const KernelRequest& request) {
  const Dims& in = request.inputs[0].dims;
  const Dims& out = request.outputs[0].dims;
  if (in.size() != out.size()) return unsupported("Slice: ranks differ");
  EDGEWRIGHT_ASSIGN(const auto starts, constant_ints(request, 1));
  EDGEWRIGHT_ASSIGN(const auto axes, axes_from(request, 3, starts.size()));
  std::vector<int64_t> steps(starts.size(), 1);
  if (has_input(request, 4)) {
    EDGEWRIGHT_ASSIGN(steps, constant_ints(request, 4));
  }
  if (steps.size() != starts.size()) return unsupported("Slice: steps do not fit");
  CopyMap map = identity_map(in, out);
  const auto strides = row_major_strides(in);
  std::vector<bool> sliced(in.size(), false);
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t axis = static_cast<size_t>(axes[i]);
    const int64_t size = in[axis], step = steps[i];
    if (step == 0 || size == 0) return unsupported("Slice: step or size 0");
    int64_t start = starts[i] < 0 ? starts[i] + size : starts[i];
    start = std::clamp<int64_t>(start, 0, step < 0 ? size - 1 : size);
    for (int64_t k = 0; k < out[axis]; ++k) {
      const int64_t from = start + k * step;
      if (from < 0 || from >= size) return unsupported("Slice: output does not fit");
      map.tables[axis][static_cast<size_t>(k)] = from * strides[axis];
    }
    sliced[axis] = true;
  }
  for (size_t axis = 0; axis < in.size(); ++axis) {
    if (!sliced[axis] && in[axis] != out[axis]) return unsupported("Slice: output does not fit");
  }
  return map;
}

Result<CopyMap> expand_map(const KernelRequest& request) {
  Dims in = request.inputs[0].dims;
  const Dims& out = request.outputs[0].dims;
  if (in.size() > out.size()) return unsupported("Expand: output has fewer axes");
  in.insert(in.begin(), out.size() - in.size(), 1);
  CopyMap map = identity_map(in, out);
  for (size_t axis = 0; axis < out.size(); ++axis) {
    if (in[axis] == out[axis]) continue;
    if (in[axis] != 1) return unsupported("Expand: does not broadcast");
    std::fill(map.tables[axis].begin(), map.tables[axis].end(), 0);
  }
  return map;
}

Result<CopyMap> tile_map(const KernelRequest& request) {
  const Dims& in = request.inputs[0].dims;
  const Dims& out = request.outputs[0].dims;
  if (in.size() != out.size()) return unsupported("Tile: ranks differ");
  CopyMap map = identity_map(in, out);
  const auto strides = row_major_strides(in);
  for (size_t axis = 0; axis < out.size(); ++axis) {
    if (in[axis] == 0 || out[axis] % in[axis] != 0) return unsupported("Tile: does not fit");
    for (int64_t i = 0; i < out[axis]; ++i) {
      map.tables[axis][static_cast<size_t>(i)] = i % in[axis] * strides[axis];
    }
  }
  return map;
}

Result<CopyMap> pad_map(const KernelRequest& request) {
  const Dims& in = request.inputs[0].dims;
  const Dims& out = request.outputs[0].dims;
  const std::string mode = request.attributes->get_string("mode", "constant");
  EDGEWRIGHT_ASSIGN(const auto pads, constant_ints(request, 1));
  EDGEWRIGHT_ASSIGN(const auto axes, axes_from(request, 3, pads.size() / 2));
  if (in.size() != out.size() || pads.size() % 2 != 0 ||
      (mode != "constant" && mode != "edge" && mode != "wrap" && mode != "reflect")) {
    return unsupported("Pad: not of a known form");
  }
  CopyMap map = identity_map(in, out);
  const auto strides = row_major_strides(in);
  std::vector<int64_t> total = in;
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t axis = static_cast<size_t>(axes[i]);
    total[axis] += pads[i] + pads[i + axes.size()];
    for (int64_t k = 0; k < out[axis]; ++k) {
      const int64_t from = padded_source(mode, k - pads[i], in[axis]);
      map.tables[axis][static_cast<size_t>(k)] =
          from == CopyMap::kFill ? from : from * strides[axis];
    }
  }
  if (total != out) return unsupported("Pad: output does not fit");
  return map;
}

Result<CopyMap> gather_map(const KernelRequest& request) {
  const Dims& in = request.inputs[0].dims;
  const Dims& out = request.outputs[0].dims;
  EDGEWRIGHT_ASSIGN(const auto indices, constant_ints(request, 1));
  const int64_t rank = static_cast<int64_t>(in.size());
  int64_t axis = request.attributes->get_int("axis", 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return unsupported("Gather: axis out of range");
  const size_t at = static_cast<size_t>(axis);
  // The axes of the indices are one axis here: they lie side by side.
  Dims flat = in;
  flat[at] = static_cast<int64_t>(indices.size());
  EDGEWRIGHT_ASSIGN(const int64_t flat_count, checked_element_count(flat));
  EDGEWRIGHT_ASSIGN(const int64_t out_count, checked_element_count(out));
  if (flat_count != out_count) return unsupported("Gather: output does not fit");
  CopyMap map = identity_map(in, flat);
  const int64_t stride = row_major_strides(in)[at];
  for (size_t i = 0; i < indices.size(); ++i) {
    const int64_t index = indices[i] < 0 ? indices[i] + in[at] : indices[i];
    if (index < 0 || index >= in[at]) return unsupported("Gather: index out of range");
    map.tables[at][i] = index * stride;
  }
  return map;
}

Result<CopyMap> resize_nearest_map(const KernelRequest& request) {
  const Dims& in = request.inputs[0].dims;
  const Dims& out = request.outputs[0].dims;
  const Attributes& attributes = *request.attributes;
  const std::string where = attributes.get_string("coordinate_transformation_mode", "half_pixel");
  const std::string rounding = attributes.get_string("nearest_mode", "round_prefer_floor");
  // Scales that are no quotient of the sizes would need the scales input.
  if (in.size() != out.size() || attributes.get_string("mode", "nearest") != "nearest" ||
      (where != "half_pixel" && where != "asymmetric") || attributes.contains("axes") ||
      (rounding != "floor" && rounding != "round_prefer_floor")) {
    return unsupported("Resize: not to the nearest in a known way");
  }
  CopyMap map = identity_map(in, out);
  const auto strides = row_major_strides(in);
  for (size_t axis = 0; axis < in.size(); ++axis) {
    if (in[axis] == 0) return unsupported("Resize: empty");
    if (out[axis] % in[axis] != 0) return unsupported("Resize: not by a whole factor");
    const double scale = static_cast<double>(out[axis]) / static_cast<double>(in[axis]);
    for (int64_t i = 0; i < out[axis]; ++i) {
      const double x = where == "half_pixel" ? (static_cast<double>(i) + 0.5) / scale - 0.5
                                             : static_cast<double>(i) / scale;
      const double nearest = rounding == "floor" ? std::floor(x) : std::ceil(x - 0.5);
      const int64_t from = std::clamp<int64_t>(static_cast<int64_t>(nearest), 0, in[axis] - 1);
      map.tables[axis][static_cast<size_t>(i)] = from * strides[axis];
    }
  }
  return map;
}

}  // namespace edgewright
