// edgewright::QuantizedConv2d over NHWC bytes. The bytes under one row of the kernel lie side by
// side, so that the product needs no rearranged copy of its input: only a border of zero points
// where there is padding, made image by image while it is in cache.
#include <algorithm>

#include "kernels/integer/byte_border.h"
#include "kernels/integer/integer_layer.h"
#include "kernels/integer/quantized_kernels.h"
#include "kernels/integer/quantized_shape.h"

namespace edgewright {
namespace {

// Bytes that a core may read behind the last byte that counts.
constexpr int64_t kSlackRows = 16;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

IntegerDepth depth_of(const ConvShape& s, CoreKind core) {
  const bool rows = s.dilation_x == 1;
  return {static_cast<size_t>(rows ? s.kernel_height : s.kernel_height * s.kernel_width),
          static_cast<size_t>(rows ? s.kernel_width * s.in_channels : s.in_channels),
          core == CoreKind::kTwoOfFour};
}

// Positions of the output that one call of the layer takes as rows of a matrix.
struct ConvWalk {
  std::vector<ptrdiff_t> offsets;
  int64_t pitch = 0;    // bytes of a bordered row
  int64_t step = 0;     // bytes from one position to the next
  bool flat = false;    // positions run on from row to row; those over the border count for nothing
  int64_t columns = 0;  // positions a row
};

ConvWalk walk_of(const ConvShape& s) {
  ConvWalk walk;
  walk.pitch = ByteBorder(s, 0).pitch();
  walk.step = s.stride_x * s.in_channels;
  walk.flat = s.stride_x == 1 && s.stride_y == 1;
  walk.columns = walk.flat ? s.padded_width() : s.out_width;
  const int64_t pieces = s.dilation_x == 1 ? 1 : s.kernel_width;
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    for (int64_t kx = 0; kx < pieces; ++kx) {
      walk.offsets.push_back(ky * s.dilation_y * walk.pitch + kx * s.dilation_x * s.in_channels);
    }
  }
  return walk;
}

class QuantizedConv : public PreparedKernel {
 public:
  QuantizedConv(const QuantizedConvShape& shape, const IntegerCore& core, const IntegerDepth& depth,
                PackedBytes packed, int threads)
      : s_(shape.conv),
        walk_(walk_of(shape.conv)),
        layer_(core, depth, static_cast<size_t>(s_.out_channels), shape.requantisation,
               shape.x_is_signed, packed.data()),
        border_(shape.conv, static_cast<uint8_t>(shape.requantisation.x_zero)),
        out_bytes_(shape.requantisation.out == DType::kFloat32 ? 4 : 1),
        residual_bytes_(shape.requantisation.residual == DType::kFloat32 ? 4 : 1),
        threads_(std::max(threads, 1)) {
    // A few tasks a thread; whole images where there are enough of them.
    const int64_t wanted = threads_ == 1 ? 1 : divide_up(2 * int64_t{threads_}, s_.batch);
    rows_per_task_ = divide_up(s_.out_height, std::min(wanted, s_.out_height));
    for (int64_t p = 0; p < rows_per_task_ * walk_.columns; ++p) {
      const int64_t y = p / walk_.columns, x = p % walk_.columns;
      const int64_t place = (y * s_.out_width + x) * s_.out_channels;
      places_.push_back(x < s_.out_width ? static_cast<int32_t>(place) : -1);
    }
  }

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_) * worker_bytes();
  }

  void run(const KernelIo& io) const override {
    const int64_t cuts = divide_up(s_.out_height, rows_per_task_);
    io.pool->parallel_for(static_cast<size_t>(s_.batch * cuts), [&](size_t index, int worker) {
      const auto i = static_cast<int64_t>(index);
      if (layer_.core().begin != nullptr) layer_.core().begin();
      run_rows(io, i / cuts, i % cuts * rows_per_task_, worker);
      if (layer_.core().end != nullptr) layer_.core().end();
    });
  }

 private:
  size_t worker_bytes() const {
    const int64_t bytes = border_.input_rows(rows_per_task_) * walk_.pitch +
                          kSlackRows * walk_.step + 2 * static_cast<int64_t>(kIntegerChunk);
    return static_cast<size_t>(divide_up(bytes, 64) * 64);
  }

  void run_rows(const KernelIo& io, int64_t n, int64_t first, int worker) const {
    const int64_t rows = std::min(rows_per_task_, s_.out_height - first);
    auto* const bordered =
        static_cast<uint8_t*>(io.scratch) + static_cast<size_t>(worker) * worker_bytes();
    const uint8_t* const image =
        static_cast<const uint8_t*>(io.inputs[0]) + n * s_.in_height * s_.in_width * s_.in_channels;
    border_.copy_rows(image, first * s_.stride_y, border_.input_rows(rows), bordered);
    const int64_t start = (n * s_.out_height + first) * s_.out_width * s_.out_channels;
    IntegerLayer::Target target;
    target.out = static_cast<uint8_t*>(io.outputs[0]) + start * out_bytes_;
    if (io.outputs.size() > 1 && io.outputs[1] != nullptr) {
      target.out_float = static_cast<float*>(io.outputs[1]) + start;
    }
    if (io.inputs.size() > 4 && io.inputs[4] != nullptr) {
      target.residual = static_cast<const uint8_t*>(io.inputs[4]) + start * residual_bytes_;
    }
    IntegerLayer::Rows part;
    part.a_step = walk_.step;
    part.offsets = walk_.offsets.data();
    part.panels = panels_of(layer_.columns());
    if (walk_.flat) {
      part.a = bordered;
      part.places = places_.data();
      part.count = static_cast<size_t>((rows - 1) * walk_.columns + s_.out_width);
      return layer_.run(part, target);
    }
    part.count = static_cast<size_t>(s_.out_width);
    for (int64_t y = 0; y < rows; ++y) {
      part.a = bordered + y * s_.stride_y * walk_.pitch;
      part.places = places_.data() + y * walk_.columns;
      layer_.run(part, target);
    }
  }

  ConvShape s_;
  ConvWalk walk_;
  IntegerLayer layer_;
  ByteBorder border_;
  int64_t out_bytes_, residual_bytes_;
  int threads_;
  int64_t rows_per_task_ = 1;
  std::vector<int32_t> places_;
};

