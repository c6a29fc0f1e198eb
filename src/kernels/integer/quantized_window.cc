// edgewright::QuantizedAveragePool and QuantizedResize: means and interpolations of bytes that stay
// bytes. Attributes are listed in passes/lowering.h.
#include <algorithm>
#include <cmath>

#include "kernels/integer/quantized_kernels.h"
#include "kernels/integer/window_bytes.h"

namespace edgewright {
namespace {

// The image as both operators see it: planes of height x width positions of `inner` bytes.
struct ImageShape {
  int64_t planes = 1, inner = 1;
  int64_t in_height = 1, in_width = 1, out_height = 1, out_width = 1;
  DType in = DType::kUint8, out = DType::kUint8;
  float x_zero = 0, factor = 1, y_zero = 0;  // of a mean: (mean - x_zero) * factor + y_zero
};

Error not_this(const char* what) { return unsupported("window over bytes: {}", what); }

Status read_scales(const KernelRequest& request, ImageShape& s) {
  const Attributes& a = *request.attributes;
  const float x_scale = a.get_float("x_scale", 1.0f), y_scale = a.get_float("y_scale", 1.0f);
  if (!(x_scale > 0) || !(y_scale > 0) || !std::isfinite(x_scale) || !std::isfinite(y_scale)) {
    return not_this("a scale is not usable");
  }
  s.x_zero = static_cast<float>(a.get_int("x_zero", 0));
  const bool bytes = s.out != DType::kFloat32;
  s.factor = bytes ? x_scale / y_scale : x_scale;
  s.y_zero = bytes ? static_cast<float>(a.get_int("y_zero", 0)) : 0;
  return {};
}

Result<ImageShape> parse_image(const KernelRequest& request) {
  if (request.inputs.size() != 1 || request.outputs.size() != 1 || request.attributes == nullptr) {
    return not_this("another number of inputs");
  }
  const TensorSpec& x = request.inputs[0];
  const TensorSpec& y = request.outputs[0];
  const size_t rank = x.dims.size();
  constexpr int64_t kLargest = int64_t{1} << 24;
  const auto usable = [&](const Dims& dims) {
    return std::ranges::all_of(dims, [](int64_t dim) { return dim > 0 && dim <= kLargest; });
  };
  if (rank < 3 || rank > 4 || y.dims.size() != rank || x.layout != y.layout ||
      (x.layout != Layout::kPlain && x.layout != Layout::kNhwc) || x.dims[0] != y.dims[0] ||
      x.dims[1] != y.dims[1] || !usable(x.dims) || !usable(y.dims)) {
    return not_this("not over one or two axes of an image");
  }
  ImageShape s;
  const bool plain = x.layout == Layout::kPlain;
  s.planes = x.dims[0] * (plain ? x.dims[1] : 1);
  s.inner = plain ? 1 : x.dims[1];
  s.in_width = x.dims[rank - 1];
  s.out_width = y.dims[rank - 1];
  s.in_height = rank == 4 ? x.dims[2] : 1;
  s.out_height = rank == 4 ? y.dims[2] : 1;
  s.in = x.dtype;
  s.out = y.dtype;
  if (window_functions(s.in, s.out).sum == nullptr) return not_this("types");
  EDGEWRIGHT_TRY(read_scales(request, s));
  return s;
}

// Rows of all planes of the output, some at a time.
template <class Row>
void for_each_row(const ImageShape& s, ThreadPool& pool, Row row) {
  const int64_t rows = s.planes * s.out_height;
  const int64_t at_once = std::clamp<int64_t>(8192 / (s.out_width * s.inner), 1, rows);
  const int64_t tasks = (rows + at_once - 1) / at_once;
  pool.parallel_for(static_cast<size_t>(tasks), [&](size_t task, int) {
    const int64_t first = static_cast<int64_t>(task) * at_once;
    for (int64_t i = first; i < std::min(first + at_once, rows); ++i) {
      row(i / s.out_height, i % s.out_height);
    }
  });
}

const std::byte* plane_of(const ImageShape& s, const KernelIo& io, int64_t plane) {
  return static_cast<const std::byte*>(io.inputs[0]) + plane * s.in_height * s.in_width * s.inner;
}
std::byte* row_of(const ImageShape& s, const KernelIo& io, int64_t plane, int64_t y) {
  const int64_t bytes = s.out == DType::kFloat32 ? 4 : 1;
  return static_cast<std::byte*>(io.outputs[0]) +
         (plane * s.out_height + y) * s.out_width * s.inner * bytes;
}

struct PoolAxis {
  int64_t in = 1, kernel = 1, stride = 1, pad = 0, pad_end = 0;
  int64_t begin(int64_t i) const { return std::max<int64_t>(i * stride - pad, 0); }
  int64_t end(int64_t i) const { return std::min(i * stride - pad + kernel, in); }
  // Positions that count for an average over padding too.
  int64_t padded_size(int64_t i) const {
    return std::min(i * stride - pad + kernel, in + pad_end) - (i * stride - pad);
  }
};

struct PoolShape {
  ImageShape image;
  PoolAxis y, x;
  bool count_padding = false;
};

Result<PoolShape> parse_pool(const KernelRequest& request) {
  PoolShape s;
  EDGEWRIGHT_ASSIGN(s.image, parse_image(request));
  const size_t axes = request.inputs[0].dims.size() - 2;
  const Attributes& a = *request.attributes;
  const auto kernel = a.get_ints("kernel_shape"), strides = a.get_ints("strides");
  const auto pads = a.get_ints("pads");
  if (kernel.size() != axes || strides.size() != axes || pads.size() != 2 * axes) {
    return not_this("attributes of the wrong length");
  }
  const auto axis_of = [&](size_t i, int64_t in) {
    return PoolAxis{in, kernel[i], strides[i], pads[i], pads[i + axes]};
  };
  s.x = axis_of(axes - 1, s.image.in_width);
  if (axes == 2) s.y = axis_of(0, s.image.in_height);
  s.count_padding = a.get_int("count_include_pad", 0) != 0;
  constexpr int64_t kLargest = int64_t{1} << 24;
  const auto fits = [](const PoolAxis& axis, int64_t out) {
    return axis.kernel > 0 && axis.kernel <= kLargest && axis.stride > 0 &&
           axis.stride <= kLargest && axis.pad >= 0 && axis.pad < axis.kernel &&
           axis.pad_end >= 0 && axis.pad_end < axis.kernel && axis.begin(out - 1) < axis.in;
  };
  if (!fits(s.y, s.image.out_height) || !fits(s.x, s.image.out_width)) {
    return not_this("sizes that do not fit");
  }
  return s;
}

class QuantizedAveragePool : public PreparedKernel {
 public:
  explicit QuantizedAveragePool(const PoolShape& shape)
      : s_(shape), sum_(window_functions(shape.image.in, shape.image.out).sum) {}

