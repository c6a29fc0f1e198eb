// Concat and Split: runs of bytes between one tensor and several. Blocked tensors join at channels
// when each has whole blocks, tensors with channels last always.
#include <algorithm>
#include <cstring>

#include "kernels/copy/joint.h"
#include "kernels/copy/mapped_copy.h"
#include "kernels/families.h"

namespace edgewright {
namespace {

// The parts as [outer][part bytes] of a whole [outer][sum of part bytes].
class JoinedCopy : public PreparedKernel {
 public:
  JoinedCopy(bool split, size_t outer, std::vector<size_t> part_bytes)
      : split_(split), outer_(outer), part_bytes_(std::move(part_bytes)) {
    for (const size_t bytes : part_bytes_) whole_bytes_ += bytes;
  }

  void run(const KernelIo& io) const override {
    constexpr size_t kTaskBytes = 1 << 16;
    const size_t rows_per_task =
        std::max<size_t>(1, kTaskBytes / std::max<size_t>(1, whole_bytes_));
    const size_t tasks = (outer_ + rows_per_task - 1) / rows_per_task;
    io.pool->parallel_for(tasks, [&](size_t task, int) {
      const size_t end = std::min(outer_, (task + 1) * rows_per_task);
      for (size_t row = task * rows_per_task; row < end; ++row) copy_row(io, row);
    });
  }

 private:
  void copy_row(const KernelIo& io, size_t row) const {
    size_t at = row * whole_bytes_;
    for (size_t part = 0; part < part_bytes_.size(); ++part) {
      const size_t bytes = part_bytes_[part];
      const void* const from =
          split_ ? from_start(io.inputs[0], at) : from_start(io.inputs[part], row * bytes);
      void* const to =
          split_ ? from_start(io.outputs[part], row * bytes) : from_start(io.outputs[0], at);
      // A part may have been made in its place, see is_end_to_end().
      if (bytes > 0 && to != nullptr && to != from) std::memcpy(to, from, bytes);
      at += bytes;
    }
  }

  static const void* from_start(const void* start, size_t bytes) {
    return static_cast<const std::byte*>(start) + bytes;
  }
  static void* from_start(void* start, size_t bytes) {
    return start == nullptr ? nullptr : static_cast<std::byte*>(start) + bytes;
  }

  bool split_;
  size_t outer_;
  std::vector<size_t> part_bytes_;
  size_t whole_bytes_ = 0;
};

struct Joint {
  size_t outer = 1;
  std::vector<size_t> part_bytes;
};

Result<Joint> parse_joint(const KernelRequest& request) {
  const bool split = request.op == "Split";
  const TensorSpec& whole = split ? request.inputs[0] : request.outputs[0];
  const std::vector<TensorSpec>& parts = split ? request.outputs : request.inputs;
  const int64_t rank = static_cast<int64_t>(whole.dims.size());
  int64_t axis = request.attributes->get_int("axis", 0);
  if (axis < 0) axis += rank;
  const size_t element = copyable_bytes(whole.dtype);
  if (axis < 0 || axis >= rank || element == 0) return unsupported("axis or type of a concat");
  const bool blocked = whole.layout == Layout::kNchw16c;
  const bool channels_last = whole.layout == Layout::kNhwc;
  if (!blocked && !channels_last && whole.layout != Layout::kPlain) {
    return unsupported("layout of a concat");
  }
  if ((blocked || channels_last) && axis != 1) return unsupported("concat of another axis");
  const size_t at = static_cast<size_t>(axis);
  Joint joint;
  for (size_t i = 0; i < whole.dims.size(); ++i) {
    if (i < at || (channels_last && i > at)) joint.outer *= static_cast<size_t>(whole.dims[i]);
  }
  int64_t sum = 0;
  for (const TensorSpec& part : parts) {
    Dims expected = whole.dims;
    if (part.dims.size() == whole.dims.size()) expected[at] = part.dims[at];
    if (part.dtype != whole.dtype || part.layout != whole.layout || part.dims != expected ||
        (blocked && part.dims[1] % 16 != 0)) {
      return unsupported("a part of a concat does not fit");
    }
    sum += part.dims[at];
    int64_t inner = 1;
    for (size_t i = at; i < (channels_last ? at + 1 : part.dims.size()); ++i) inner *= part.dims[i];
    joint.part_bytes.push_back(static_cast<size_t>(inner) * element);
  }
  if (sum != whole.dims[at]) return unsupported("parts of a concat do not add up");
  return joint;
}

bool supports(const KernelRequest& request) {
  return !request.inputs.empty() && !request.outputs.empty() && parse_joint(request).ok();
}

Created create(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(Joint joint, parse_joint(request));
  return Created(std::make_unique<JoinedCopy>(request.op == "Split", joint.outer,
                                              std::move(joint.part_bytes)));
}

constexpr KernelImplementation kImplementations[] = {
    {"concat_copy", "", "Concat", supports, nullptr, create},
    {"split_copy", "", "Split", supports, nullptr, create},
};

}  // namespace

bool is_end_to_end(const KernelRequest& request) {
  if (!request.domain.empty() || (request.op != "Concat" && request.op != "Split")) return false;
  if (!supports(request)) return false;
  return parse_joint(request)->outer == 1;
}

std::span<const KernelImplementation> concat_implementations() { return kImplementations; }

}  // namespace edgewright