// Value i of a block of a column: rows of the kernel over NHWC, or single taps where it is dilated.
auto weight_of(const KernelRequest& request, const ConvShape& c) {
  return
      [w = request.inputs[1].constant->data<int8_t>(), c](size_t block, size_t i, size_t column) {
        const int64_t pieces = c.dilation_x == 1 ? 1 : c.kernel_width;
        const auto b = static_cast<int64_t>(block), at = static_cast<int64_t>(i);
        const int64_t ky = b / pieces, kx = b % pieces + at / c.in_channels;
        const int64_t channel = at % c.in_channels;
        const int64_t row = static_cast<int64_t>(column) * c.in_channels + channel;
        return w[(row * c.kernel_height + ky) * c.kernel_width + kx];
      };
}

template <CoreKind kCore>
bool supports(const KernelRequest& request) {
  if (find_core(kCore) == nullptr) return false;
  const auto s = parse_quantized_conv(request);
  if (!s.ok() || s->conv.group != 1 || !has_constant_factors(request)) return false;
  return kCore != CoreKind::kTwoOfFour ||
         (is_sparse_enough(request) &&
          keeps_two_of_four(depth_of(s->conv, kCore), static_cast<size_t>(s->conv.out_channels),
                            weight_of(request, s->conv)));
}

template <CoreKind kCore>
Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const QuantizedConvShape s, parse_quantized_conv(request));
  const IntegerDepth depth = depth_of(s.conv, kCore);
  const auto columns = static_cast<size_t>(s.conv.out_channels);
  const auto bytes = static_cast<int64_t>(packed_layer_bytes(depth, columns));
  EDGEWRIGHT_ASSIGN(Tensor packed, Tensor::allocate(DType::kUint8, {bytes}));
  const ColumnFactors factors = column_factors(request);
  pack_layer(depth, columns, weight_of(request, s.conv), s.requantisation, factors.m, factors.one_m,
             factors.b, packed.mutable_bytes());
  return packed;
}

template <CoreKind kCore>
Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const QuantizedConvShape s, parse_quantized_conv(request));
  const IntegerCore* core = find_core(kCore);
  if (core == nullptr) return unsupported("this CPU has no AMX");
  const IntegerDepth depth = depth_of(s.conv, kCore);
  const size_t expected = packed_layer_bytes(depth, static_cast<size_t>(s.conv.out_channels));
  if (packed.size() != expected) {
    return bad_input("packed weights of a quantised convolution have {} bytes, expected {}",
                     packed.size(), expected);
  }
  return Created(std::make_unique<QuantizedConv>(s, *core, depth, packed, request.threads));
}

template <CoreKind kCore>
constexpr ImplementationFunctions functions() {
  return {supports<kCore>, pack<kCore>, create<kCore>};
}

}  // namespace

ImplementationFunctions quantized_conv_amx() { return functions<CoreKind::kAmx>(); }
ImplementationFunctions quantized_conv_vector() { return functions<CoreKind::kVector>(); }
ImplementationFunctions quantized_conv_two_of_four() { return functions<CoreKind::kTwoOfFour>(); }

}  // namespace edgewright
