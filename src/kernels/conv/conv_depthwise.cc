// Depthwise convolution: every channel with a filter of its own, 16 channels side by side.
#include <algorithm>
#include <cstring>

#include "kernels/conv/conv_kernels.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/conv/depthwise_row.h"

namespace edgewright {
namespace {

// Rows up to this long are copied with their borders of zeros: near the edges of a small image the
// outputs that lack a tap or two would otherwise cost as much as all others.
constexpr int64_t kBorderedWidth = 20;
// What a task copies stays in the first-level cache.
constexpr int64_t kBorderedBytes = 24 << 10;

class ConvDepthwise : public PreparedKernel {
 public:
  ConvDepthwise(const ConvShape& shape, PackedBytes packed, int threads)
      : s_(shape), threads_(std::max(threads, 1)) {
    weights_ = reinterpret_cast<const float*>(packed.data());
    bias_ = weights_ + s_.out_blocks() * taps() * 16;
    bordered_ =
        s_.stride_x == 1 && s_.pad_left + s_.pad_right > 0 && s_.padded_width() <= kBorderedWidth;
    const int64_t row_cost = s_.out_width * taps();
    rows_per_task_ = std::clamp<int64_t>(16384 / row_cost, 1, s_.out_height);
    if (bordered_) {
      const int64_t rows = kBorderedBytes / (s_.padded_width() * 64);
      rows_per_task_ = std::clamp<int64_t>((rows - span_y()) / s_.stride_y + 1, 1, rows_per_task_);
    }
  }

  size_t scratch_size_bytes() const override {
    return bordered_ ? static_cast<size_t>(threads_ * bordered_floats()) * sizeof(float) : 0;
  }

  void run(const KernelIo& io) const override {
    const int64_t cuts = (s_.out_height + rows_per_task_ - 1) / rows_per_task_;
    const int64_t tasks = s_.batch * s_.out_blocks() * cuts;
    io.pool->parallel_for(static_cast<size_t>(tasks), [&](size_t index, int worker) {
      const int64_t i = static_cast<int64_t>(index);
      const int64_t plane = i / cuts, first = i % cuts * rows_per_task_;
      const int64_t end = std::min(first + rows_per_task_, s_.out_height);
      Image image = {
          static_cast<const float*>(io.inputs[0]) + plane * s_.in_height * s_.in_width * 16, 0,
          s_.in_width, s_.pad_left};
      if (bordered_) {
        float* const scratch = static_cast<float*>(io.scratch) + worker * bordered_floats();
        image = copy_rows(image, scratch, first, end);
      }
      for (int64_t y = first; y < end; ++y) run_row(io, image, plane, y);
    });
  }

 private:
  // Rows of one channel block of the input, from first_row on.
  struct Image {
    const float* rows;
    int64_t first_row, width, pad_left;
  };

  int64_t taps() const { return s_.kernel_height * s_.kernel_width; }
  int64_t span_y() const { return (s_.kernel_height - 1) * s_.dilation_y + 1; }
  int64_t bordered_floats() const {
    return ((rows_per_task_ - 1) * s_.stride_y + span_y()) * s_.padded_width() * 16;
  }

  // The input rows of outputs [first, end), with borders left and right.
  Image copy_rows(const Image& image, float* to, int64_t first, int64_t end) const {
    const int64_t begin = std::clamp<int64_t>(first * s_.stride_y - s_.pad_top, 0, s_.in_height);
    const int64_t last =
        std::clamp<int64_t>((end - 1) * s_.stride_y - s_.pad_top + span_y(), begin, s_.in_height);
    const Image copied = {to, begin, s_.padded_width(), 0};
    const int64_t row = s_.in_width * 16;
    for (int64_t y = begin; y < last; ++y) {
      to = std::fill_n(to, s_.pad_left * 16, 0.0f);
      std::memcpy(to, image.rows + y * row, static_cast<size_t>(row) * sizeof(float));
      to = std::fill_n(to + row, s_.pad_right * 16, 0.0f);
    }
    return copied;
  }

