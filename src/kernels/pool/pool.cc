#include <algorithm>
#include <type_traits>

#include "kernels/families.h"
#include "kernels/implementation.h"
#include "kernels/pool/pool_pixel.h"

namespace edgewright {
namespace {

struct PoolAxis {
  int64_t in = 1, out = 1, kernel = 1, stride = 1, pad = 0, pad_end = 0;

  // First position and number of positions of window i inside the input.
  int64_t begin(int64_t i) const { return std::max<int64_t>(i * stride - pad, 0); }
  int64_t end(int64_t i) const { return std::min(i * stride - pad + kernel, in); }
  // Positions that count for an average over padding too.
  int64_t padded_size(int64_t i) const {
    return std::min(i * stride - pad + kernel, in + pad_end) - (i * stride - pad);
  }
};

struct PoolShape {
  int64_t planes = 1;  // images times channels (plain) or channel blocks, or images (NHWC)
  int64_t inner = 1;   // numbers a position
  PoolAxis y, x;
  DType dtype = DType::kFloat32;
  bool average = false;
  bool count_padding = false;
};

Status parse_axes(const KernelRequest& request, PoolShape& s) {
  const Dims& in = request.inputs[0].dims;
  const Dims& out = request.outputs[0].dims;
  const size_t axes = in.size() - 2;
  const Attributes& attributes = *request.attributes;
  auto kernel = attributes.get_ints("kernel_shape");
  auto strides = attributes.get_ints("strides", std::vector<int64_t>(axes, 1));
  auto pads = attributes.get_ints("pads", std::vector<int64_t>(2 * axes, 0));
  if (request.op == "GlobalAveragePool" || request.op == "GlobalMaxPool") {
    kernel.assign(in.begin() + 2, in.end());
    strides.assign(axes, 1);
    pads.assign(2 * axes, 0);
  }
  if (strides.empty()) strides.assign(axes, 1);
  if (pads.empty()) pads.assign(2 * axes, 0);
  if (kernel.size() != axes || strides.size() != axes || pads.size() != 2 * axes) {
    return unsupported("pool: attributes of the wrong length");
  }
  for (const int64_t dilation : attributes.get_ints("dilations")) {
    if (dilation != 1) return unsupported("pool: dilations");
  }
  const std::string mode = attributes.get_string("auto_pad", "NOTSET");
  if (mode != "NOTSET" && mode != "VALID" && !mode.empty()) return unsupported("pool: auto_pad");
  for (size_t i = 0; i < axes; ++i) {
    PoolAxis& axis = i + 1 == axes ? s.x : s.y;
    axis = {in[i + 2], out[i + 2], kernel[i], strides[i], pads[i], pads[i + axes]};
    constexpr int64_t kLargest = 1 << 24;
    if (axis.kernel <= 0 || axis.kernel > kLargest || axis.stride <= 0 || axis.stride > kLargest ||
        axis.in <= 0 || axis.in > kLargest || axis.out <= 0 || axis.out > kLargest ||
        axis.pad < 0 || axis.pad >= axis.kernel || axis.pad_end < 0 ||
        axis.pad_end >= axis.kernel || axis.begin(axis.out - 1) >= axis.in) {
      return unsupported("pool: sizes that do not fit");
    }
  }
  return {};
}

Result<PoolShape> parse_pool(const KernelRequest& request) {
  if (request.inputs.size() != 1 || request.outputs.size() != 1) {
    return unsupported("pool: indices wanted");
  }
  const TensorSpec& x = request.inputs[0];
  const TensorSpec& y = request.outputs[0];
  // Averages of bytes need their scale and their zero point.
  const bool bytes =
      request.op == "MaxPool" && (x.dtype == DType::kUint8 || x.dtype == DType::kInt8);
  if (x.dtype != y.dtype || (x.dtype != DType::kFloat32 && !bytes)) {
    return unsupported("pool: type");
  }
  const size_t rank = x.dims.size();
  if (rank < 3 || rank > 4 || y.dims.size() != rank || x.dims[0] != y.dims[0] ||
      x.dims[1] != y.dims[1] || x.layout != y.layout) {
    return unsupported("pool: not over one or two axes");
  }
  PoolShape s;
  s.dtype = x.dtype;
  if (x.layout == Layout::kPlain) {
    s.planes = x.dims[0] * x.dims[1];
  } else if (x.layout == Layout::kNchw16c) {
    s.planes = x.dims[0] * ((x.dims[1] + 15) / 16);
    s.inner = 16;
  } else if (x.layout == Layout::kNhwc) {
    s.planes = x.dims[0];
    s.inner = x.dims[1];
  } else {
    return unsupported("pool: layout");
  }
  s.average = request.op == "AveragePool" || request.op == "GlobalAveragePool";
  s.count_padding = request.attributes->get_int("count_include_pad", 0) != 0;
  EDGEWRIGHT_TRY(parse_axes(request, s));
  return s;
}

template <class T>
class Pool : public PreparedKernel {
 public:
  explicit Pool(const PoolShape& shape) : s_(shape) {}