  void run(const KernelIo& io) const override {
    const ImageShape& image = s_.image;
    for_each_row(image, *io.pool, [&](int64_t plane, int64_t y) { run_row(io, plane, y); });
  }

 private:
  void run_row(const KernelIo& io, int64_t plane, int64_t y) const {
    const ImageShape& image = s_.image;
    const std::byte* const in = plane_of(image, io, plane);
    std::byte* out = row_of(image, io, plane, y);
    const int64_t step = image.inner * (image.out == DType::kFloat32 ? 4 : 1);
    ByteWindow window;
    window.row_step = image.in_width * image.inner;
    window.column_step = image.inner;
    window.inner = static_cast<size_t>(image.inner);
    const int64_t top = s_.y.begin(y);
    window.rows = static_cast<size_t>(s_.y.end(y) - top);
    for (int64_t x = 0; x < image.out_width; ++x, out += step) {
      const int64_t left = s_.x.begin(x);
      window.in = in + (top * image.in_width + left) * image.inner;
      window.columns = static_cast<size_t>(s_.x.end(x) - left);
      const auto seen = static_cast<float>(window.rows * window.columns);
      const float count =
          s_.count_padding ? static_cast<float>(s_.y.padded_size(y) * s_.x.padded_size(x)) : seen;
      const float scale = image.factor / count;
      sum_(window, {scale, image.y_zero - image.x_zero * seen * scale}, out);
    }
  }

