#include "kernels/reference/window.h"

#include <algorithm>

namespace edgewright::reference {
namespace {

// Keeps sums of products of two such values within int64.
constexpr int64_t kLargest = int64_t{1} << 30;

Result<Dims> per_axis(const OpCall& call, std::string_view name, size_t count, int64_t otherwise,
                      int64_t lowest) {
  Dims values = call.attributes->get_ints(name);
  if (values.empty()) values.assign(count, otherwise);
  if (values.size() != count) {
    return bad_input("{} of {} has {} values, expected {}", name, call.op, values.size(), count);
  }
  for (const int64_t value : values) {
    if (value < lowest || value > kLargest) {
      return bad_input("{} of {} holds {}, expected {} to 2^30", name, call.op, value, lowest);
    }
  }
  return values;
}

// Total padding for which the output is ceil(input / stride).
void pad_same(Window& w, size_t axis, bool upper) {
  const int64_t reach = (w.kernel[axis] - 1) * w.dilation[axis] + 1;
  w.output[axis] = (w.input[axis] + w.stride[axis] - 1) / w.stride[axis];
  const int64_t total =
      std::max<int64_t>(0, (w.output[axis] - 1) * w.stride[axis] + reach - w.input[axis]);
  w.pad_begin[axis] = upper ? total / 2 : total - total / 2;
  w.pad_end[axis] = total - w.pad_begin[axis];
}

Status slide(const OpCall& call, Window& w, size_t axis, bool ceil) {
  const int64_t reach = (w.kernel[axis] - 1) * w.dilation[axis] + 1;
  const int64_t room = w.input[axis] + w.pad_begin[axis] + w.pad_end[axis] - reach;
  if (room < 0) {
    return bad_input(
        "{}: a window that spans {} does not fit into axis {} of size {} with padding "
        "{} and {}",
        call.op, reach, axis + 2, w.input[axis], w.pad_begin[axis], w.pad_end[axis]);
  }
  const int64_t stride = w.stride[axis];
  int64_t count = room / stride + 1;
  if (ceil && room % stride != 0) ++count;
  // A last window that would start beyond the input and its leading padding is dropped.
  if (ceil && (count - 1) * stride >= w.input[axis] + w.pad_begin[axis]) --count;
  w.output[axis] = count;
  return {};
}

}  // namespace

Result<Window> read_window(const OpCall& call, Dims input, Dims kernel) {
  const size_t rank = input.size();
  Window w;
  if (kernel.size() != rank || rank == 0) {
    return bad_input("{} has a kernel of {} axes over {} spatial axes", call.op, kernel.size(),
                     rank);
  }
  for (size_t i = 0; i < rank; ++i) {
    if (kernel[i] < 1 || kernel[i] > kLargest || input[i] > kLargest) {
      return bad_input("{} has kernel size {} over size {}, expected 1 to 2^30", call.op, kernel[i],
                       input[i]);
    }
  }
  w.input = std::move(input);
  w.kernel = std::move(kernel);
  EDGEWRIGHT_ASSIGN(w.stride, per_axis(call, "strides", rank, 1, 1));
  EDGEWRIGHT_ASSIGN(w.dilation, per_axis(call, "dilations", rank, 1, 1));
  EDGEWRIGHT_ASSIGN(const Dims pads, per_axis(call, "pads", 2 * rank, 0, 0));
  w.pad_begin.assign(pads.begin(), pads.begin() + static_cast<int64_t>(rank));
  w.pad_end.assign(pads.begin() + static_cast<int64_t>(rank), pads.end());
  return w;
}

Result<Window> sliding_window(const OpCall& call, Dims input, Dims kernel) {
  EDGEWRIGHT_ASSIGN(Window w, read_window(call, std::move(input), std::move(kernel)));
  const std::string mode = call.attributes->get_string("auto_pad", "NOTSET");
  const bool ceil = call.attributes->get_int("ceil_mode", 0) != 0;
  if (mode != "NOTSET" && mode != "VALID" && mode != "SAME_UPPER" && mode != "SAME_LOWER") {
    return bad_input("{} has auto_pad '{}', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER",
                     call.op, mode);
  }
  w.output.assign(w.rank(), 0);
  for (size_t axis = 0; axis < w.rank(); ++axis) {
    if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
      pad_same(w, axis, mode == "SAME_UPPER");
      continue;
    }
    if (mode == "VALID") w.pad_begin[axis] = w.pad_end[axis] = 0;
    EDGEWRIGHT_TRY(slide(call, w, axis, ceil));
  }
  return w;
}

Range positions_inside(int64_t count, int64_t stride, int64_t offset, int64_t size) {
  const int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  const int64_t beyond = size - offset;  // positions * stride must stay below
  const int64_t last = beyond <= 0 ? 0 : (beyond + stride - 1) / stride;
  return {std::min(first, count), std::min(std::max(last, first), count)};
}

}  // namespace edgewright::reference
