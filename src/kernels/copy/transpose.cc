// Transpose of plain tensors. Axes that stay neighbours are joined first; what remains is copied in
// runs where the innermost axis stays innermost, else in square tiles that both sides read and
// write by whole cache lines.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/copy/mapped_copy.h"
#include "kernels/families.h"

namespace edgewright {
namespace {

constexpr size_t kMaxAxes = 8;

// Output axes outermost first: sizes and distances in the input, in elements.
struct TransposeShape {
  Dims dims;
  Dims strides;
};

Result<TransposeShape> parse_transpose(const KernelRequest& request) {
  const Dims& in = request.inputs[0].dims;
  const size_t rank = in.size();
  std::vector<int64_t> order = request.attributes->get_ints("perm");
  if (order.empty()) {
    order.resize(rank);
    std::iota(order.rbegin(), order.rend(), 0);
  }
  std::vector<int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i] != static_cast<int64_t>(i)) return unsupported("Transpose: no permutation");
  }
  if (order.size() != rank) return unsupported("Transpose: no permutation");
  const auto strides = row_major_strides(in);
  TransposeShape s;
  for (size_t i = 0; i < rank; ++i) {
    const size_t axis = static_cast<size_t>(order[i]);
    if (in[axis] != request.outputs[0].dims[i]) return unsupported("Transpose: shapes differ");
    if (in[axis] == 1) continue;
    if (!s.dims.empty() && s.strides.back() == strides[axis] * in[axis]) {
      s.dims.back() *= in[axis];
      s.strides.back() = strides[axis];
    } else {
      s.dims.push_back(in[axis]);
      s.strides.push_back(strides[axis]);
    }
  }
  if (s.dims.empty()) {
    s.dims = {1};
    s.strides = {1};
  }
  if (s.dims.size() > kMaxAxes) return unsupported("Transpose: many axes");
  return s;
}

template <class T>
class Transpose : public PreparedKernel {
 public:
  explicit Transpose(TransposeShape shape) : s_(std::move(shape)) {
    // The axis of the output along which the input is contiguous, and the output's own innermost.
    const size_t last = s_.dims.size() - 1;
    const auto unit = std::find(s_.strides.begin(), s_.strides.end(), 1);
    across_ = unit == s_.strides.end() ? last : static_cast<size_t>(unit - s_.strides.begin());
    Dims out = row_major_strides(s_.dims);
    for (size_t axis = 0; axis < last; ++axis) {
      if (axis == across_) continue;
      outer_.push_back({s_.dims[axis], s_.strides[axis], out[axis]});
      outer_count_ *= s_.dims[axis];
    }
    tiled_ = across_ != last;
    rows_ = tiled_ ? s_.dims[across_] : 1;
    columns_ = s_.dims[last];
    column_stride_ = s_.strides[last];
    row_step_ = out[across_];
  }

  void run(const KernelIo& io) const override {
    const T* const x = static_cast<const T*>(io.inputs[0]);
    T* const y = static_cast<T*>(io.outputs[0]);
    const int64_t size = rows_ * columns_;
    const int64_t per_task = std::max<int64_t>(1, 16384 / size);
    const int64_t tasks = (outer_count_ + per_task - 1) / per_task;
    io.pool->parallel_for(static_cast<size_t>(tasks), [&](size_t task, int) {
      const int64_t first = static_cast<int64_t>(task) * per_task;
      for (int64_t i = first; i < std::min(first + per_task, outer_count_); ++i) {
        int64_t rest = i, in = 0, out = 0;
        for (size_t axis = outer_.size(); axis-- > 0;) {
          const int64_t at = rest % outer_[axis].size;
          rest /= outer_[axis].size;
          in += at * outer_[axis].in;
          out += at * outer_[axis].out;
        }
        copy_plane(x + in, y + out);
      }
    });
  }

 private:
  struct Axis {
    int64_t size, in, out;
  };

  void copy_plane(const T* x, T* y) const {
    if (!tiled_) {
      if (column_stride_ == 1) {
        std::memcpy(y, x, static_cast<size_t>(columns_) * sizeof(T));
      } else {
        for (int64_t j = 0; j < columns_; ++j) y[j] = x[j * column_stride_];
      }
      return;
    }
    constexpr int64_t kTile = 16;
    for (int64_t i0 = 0; i0 < rows_; i0 += kTile) {
      const int64_t i1 = std::min(i0 + kTile, rows_);
      for (int64_t j0 = 0; j0 < columns_; j0 += kTile) {
        const int64_t j1 = std::min(j0 + kTile, columns_);
        for (int64_t i = i0; i < i1; ++i) {
          for (int64_t j = j0; j < j1; ++j) y[i * row_step_ + j] = x[i + j * column_stride_];
        }
      }
    }
  }

  TransposeShape s_;
  std::vector<Axis> outer_;
  int64_t outer_count_ = 1;
  size_t across_ = 0;
  bool tiled_ = false;
  int64_t rows_ = 1, columns_ = 1, column_stride_ = 1, row_step_ = 1;
};

bool supports(const KernelRequest& request) {
  if (request.inputs.size() != 1 || request.outputs.size() != 1 || !is_plain(request)) return false;
  const TensorSpec& x = request.inputs[0];
  const size_t bytes = copyable_bytes(x.dtype);
  const auto count = checked_element_count(x.dims);
  return x.dtype == request.outputs[0].dtype && count.ok() && *count > 0 &&
         x.dims.size() == request.outputs[0].dims.size() &&
         (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) && parse_transpose(request).ok();
}

Created create(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(TransposeShape shape, parse_transpose(request));
  switch (copyable_bytes(request.inputs[0].dtype)) {
    case 1: return Created(std::make_unique<Transpose<uint8_t>>(std::move(shape)));
    case 2: return Created(std::make_unique<Transpose<uint16_t>>(std::move(shape)));
    case 4: return Created(std::make_unique<Transpose<uint32_t>>(std::move(shape)));
    default: return Created(std::make_unique<Transpose<uint64_t>>(std::move(shape)));
  }
}

constexpr KernelImplementation kImplementations[] = {
    {"transpose_tiled", "", "Transpose", supports, nullptr, create},
};

}  // namespace

std::span<const KernelImplementation> transpose_implementations() { return kImplementations; }

}  // namespace edgewright
