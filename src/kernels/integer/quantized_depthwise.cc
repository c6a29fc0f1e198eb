// Depthwise edgewright::QuantizedConv2d over NHWC bytes, 16 channels at a time.
#include <algorithm>

#include "kernels/integer/byte_border.h"
#include "kernels/integer/depthwise_bytes.h"
#include "kernels/integer/integer_layer.h"
#include "kernels/integer/quantized_kernels.h"
#include "kernels/integer/quantized_shape.h"

namespace edgewright {
namespace {

constexpr int64_t kPositions = 32;  // finished at once

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct DepthwiseSizes {
  int64_t panels, groups, panel_bytes, padded;
  size_t packed_bytes() const { return static_cast<size_t>(panels * panel_bytes + 3 * padded * 4); }
};
DepthwiseSizes sizes_of(const ConvShape& s) {
  const int64_t panels = divide_up(s.out_channels, 16), groups = divide_up(s.kernel_width, 4);
  return {panels, groups, s.kernel_height * groups * 64, panels * 16};
}

class QuantizedDepthwise : public PreparedKernel {
 public:
  QuantizedDepthwise(const QuantizedConvShape& shape, PackedBytes packed, int threads)
      : s_(shape.conv),
        sizes_(sizes_of(shape.conv)),
        border_(shape.conv, static_cast<uint8_t>(shape.requantisation.x_zero)),
        is_signed_(shape.x_is_signed),
        finish_(make_finish(shape.requantisation)),
        out_bytes_(shape.requantisation.out == DType::kFloat32 ? 4 : 1),
        residual_bytes_(shape.requantisation.residual == DType::kFloat32 ? 4 : 1),
        threads_(std::max(threads, 1)) {
    weights_ = reinterpret_cast<const int8_t*>(packed.data());
    const auto* scale =
        reinterpret_cast<const float*>(packed.data() + sizes_.panels * sizes_.panel_bytes);
    const float* const bias = scale + sizes_.padded;
    const auto* sums = reinterpret_cast<const int32_t*>(bias + sizes_.padded);
    bias_.assign(bias, bias + sizes_.padded);
    for (size_t c = 0; is_signed_ && c < bias_.size(); ++c) {
      bias_[c] -= static_cast<float>(128.0 * sums[c] * static_cast<double>(scale[c]));
    }
    finish_.scale = scale;
    finish_.bias = bias_.data();
    const int64_t wanted = threads_ == 1 ? 1 : divide_up(2 * int64_t{threads_}, s_.batch);
    rows_per_task_ = divide_up(s_.out_height, std::min(wanted, s_.out_height));
    for (int64_t x = 0; x < kPositions; ++x) {
      places_[x] = static_cast<int32_t>(x * s_.out_channels);
    }
  }

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_) * worker_bytes();
  }

  void run(const KernelIo& io) const override {
    const int64_t cuts = divide_up(s_.out_height, rows_per_task_);
    io.pool->parallel_for(static_cast<size_t>(s_.batch * cuts), [&](size_t index, int worker) {
      const auto i = static_cast<int64_t>(index);
      const int64_t n = i / cuts, first = i % cuts * rows_per_task_;
      const int64_t rows = std::min(rows_per_task_, s_.out_height - first);
      auto* const bordered =
          static_cast<uint8_t*>(io.scratch) + static_cast<size_t>(worker) * worker_bytes();
      const uint8_t* const image = static_cast<const uint8_t*>(io.inputs[0]) +
                                   n * s_.in_height * s_.in_width * s_.in_channels;
      border_.copy_rows(image, first * s_.stride_y, border_.input_rows(rows), bordered);
      for (int64_t y = 0; y < rows; ++y) {
        run_row(io, bordered + y * s_.stride_y * border_.pitch(), n * s_.out_height + first + y);
      }
    });
  }

 private:
  // Whole groups of taps of 16 channels are read, beyond the kernel and the last channel too.
  size_t worker_bytes() const {
    const int64_t bytes = border_.input_rows(rows_per_task_) * border_.pitch() +
                          4 * s_.dilation_x * s_.in_channels + 64;
    return static_cast<size_t>(divide_up(bytes, 64) * 64);
  }

