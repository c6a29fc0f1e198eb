// Depthwise convolution: every channel with a filter of its own, 16 channels side by side.
#include <algorithm>

#include "kernels/conv/conv_kernels.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/conv/depthwise_row.h"

namespace edgewright {
namespace {

class ConvDepthwise : public PreparedKernel {
 public:
  ConvDepthwise(const ConvShape& shape, PackedBytes packed) : s_(shape) {
    weights_ = reinterpret_cast<const float*>(packed.data());
    bias_ = weights_ + s_.out_blocks() * taps() * 16;
    const int64_t row_cost = s_.out_width * taps();
    rows_per_task_ = std::clamp<int64_t>(4096 / row_cost, 1, s_.out_height);
  }

  void run(const KernelIo& io) const override {
    const int64_t cuts = (s_.out_height + rows_per_task_ - 1) / rows_per_task_;
    const int64_t tasks = s_.batch * s_.out_blocks() * cuts;
    io.pool->parallel_for(static_cast<size_t>(tasks), [&](size_t index, int) {
      const int64_t i = static_cast<int64_t>(index);
      const int64_t first = i % cuts * rows_per_task_;
      for (int64_t y = first; y < std::min(first + rows_per_task_, s_.out_height); ++y) {
        run_row(io, i / cuts, y);
      }
    });
  }

 private:
  int64_t taps() const { return s_.kernel_height * s_.kernel_width; }

  void run_row(const KernelIo& io, int64_t plane, int64_t y) const {
    const int64_t block = plane % s_.out_blocks();
    const int64_t top = y * s_.stride_y - s_.pad_top;
    // Kernel rows [first, last) are inside the image.
    const int64_t first = top >= 0 ? 0 : (-top + s_.dilation_y - 1) / s_.dilation_y;
    int64_t last = s_.kernel_height;
    while (last > first && top + (last - 1) * s_.dilation_y >= s_.in_height) --last;
    const int64_t in_row = s_.in_width * 16;
    const int64_t at = (plane * s_.out_height + y) * s_.out_width * 16;
    DepthwiseRow row;
    row.kernel_rows = std::max<int64_t>(last - first, 0);
    row.in = static_cast<const float*>(io.inputs[0]) +
             (plane * s_.in_height + (row.kernel_rows > 0 ? top + first * s_.dilation_y : 0)) *
                 in_row;
    row.row_step = s_.dilation_y * in_row;
    row.w = weights_ + (block * s_.kernel_height + (row.kernel_rows > 0 ? first : 0)) *
                           s_.kernel_width * 16;
    row.kernel_columns = s_.kernel_width;
    row.in_width = s_.in_width;
    row.out_width = s_.out_width;
    row.stride = s_.stride_x;
    row.dilation = s_.dilation_x;
    row.pad_left = s_.pad_left;
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
  const float* weights_;
  const float* bias_;
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
  return Created(std::make_unique<ConvDepthwise>(s, packed));
}

}  // namespace

ImplementationFunctions conv_depthwise() { return {supports, pack, create}; }

}  // namespace edgewright