  void run(const KernelIo& io) const override {
    const int64_t rows_per_task =
        std::clamp<int64_t>(4096 / (s_.x.out * s_.x.kernel * s_.y.kernel), 1, s_.y.out);
    const int64_t cuts = (s_.y.out + rows_per_task - 1) / rows_per_task;
    io.pool->parallel_for(static_cast<size_t>(s_.planes * cuts), [&](size_t index, int) {
      const int64_t i = static_cast<int64_t>(index);
      const int64_t first = i % cuts * rows_per_task;
      for (int64_t y = first; y < std::min(first + rows_per_task, s_.y.out); ++y) {
        run_row(io, i / cuts, y);
      }
    });
  }

 private:
  void run_row(const KernelIo& io, int64_t plane, int64_t y) const {
    const T* const image =
        static_cast<const T*>(io.inputs[0]) + plane * s_.y.in * s_.x.in * s_.inner;
    T* out = static_cast<T*>(io.outputs[0]) + (plane * s_.y.out + y) * s_.x.out * s_.inner;
    const int64_t top = s_.y.begin(y);
    PoolWindowOf<T> window;
    window.row_step = s_.x.in * s_.inner;
    window.column_step = s_.inner;
    window.inner = static_cast<size_t>(s_.inner);
    window.rows = static_cast<size_t>(s_.y.end(y) - top);
    for (int64_t x = 0; x < s_.x.out; ++x, out += s_.inner) {
      const int64_t left = s_.x.begin(x);
      window.in = image + (top * s_.x.in + left) * s_.inner;
      window.columns = static_cast<size_t>(s_.x.end(x) - left);
      if (!s_.average) {
        pool_maximum(window, out);
        continue;
      }
      if constexpr (std::is_same_v<T, float>) {
        const int64_t count = s_.count_padding ? s_.y.padded_size(y) * s_.x.padded_size(x)
                                               : static_cast<int64_t>(window.rows * window.columns);
        pool_average(window, 1.0f / static_cast<float>(count), out);
      }
    }
  }

  PoolShape s_;
};

bool supports(const KernelRequest& request) {
  return !request.inputs.empty() && request.inputs[0].dtype == DType::kFloat32 &&
         parse_pool(request).ok();
}
bool supports_bytes(const KernelRequest& request) {
  return !request.inputs.empty() && request.inputs[0].dtype != DType::kFloat32 &&
         parse_pool(request).ok();
}

Created create(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(const PoolShape shape, parse_pool(request));
  if (shape.dtype == DType::kUint8) return Created(std::make_unique<Pool<uint8_t>>(shape));
  if (shape.dtype == DType::kInt8) return Created(std::make_unique<Pool<int8_t>>(shape));
  return Created(std::make_unique<Pool<float>>(shape));
}

constexpr KernelImplementation kImplementations[] = {
    {"max_pool_f32_hwy", "", "MaxPool", supports, nullptr, create},
    {"max_pool_bytes_hwy", "", "MaxPool", supports_bytes, nullptr, create},
    {"average_pool_f32_hwy", "", "AveragePool", supports, nullptr, create},
    {"global_average_pool_f32_hwy", "", "GlobalAveragePool", supports, nullptr, create},
    {"global_max_pool_f32_hwy", "", "GlobalMaxPool", supports, nullptr, create},
};

}  // namespace

std::span<const KernelImplementation> pool_implementations() { return kImplementations; }

}  // namespace edgewright
