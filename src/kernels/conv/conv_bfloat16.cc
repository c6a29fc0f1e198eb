// Convolutions on products of bfloat16 (AMX). The image is rounded and laid out NHWC with its
// border in one pass, image by image while it is in cache; the numbers under one row of the kernel
// then lie side by side, so that the convolution is a product of matrices over the image itself.
// Outputs run on from row to row; those over the border are computed and not stored.
#include <algorithm>

#include "kernels/bfloat16/bfloat16_tile.h"
#include "kernels/conv/conv_kernels.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/sparse/sparse_tile.h"

namespace edgewright {
namespace {

// Rows of a tile that are read and count for nothing, and numbers behind the last row.
constexpr int64_t kSlackRows = 32;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

Bfloat16Depth depth_of(const ConvShape& s) {
  const bool rows = s.dilation_x == 1;
  return {static_cast<size_t>(rows ? s.kernel_height : s.kernel_height * s.kernel_width),
          static_cast<size_t>(rows ? s.kernel_width * s.in_channels : s.in_channels),
          static_cast<size_t>(s.out_channels)};
}

class ConvBfloat16 : public PreparedKernel {
 public:
  ConvBfloat16(const ConvShape& shape, PackedBytes packed, int threads)
      : s_(shape),
        depth_(depth_of(shape)),
        pitch_(shape.padded_width() * shape.in_channels),
        flat_(shape.stride_x == 1 && shape.stride_y == 1),
        threads_(std::max(threads, 1)) {
    weights_ = reinterpret_cast<const uint16_t*>(packed.data());
    bias_ = reinterpret_cast<const float*>(weights_ + depth_.panels() * depth_.panel_size());
    const int64_t pieces = s_.dilation_x == 1 ? 1 : s_.kernel_width;
    for (int64_t ky = 0; ky < s_.kernel_height; ++ky) {
      for (int64_t kx = 0; kx < pieces; ++kx) {
        offsets_.push_back(ky * s_.dilation_y * pitch_ + kx * s_.dilation_x * s_.in_channels);
      }
    }
    // A few tasks a thread; whole images where there are enough of them.
    const int64_t wanted = threads_ == 1 ? 1 : divide_up(2 * int64_t{threads_}, s_.batch);
    rows_per_task_ = divide_up(s_.out_height, std::min(wanted, s_.out_height));
  }

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_) * worker_bytes();
  }

  void run(const KernelIo& io) const override {
    const int64_t cuts = divide_up(s_.out_height, rows_per_task_);
    io.pool->parallel_for(static_cast<size_t>(s_.batch * cuts), [&](size_t index, int worker) {
      const auto i = static_cast<int64_t>(index);
      auto* const image = reinterpret_cast<uint16_t*>(static_cast<std::byte*>(io.scratch) +
                                                      static_cast<size_t>(worker) * worker_bytes());
      const int64_t first = i % cuts * rows_per_task_;
      run_rows(io, i / cuts, first, std::min(rows_per_task_, s_.out_height - first), image);
    });
  }

 private:
  // Rows of the bordered image under so many rows of the output.
  int64_t input_rows(int64_t rows) const {
    return (rows - 1) * s_.stride_y + (s_.kernel_height - 1) * s_.dilation_y + 1;
  }
  int64_t image_size() const {
    return input_rows(rows_per_task_) * pitch_ + kSlackRows * s_.stride_x * s_.in_channels +
           2 * static_cast<int64_t>(kBfloat16Chunk);
  }
  size_t worker_bytes() const { return static_cast<size_t>(divide_up(image_size() * 2, 64) * 64); }

  void run_rows(const KernelIo& io, int64_t n, int64_t first, int64_t rows, uint16_t* image) const {
    round_image(static_cast<const float*>(io.inputs[0]), n, first * s_.stride_y, input_rows(rows),
                image);
    begin_bfloat16_tiles();
    if (flat_) {
      const int64_t positions = (rows - 1) * s_.padded_width() + s_.out_width;
      run_positions(io, n, first, s_.padded_width(), positions, image);
    } else {
      for (int64_t y = 0; y < rows; ++y) {
        run_positions(io, n, first + y, s_.out_width, s_.out_width,
                      image + y * s_.stride_y * pitch_);
      }
    }
    end_bfloat16_tiles();
  }

  // Rows `top` and on of the bordered image as bfloat16, channels last.
  void round_image(const float* x, int64_t n, int64_t top, int64_t rows, uint16_t* to) const {
    const int64_t channels = s_.in_channels;
    for (int64_t row = 0; row < rows; ++row, to += pitch_) {
      const int64_t y = top + row - s_.pad_top;
      if (y < 0 || y >= s_.in_height) {
        std::fill(to, to + pitch_, uint16_t{0});
        continue;
      }
      uint16_t* const middle = to + s_.pad_left * channels;
      uint16_t* const right = middle + s_.in_width * channels;
      std::fill(to, middle, uint16_t{0});
      std::fill(right, to + pitch_, uint16_t{0});
      for (int64_t first = 0; first < channels; first += 16) {
        const int64_t count = std::min<int64_t>(16, channels - first);
        const float* from =
            x + (((n * s_.in_blocks() + first / 16) * s_.in_height + y) * s_.in_width) * 16;
        uint16_t* place = middle + first;
        for (int64_t column = 0; column < s_.in_width; ++column, from += 16, place += channels) {
          round_to_bfloat16(from, static_cast<size_t>(count), place);
        }
      }
    }
    // What the last tiles read beyond the image is multiplied by zero.
    std::fill(to,
              to + (kSlackRows * s_.stride_x * channels + 2 * static_cast<int64_t>(kBfloat16Chunk)),
              uint16_t{0});
  }

