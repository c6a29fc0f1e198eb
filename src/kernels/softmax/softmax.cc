#include "kernels/softmax/softmax_rows.h"

#include <algorithm>

#include "kernels/families.h"
#include "kernels/implementation.h"

namespace edgewright {
namespace {

// The tensor as [outer][count][inner], softmax over the middle.
class Softmax : public PreparedKernel {
 public:
  Softmax(const Dims& dims, size_t axis, bool log) : log_(log) {
    for (size_t i = 0; i < axis; ++i) outer_ *= static_cast<size_t>(dims[i]);
    count_ = static_cast<size_t>(dims[axis]);
    for (size_t i = axis + 1; i < dims.size(); ++i) inner_ *= static_cast<size_t>(dims[i]);
    rows_per_task_ = std::max<size_t>(1, 8192 / (count_ * inner_));
  }

  void run(const KernelIo& io) const override {
    const float* const x = static_cast<const float*>(io.inputs[0]);
    float* const y = static_cast<float*>(io.outputs[0]);
    const size_t tasks = (outer_ + rows_per_task_ - 1) / rows_per_task_;
    io.pool->parallel_for(tasks, [&](size_t task, int) {
      const size_t end = std::min(outer_, (task + 1) * rows_per_task_);
      const size_t begin = task * rows_per_task_;
      if (inner_ == 1) {
        softmax_rows(x + begin * count_, y + begin * count_, end - begin, count_, log_);
        return;
      }
      for (size_t row = begin; row < end; ++row) {
        const size_t at = row * count_ * inner_;
        softmax_columns(x + at, y + at, count_, inner_, inner_, log_);
      }
    });
  }

 private:
  bool log_;
  size_t outer_ = 1, count_ = 1, inner_ = 1;
  size_t rows_per_task_ = 1;
};

int64_t axis_of(const KernelRequest& request) {
  const int64_t rank = static_cast<int64_t>(request.inputs[0].dims.size());
  const int64_t axis = request.attributes->get_int("axis", -1);
  return axis < 0 ? axis + rank : axis;
}

bool supports(const KernelRequest& request) {
  if (!is_float32(request) || !is_plain(request) || request.inputs.size() != 1) return false;
  const Dims& dims = request.inputs[0].dims;
  const auto count = checked_element_count(dims);
  const int64_t axis = axis_of(request);
  return count.ok() && *count > 0 && request.outputs[0].dims == dims && axis >= 0 &&
         axis < static_cast<int64_t>(dims.size());
}

Created create(const KernelRequest& request, PackedBytes) {
  return Created(std::make_unique<Softmax>(
      request.inputs[0].dims, static_cast<size_t>(axis_of(request)), request.op == "LogSoftmax"));
}

constexpr KernelImplementation kImplementations[] = {
    {"softmax_f32_hwy", "", "Softmax", supports, nullptr, create, 0, 2},
    {"log_softmax_f32_hwy", "", "LogSoftmax", supports, nullptr, create, 0, 2},
};

}  // namespace

std::span<const KernelImplementation> softmax_implementations() { return kImplementations; }

}  // namespace edgewright
