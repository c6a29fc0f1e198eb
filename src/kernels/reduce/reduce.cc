// Sums, means and maxima over neighbouring axes.
#include <algorithm>

#include "kernels/families.h"
#include "kernels/implementation.h"
#include "kernels/pool/pool_pixel.h"

namespace edgewright {
namespace {

// The tensor as [outer][count][inner]; the middle goes.
struct ReduceShape {
  size_t outer = 1, count = 1, inner = 1;
  bool maximum = false;
  float factor = 1;
};

Result<std::vector<bool>> reduced_axes(const KernelRequest& request) {
  const Dims& dims = request.inputs[0].dims;
  const int64_t rank = static_cast<int64_t>(dims.size());
  std::vector<int64_t> axes;
  if (has_input(request, 1)) {
    if (request.inputs[1].constant == nullptr) return unsupported("reduce: axes not constant");
    EDGEWRIGHT_ASSIGN(axes, request.inputs[1].constant->to_int64s());
  }
  const bool all = axes.empty() && request.attributes->get_int("noop_with_empty_axes", 0) == 0;
  std::vector<bool> reduced(dims.size(), all);
  for (int64_t axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return unsupported("reduce: axis out of range");
    reduced[static_cast<size_t>(axis)] = true;
  }
  return reduced;
}

Result<ReduceShape> parse_reduce(const KernelRequest& request) {
  if (request.inputs.empty() || request.outputs.size() != 1 || !is_plain(request) ||
      request.inputs[0].dtype != DType::kFloat32 || request.outputs[0].dtype != DType::kFloat32) {
    return unsupported("reduce: not plain float32");
  }
  const Dims& dims = request.inputs[0].dims;
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  EDGEWRIGHT_ASSIGN(const auto reduced, reduced_axes(request));
  if (count == 0) return unsupported("reduce: empty");
  ReduceShape s;
  int stage = 0;  // before, in and after the reduced axes
  for (size_t i = 0; i < dims.size(); ++i) {
    const size_t size = static_cast<size_t>(dims[i]);
    if (size == 1) continue;
    if (reduced[i]) {
      if (stage == 2) return unsupported("reduce: axes are not neighbours");
      stage = 1;
      s.count *= size;
    } else if (stage == 0) {
      s.outer *= size;
    } else {
      stage = 2;
      s.inner *= size;
    }
  }
  EDGEWRIGHT_ASSIGN(const int64_t out_count, checked_element_count(request.outputs[0].dims));
  if (static_cast<size_t>(out_count) != s.outer * s.inner) {
    return unsupported("reduce: output does not fit");
  }
  s.maximum = request.op == "ReduceMax";
  s.factor = request.op == "ReduceMean" ? 1.0f / static_cast<float>(s.count) : 1.0f;
  return s;
}

class Reduce : public PreparedKernel {
 public:
  explicit Reduce(const ReduceShape& shape) : s_(shape) {}

  void run(const KernelIo& io) const override {
    const size_t rows_per_task = std::max<size_t>(1, 16384 / (s_.count * s_.inner));
    const size_t tasks = (s_.outer + rows_per_task - 1) / rows_per_task;
    io.pool->parallel_for(tasks, [&](size_t task, int) {
      const size_t end = std::min(s_.outer, (task + 1) * rows_per_task);
      for (size_t row = task * rows_per_task; row < end; ++row) {
        PoolWindow window;
        window.in = static_cast<const float*>(io.inputs[0]) + row * s_.count * s_.inner;
        window.rows = 1;
        window.columns = s_.count;
        window.column_step = static_cast<ptrdiff_t>(s_.inner);
        window.inner = s_.inner;
        float* const out = static_cast<float*>(io.outputs[0]) + row * s_.inner;
        s_.maximum ? pool_maximum(window, out) : pool_average(window, s_.factor, out);
      }
    });
  }

 private:
  ReduceShape s_;
};

bool supports(const KernelRequest& request) { return parse_reduce(request).ok(); }

Created create(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(const ReduceShape shape, parse_reduce(request));
  return Created(std::make_unique<Reduce>(shape));
}

constexpr KernelImplementation kImplementations[] = {
    {"reduce_mean_f32_hwy", "", "ReduceMean", supports, nullptr, create},
    {"reduce_sum_f32_hwy", "", "ReduceSum", supports, nullptr, create},
    {"reduce_max_f32_hwy", "", "ReduceMax", supports, nullptr, create},
};

}  // namespace

std::span<const KernelImplementation> reduce_implementations() { return kImplementations; }

}  // namespace edgewright