  void run_row(const KernelIo& io, const uint8_t* in, int64_t out_row) const {
    alignas(64) int32_t sums[kPositions * 16];
    DepthwiseBytes args;
    args.step = s_.stride_x * s_.in_channels;
    args.row_step = s_.dilation_y * border_.pitch();
    args.tap_step = s_.dilation_x * s_.in_channels;
    args.rows = static_cast<size_t>(s_.kernel_height);
    args.groups = static_cast<size_t>(sizes_.groups);
    args.is_signed = is_signed_;
    for (int64_t x = 0; x < s_.out_width; x += kPositions) {
      const int64_t count = std::min(kPositions, s_.out_width - x);
      const int64_t start = (out_row * s_.out_width + x) * s_.out_channels;
      const Finish finish = finish_at(io, start);
      for (int64_t panel = 0; panel < sizes_.panels; ++panel) {
        args.in = in + x * args.step + panel * 16;
        args.w = weights_ + panel * sizes_.panel_bytes;
        sum_depthwise(args, static_cast<size_t>(count), sums);
        const int64_t columns = std::min<int64_t>(16, s_.out_channels - panel * 16);
        finish_sums(finish, sums, 16, places_, static_cast<size_t>(count),
                    static_cast<size_t>(panel * 16), static_cast<size_t>(columns));
      }
    }
  }

  Finish finish_at(const KernelIo& io, int64_t start) const {
    Finish finish = finish_;
    finish.out = static_cast<uint8_t*>(io.outputs[0]) + start * out_bytes_;
    if (io.outputs.size() > 1 && io.outputs[1] != nullptr) {
      finish.out_float = static_cast<float*>(io.outputs[1]) + start;
    }
    if (io.inputs.size() > 4 && io.inputs[4] != nullptr) {
      finish.residual = static_cast<const uint8_t*>(io.inputs[4]) + start * residual_bytes_;
    }
    return finish;
  }

  ConvShape s_;
  DepthwiseSizes sizes_;
  ByteBorder border_;
  bool is_signed_;
  const int8_t* weights_ = nullptr;
  std::vector<float> bias_;
  Finish finish_;
  int64_t out_bytes_, residual_bytes_;
  int threads_;
  int64_t rows_per_task_ = 1;
  int32_t places_[kPositions];
};

bool supports(const KernelRequest& request) {
  const auto s = parse_quantized_conv(request);
  return s.ok() && s->conv.is_depthwise() && has_constant_factors(request);
}

Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const QuantizedConvShape s, parse_quantized_conv(request));
  const ConvShape& c = s.conv;
  const DepthwiseSizes sizes = sizes_of(c);
  EDGEWRIGHT_ASSIGN(Tensor packed,
                    Tensor::allocate(DType::kUint8, {static_cast<int64_t>(sizes.packed_bytes())}));
  auto* const weights = reinterpret_cast<int8_t*>(packed.mutable_bytes());
  auto* const scale = reinterpret_cast<float*>(weights + sizes.panels * sizes.panel_bytes);
  float* const bias = scale + sizes.padded;
  auto* const sums = reinterpret_cast<int32_t*>(bias + sizes.padded);
  const int8_t* from = request.inputs[1].constant->data<int8_t>();
  for (int64_t channel = 0; channel < c.out_channels; ++channel) {
    int8_t* const panel = weights + channel / 16 * sizes.panel_bytes + channel % 16 * 4;
    for (int64_t y = 0; y < c.kernel_height; ++y) {
      for (int64_t x = 0; x < c.kernel_width; ++x, ++from) {
        panel[(y * sizes.groups + x / 4) * 64 + x % 4] = *from;
        sums[channel] += *from;
      }
    }
  }
  const ColumnFactors factors = column_factors(request);
  fold_columns(s.requantisation, factors.m, factors.one_m, factors.b, sums,
               static_cast<size_t>(c.out_channels), static_cast<size_t>(sizes.padded), scale, bias);
  return packed;
}

Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const QuantizedConvShape s, parse_quantized_conv(request));
  if (packed.size() != sizes_of(s.conv).packed_bytes()) {
    return bad_input("packed weights of a depthwise convolution have {} bytes, expected {}",
                     packed.size(), sizes_of(s.conv).packed_bytes());
  }
  return Created(std::make_unique<QuantizedDepthwise>(s, packed, request.threads));
}

}  // namespace

ImplementationFunctions quantized_depthwise() { return {supports, pack, create}; }

}  // namespace edgewright