  void run_row(const KernelIo& io, const Image& image, int64_t plane, int64_t y) const {
    const int64_t block = plane % s_.out_blocks();
    const int64_t top = y * s_.stride_y - s_.pad_top;
    // Kernel rows [first, last) are inside the image.
    const int64_t first = top >= 0 ? 0 : (-top + s_.dilation_y - 1) / s_.dilation_y;
    int64_t last = s_.kernel_height;
    while (last > first && top + (last - 1) * s_.dilation_y >= s_.in_height) --last;
    const int64_t at = (plane * s_.out_height + y) * s_.out_width * 16;
    DepthwiseRow row;
    row.kernel_rows = std::max<int64_t>(last - first, 0);
    if (row.kernel_rows > 0) {
      row.in = image.rows + (top + first * s_.dilation_y - image.first_row) * image.width * 16;
      row.w = weights_ + (block * s_.kernel_height + first) * s_.kernel_width * 16;
    } else {
      row.in = image.rows;
      row.w = weights_;
    }
    row.row_step = s_.dilation_y * image.width * 16;
    row.kernel_columns = s_.kernel_width;
    row.in_width = image.width;
    row.out_width = s_.out_width;
    row.stride = s_.stride_x;
    row.dilation = s_.dilation_x;
    row.pad_left = image.pad_left;
    row.bias = bias_ + block * 16;
    row.residual_first = s_.epilogue.residual_before_activation;
    const float* const residual =
        s_.has_residual ? static_cast<const float*>(io.inputs[3]) + at : nullptr;
    const bool late = !s_.epilogue.is_clamp() && !row.residual_first;
    row.residual = late ? nullptr : residual;
    row.low = s_.epilogue.low();
    row.high = s_.epilogue.high();
    row.out = static_cast<float*>(io.outputs[0]) + at;
    depthwise_row(row);
    if (s_.epilogue.is_clamp()) return;
    apply_activation(s_.epilogue, row.out, late ? residual : nullptr, 1,
                     static_cast<size_t>(s_.out_width) * 16, 0);
  }

  ConvShape s_;
  int threads_;
  const float* weights_;
  const float* bias_;
  bool bordered_ = false;
  int64_t rows_per_task_ = 1;
};

bool supports(const KernelRequest& request) {
  const auto s = parse_conv(request);
  return s.ok() && s->is_depthwise() && s->in_layout == Layout::kNchw16c &&
         s->out_layout == Layout::kNchw16c && has_constant_weights(request) &&
         keeps_padding_zero(*s);
}

int64_t packed_floats(const ConvShape& s) {
  return (s.kernel_height * s.kernel_width + 1) * s.out_blocks() * 16;
}

// [channel block][ky][kx][16], then the bias.
Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse_conv(request));
  EDGEWRIGHT_ASSIGN(Tensor packed, Tensor::allocate(DType::kUint8, {packed_floats(s) * 4}));
  float* const out = reinterpret_cast<float*>(packed.mutable_bytes());
  const float* const w = request.inputs[1].constant->data<float>();
  const int64_t taps = s.kernel_height * s.kernel_width;
  for (int64_t c = 0; c < s.out_channels; ++c) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      out[(c / 16 * taps + tap) * 16 + c % 16] = w[c * taps + tap];
    }
  }
  pack_bias(request, s.out_channels, out + s.out_blocks() * taps * 16);
  return packed;
}

Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse_conv(request));
  if (packed.size() != static_cast<size_t>(packed_floats(s)) * sizeof(float)) {
    return bad_input("packed weights of a depthwise convolution have {} bytes", packed.size());
  }
  return Created(std::make_unique<ConvDepthwise>(s, packed, request.threads));
}

}  // namespace

ImplementationFunctions conv_depthwise() { return {supports, pack, create}; }

}  // namespace edgewright
