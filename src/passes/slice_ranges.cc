#include "passes/slice_ranges.h"

#include <algorithm>
#include <limits>

namespace edgewright {
namespace {

// The ONNX rules for one axis: negative positions count from the end, then everything is clamped.
SliceRange range_of(int64_t start, int64_t end, int64_t step, int64_t dim) {
  const auto from_front = [&](int64_t i) { return i < 0 ? i + dim : i; };
  if (step > 0) {
    start = std::clamp<int64_t>(from_front(start), 0, dim);
    end = std::clamp<int64_t>(from_front(end), 0, dim);
    return {start, std::max<int64_t>(0, (end - start + step - 1) / step), step};
  }
  start = std::clamp<int64_t>(from_front(start), -1, dim - 1);
  end = end < -dim ? -1 : std::clamp<int64_t>(from_front(end), -1, dim - 1);
  return {start, std::max<int64_t>(0, (start - end - step - 1) / -step), step};
}

bool in_bounds(int64_t step) {
  return step != 0 && step > -(int64_t{1} << 31) && step < (int64_t{1} << 31);
}

}  // namespace

std::optional<std::vector<SliceRange>> slice_ranges(const Node& slice) {
  const auto dims = static_dims(slice.input(0));
  const auto starts = int_constant(slice.input(1)), ends = int_constant(slice.input(2));
  if (!dims || !starts || !ends || starts->size() != ends->size()) return std::nullopt;
  std::vector<int64_t> axes(starts->size()), steps(starts->size(), 1);
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(i);
  if (slice.input(3) != nullptr) {
    const auto given = int_constant(slice.input(3));
    if (!given) return std::nullopt;
    axes = *given;
  }
  if (slice.input(4) != nullptr) {
    const auto given = int_constant(slice.input(4));
    if (!given) return std::nullopt;
    steps = *given;
  }
  const auto positions = normalised_axes(axes, dims->size());
  if (!positions || positions->size() != starts->size() || steps.size() != starts->size()) {
    return std::nullopt;
  }
  std::vector<SliceRange> ranges;
  for (const int64_t dim : *dims) ranges.push_back({0, dim, 1});
  for (size_t i = 0; i < starts->size(); ++i) {
    const auto axis = static_cast<size_t>((*positions)[i]);
    if (!in_bounds(steps[i])) return std::nullopt;
    ranges[axis] = range_of((*starts)[i], (*ends)[i], steps[i], (*dims)[axis]);
  }
  return ranges;
}

std::vector<Value*> slice_inputs(Graph& graph, Value* data, const Dims& dims,
                                 const std::vector<SliceRange>& ranges) {
  std::vector<int64_t> starts, ends, axes, steps;
  for (size_t axis = 0; axis < ranges.size(); ++axis) {
    const SliceRange& range = ranges[axis];
    if (range.start == 0 && range.step == 1 && range.count == dims[axis]) continue;
    const int64_t end = range.start + range.count * range.step;
    starts.push_back(range.start);
    // A position before the first element cannot be written as a number counted from the front.
    ends.push_back(end < 0 ? std::numeric_limits<int64_t>::min() : end);
    axes.push_back(static_cast<int64_t>(axis));
    steps.push_back(range.step);
  }
  const bool single_steps = std::ranges::all_of(steps, [](int64_t step) { return step == 1; });
  return {data, add_int_constant(graph, "starts", starts), add_int_constant(graph, "ends", ends),
          add_int_constant(graph, "axes", axes),
          single_steps ? nullptr : add_int_constant(graph, "steps", steps)};
}

}  // namespace edgewright