  PoolShape s_;
  void (*sum_)(const ByteWindow&, const ByteMean&, void*);
};

// Where an output position lies between two input positions.
struct Between {
  int64_t first = 0, second = 0;
  float share = 0;  // of the second
};

// Formulas of the ONNX specification of Resize.
std::vector<Between> positions_of(int64_t in, int64_t out, std::string_view mode) {
  std::vector<Between> positions;
  const double scale = static_cast<double>(out) / static_cast<double>(in);
  for (int64_t i = 0; i < out; ++i) {
    const auto x = static_cast<double>(i);
    double at = (x + 0.5) / scale - 0.5;
    if (mode == "asymmetric") at = x / scale;
    if (mode == "align_corners") {
      at = out == 1 ? 0 : x * static_cast<double>(in - 1) / static_cast<double>(out - 1);
    }
    if (mode == "pytorch_half_pixel" && out == 1) at = 0;
    const double whole = std::floor(at);
    const auto first = static_cast<int64_t>(whole);
    positions.push_back({std::clamp<int64_t>(first, 0, in - 1),
                         std::clamp<int64_t>(first + 1, 0, in - 1),
                         static_cast<float>(at - whole)});
  }
  return positions;
}

class QuantizedResize : public PreparedKernel {
 public:
  QuantizedResize(const ImageShape& shape, std::string_view mode)
      : s_(shape),
        rows_(positions_of(shape.in_height, shape.out_height, mode)),
        columns_(positions_of(shape.in_width, shape.out_width, mode)),
        blend_(window_functions(shape.in, shape.out).blend) {}

  void run(const KernelIo& io) const override {
    for_each_row(s_, *io.pool, [&](int64_t plane, int64_t y) { run_row(io, plane, y); });
  }

 private:
  void run_row(const KernelIo& io, int64_t plane, int64_t y) const {
    const Between& row = rows_[static_cast<size_t>(y)];
    const int64_t pitch = s_.in_width * s_.inner;
    const std::byte* const top = plane_of(s_, io, plane) + row.first * pitch;
    const std::byte* const bottom = plane_of(s_, io, plane) + row.second * pitch;
    std::byte* out = row_of(s_, io, plane, y);
    const int64_t step = s_.inner * (s_.out == DType::kFloat32 ? 4 : 1);
    const ByteMean mean = {s_.factor, s_.y_zero - s_.x_zero * s_.factor};
    ByteNeighbours near;
    near.down = row.share;
    near.inner = static_cast<size_t>(s_.inner);
    for (const Between& column : columns_) {
      near.at[0] = top + column.first * s_.inner;
      near.at[1] = top + column.second * s_.inner;
      near.at[2] = bottom + column.first * s_.inner;
      near.at[3] = bottom + column.second * s_.inner;
      near.right = column.share;
      blend_(near, mean, out);
      out += step;
    }
  }

  ImageShape s_;
  std::vector<Between> rows_, columns_;
  void (*blend_)(const ByteNeighbours&, const ByteMean&, void*);
};

std::string mode_of(const KernelRequest& request) {
  return request.attributes->get_string("coordinate_transformation_mode", "half_pixel");
}

bool supports_pool(const KernelRequest& request) { return parse_pool(request).ok(); }
Created create_pool(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(const PoolShape shape, parse_pool(request));
  return Created(std::make_unique<QuantizedAveragePool>(shape));
}

bool supports_resize(const KernelRequest& request) {
  constexpr std::string_view kModes[] = {"half_pixel", "pytorch_half_pixel", "asymmetric",
                                         "align_corners"};
  return parse_image(request).ok() &&
         std::ranges::find(kModes, mode_of(request)) != std::end(kModes);
}
Created create_resize(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(const ImageShape shape, parse_image(request));
  return Created(std::make_unique<QuantizedResize>(shape, mode_of(request)));
}

}  // namespace

ImplementationFunctions quantized_average_pool() { return {supports_pool, nullptr, create_pool}; }
ImplementationFunctions quantized_resize() { return {supports_resize, nullptr, create_resize}; }

}  // namespace edgewright
