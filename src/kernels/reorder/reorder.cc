// edgewright::Reorder: the same tensor in another layout.
#include <algorithm>
#include <cstring>

#include "kernels/families.h"
#include "kernels/implementation.h"

namespace edgewright {
namespace {

// Both sides as [n][channel block][position][channel in block], where a plain tensor has blocks of
// one channel and NHWC one block of all channels.
struct Side {
  int64_t block = 1;
  int64_t blocks = 1;
};

Side side_of(const TensorSpec& spec) {
  const int64_t channels = spec.dims[1];
  switch (spec.layout) {
    case Layout::kPlain: return {1, channels};
    case Layout::kNhwc: return {channels, 1};
    case Layout::kNchw16c: return {16, (channels + 15) / 16};
    case Layout::kNchw8c: return {8, (channels + 7) / 8};
  }
  return {1, channels};
}

template <class T>
class Reorder : public PreparedKernel {
 public:
  explicit Reorder(const KernelRequest& request)
      : from_(side_of(request.inputs[0])), to_(side_of(request.outputs[0])) {
    const Dims& dims = request.inputs[0].dims;
    batch_ = dims[0];
    channels_ = dims[1];
    for (size_t i = 2; i < dims.size(); ++i) inner_ *= dims[i];
  }

  // One task per image and 16 channels.
  void run(const KernelIo& io) const override {
    const int64_t groups = (channels_ + 15) / 16;
    const T* const x = static_cast<const T*>(io.inputs[0]);
    T* const y = static_cast<T*>(io.outputs[0]);
    io.pool->parallel_for(static_cast<size_t>(batch_ * groups), [&](size_t index, int) {
      const int64_t i = static_cast<int64_t>(index);
      const T* const image = x + i / groups * from_.blocks * from_.block * inner_;
      T* const out = y + i / groups * to_.blocks * to_.block * inner_;
      const int64_t first = i % groups * 16;
      for (int64_t c = first; c < std::min(first + 16, channels_); ++c) {
        copy_channel(image + start(from_, c), out + start(to_, c));
      }
      clear_padding(out, first + 16);
    });
  }

 private:
  int64_t start(const Side& side, int64_t c) const {
    return c / side.block * side.block * inner_ + c % side.block;
  }

  void copy_channel(const T* from, T* to) const {
    if (from_.block == 1 && to_.block == 1) {
      std::memcpy(to, from, static_cast<size_t>(inner_) * sizeof(T));
      return;
    }
    for (int64_t i = 0; i < inner_; ++i) to[i * to_.block] = from[i * from_.block];
  }

  void clear_padding(T* out, int64_t end) const {
    for (int64_t c = channels_; c < std::min(end, to_.blocks * to_.block); ++c) {
      T* const to = out + start(to_, c);
      for (int64_t i = 0; i < inner_; ++i) to[i * to_.block] = 0;
    }
  }

  Side from_, to_;
  int64_t batch_ = 1, channels_ = 1, inner_ = 1;
};

size_t item_bytes(DType dtype) {
  return dtype == DType::kUint8 || dtype == DType::kInt8 ? 1 : dtype == DType::kFloat32 ? 4 : 0;
}

bool supports(const KernelRequest& request) {
  if (request.inputs.size() != 1 || request.outputs.size() != 1 ||
      item_bytes(request.inputs[0].dtype) == 0 ||
      request.inputs[0].dtype != request.outputs[0].dtype) {
    return false;
  }
  const TensorSpec& x = request.inputs[0];
  const auto count = checked_element_count(x.dims);
  return x.dims == request.outputs[0].dims && x.dims.size() >= 2 && count.ok() && *count > 0;
}

Created create(const KernelRequest& request, PackedBytes) {
  if (item_bytes(request.inputs[0].dtype) == 1) {
    return Created(std::make_unique<Reorder<uint8_t>>(request));
  }
  return Created(std::make_unique<Reorder<uint32_t>>(request));
}

constexpr KernelImplementation kImplementations[] = {
    {"reorder", "edgewright", "Reorder", supports, nullptr, create},
};

}  // namespace

std::span<const KernelImplementation> reorder_implementations() { return kImplementations; }

}  // namespace edgewright