  // `count` positions from the start of output row `first` on, `columns` of them a row.
  void run_positions(const KernelIo& io, int64_t n, int64_t first, int64_t columns, int64_t count,
                     const uint16_t* image) const {
    alignas(64) float sums[kBfloat16Rows * kBfloat16Panels * 16];
    Bfloat16Product product;
    product.a_step = s_.stride_x * s_.in_channels;
    product.offsets = offsets_.data();
    product.blocks = depth_.blocks;
    product.k = depth_.k;
    product.w_block = static_cast<ptrdiff_t>(depth_.block_size());
    product.w_panel = static_cast<ptrdiff_t>(depth_.panel_size());
    for (size_t panel = 0; panel < depth_.panels(); panel += kBfloat16Panels) {
      const size_t wide = std::min(kBfloat16Panels, depth_.panels() - panel);
      product.w = weights_ + static_cast<ptrdiff_t>(panel) * product.w_panel;
      const auto step = static_cast<ptrdiff_t>(wide * 16);
      for (int64_t row = 0; row < count; row += static_cast<int64_t>(kBfloat16Rows)) {
        const int64_t tall = std::min(static_cast<int64_t>(kBfloat16Rows), count - row);
        product.a = image + row * product.a_step;
        bfloat16_sums(product, static_cast<size_t>(tall), wide, sums, step);
        store(io, {n, first, columns, row, tall}, panel, wide, sums);
      }
    }
  }

  struct Part {
    int64_t n, first, columns, row, tall;
  };
  void store(const KernelIo& io, const Part& part, size_t panel, size_t wide,
             const float* sums) const {
    const auto step = static_cast<ptrdiff_t>(wide * 16);
    for (int64_t at = part.row; at < part.row + part.tall;) {
      const int64_t y = at / part.columns, x = at % part.columns;
      const int64_t end = std::min((y + 1) * part.columns, part.row + part.tall);
      const int64_t width = std::min(end - at, s_.out_width - x);
      for (size_t p = 0; width > 0 && p < wide; ++p) {
        const auto block = static_cast<int64_t>(panel + p);
        const int64_t place =
            (((part.n * s_.out_blocks() + block) * s_.out_height + part.first + y) * s_.out_width +
             x) *
            16;
        RowFinish finish;
        finish.bias = bias_ + block * 16;
        if (s_.has_residual) finish.residual = static_cast<const float*>(io.inputs[3]) + place;
        finish.out = static_cast<float*>(io.outputs[0]) + place;
        finish.step = 16;
        finish_rows(sums + (at - part.row) * step + static_cast<ptrdiff_t>(p) * 16, step,
                    static_cast<size_t>(width), s_.epilogue, finish);
      }
      at = end;
    }
  }

  ConvShape s_;
  Bfloat16Depth depth_;
  int64_t pitch_;  // numbers of a bordered row
  bool flat_;
  int threads_;
  const uint16_t* weights_;
  const float* bias_;
  std::vector<ptrdiff_t> offsets_;
  int64_t rows_per_task_ = 1;
};

Result<ConvShape> parse(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(ConvShape s, parse_conv(request));
  if (s.group != 1 || s.in_layout != Layout::kNchw16c || s.out_layout != Layout::kNchw16c) {
    return unsupported("bfloat16 convolution: groups or another layout");
  }
  return s;
}

bool supports(const KernelRequest& request) {
  if (!has_bfloat16_tiles() || !wants_bfloat16_products(request)) return false;
  const auto s = parse(request);
  return s.ok() && has_constant_weights(request) && keeps_padding_zero(*s);
}

Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse(request));
  const Bfloat16Depth depth = depth_of(s);
  EDGEWRIGHT_ASSIGN(Tensor packed,
                    Tensor::allocate(DType::kUint8, {static_cast<int64_t>(depth.packed_bytes())}));
  const float* const w = request.inputs[1].constant->data<float>();
  const float* const bias = s.has_bias ? request.inputs[2].constant->data<float>() : nullptr;
  const int64_t pieces = s.dilation_x == 1 ? 1 : s.kernel_width;
  const auto weight = [&](size_t block, size_t i, size_t column) {
    const auto b = static_cast<int64_t>(block), at = static_cast<int64_t>(i);
    const int64_t ky = b / pieces, kx = b % pieces + at / s.in_channels;
    const int64_t row = static_cast<int64_t>(column) * s.in_channels + at % s.in_channels;
    return w[(row * s.kernel_height + ky) * s.kernel_width + kx];
  };
  pack_bfloat16(depth, weight, bias, packed.mutable_bytes());
  return packed;
}

Created create(const KernelRequest& request, PackedBytes packed) {
  if (!has_bfloat16_tiles()) return unsupported("this CPU has no AMX for bfloat16");
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse(request));
  if (packed.size() != depth_of(s).packed_bytes()) {
    return bad_input("packed weights of a bfloat16 convolution have {} bytes, expected {}",
                     packed.size(), depth_of(s).packed_bytes());
  }
  return Created(std::make_unique<ConvBfloat16>(s, packed, request.threads));
}

}  // namespace

ImplementationFunctions conv_bfloat16() { return {supports, pack, create}; }

}  // namespace edgewright
