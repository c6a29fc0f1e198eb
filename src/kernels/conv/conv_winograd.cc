// Convolution 3x3 with stride 1 by Winograd's minimal filtering: transform tiles of the input, one
// matrix product per position of the tile (register tiles of gemm/tile.h), transform back. F(4x4)
// needs a quarter of the multiplications of direct convolution, F(2x2) four ninths with smaller
// tiles and filters, which small images prefer.
#include <algorithm>
#include <cstring>

#include "kernels/conv/conv_kernels.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/conv/winograd_transform.h"
#include "kernels/gemm/tile.h"

namespace edgewright {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <int kOut>
class ConvWinograd : public PreparedKernel {
 public:
  static constexpr int kSize = kOut + 2;
  static constexpr int kPositions = kSize * kSize;

  ConvWinograd(const ConvShape& shape, PackedBytes packed, int threads)
      : s_(shape), threads_(std::max(threads, 1)) {
    weights_ = reinterpret_cast<const float*>(packed.data());
    bias_ = weights_ + kPositions * s_.in_blocks() * s_.out_blocks() * 256;
    tiles_y_ = divide_up(s_.out_height, kOut);
    tiles_x_ = divide_up(s_.out_width, kOut);
    tiles_ = s_.batch * tiles_y_ * tiles_x_;
    // As many tiles at a time as leave both transformed sides in half a second-level cache of 1 MB.
    const int64_t tile_bytes = kPositions * (s_.in_blocks() + s_.out_blocks()) * 16 * 4;
    const int64_t most = std::clamp<int64_t>((int64_t{600} << 10) / tile_bytes, 12, 84);
    part_ = divide_up(tiles_, divide_up(tiles_, most));
    parts_ = divide_up(tiles_, part_);
    // Distances of positions are kept off powers of two, which would all fall into one cache set.
    in_step_ = s_.in_blocks() * part_ * 16 + 16;
    out_step_ = s_.out_blocks() * part_ * 16 + 16;
    for (int64_t block = 0; block < s_.in_blocks(); ++block) offsets_.push_back(block * part_ * 16);
  }

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_ * part_floats()) * sizeof(float);
  }

  void run(const KernelIo& io) const override {
    float* const scratch = static_cast<float*>(io.scratch);
    if (threads_ == 1 || parts_ >= 2 * threads_) {
      io.pool->parallel_for(static_cast<size_t>(parts_), [&](size_t part, int worker) {
        run_part(io, scratch + worker * part_floats(), static_cast<int64_t>(part));
      });
      return;
    }
    for (int64_t part = 0; part < parts_; ++part) run_together(io, scratch, part);
  }

 private:
  int64_t part_floats() const { return kPositions * (in_step_ + out_step_); }
  int64_t part_tiles(int64_t part) const { return std::min(part_, tiles_ - part * part_); }

  // One part by one thread.
  void run_part(const KernelIo& io, float* scratch, int64_t part) const {
    float* const products = scratch + kPositions * in_step_;
    for (int64_t block = 0; block < s_.in_blocks(); ++block) {
      for (int64_t i = 0; i < part_tiles(part); ++i) transform_in(io, scratch, part, block, i);
    }
    for (int position = 0; position < kPositions; ++position) {
      multiply(scratch, products, part_tiles(part), position);
    }
    for (int64_t block = 0; block < s_.out_blocks(); ++block) {
      for (int64_t i = 0; i < part_tiles(part); ++i) transform_out(io, products, part, block, i);
    }
  }

  // One part by all threads, step by step.
  void run_together(const KernelIo& io, float* scratch, int64_t part) const {
    float* const products = scratch + kPositions * in_step_;
    const int64_t tiles = part_tiles(part);
    io.pool->parallel_for(static_cast<size_t>(s_.in_blocks() * tiles_y_), [&](size_t task, int) {
      const int64_t slice = static_cast<int64_t>(task) % tiles_y_;
      const int64_t block = static_cast<int64_t>(task) / tiles_y_;
      for (int64_t i = slice * tiles / tiles_y_; i < (slice + 1) * tiles / tiles_y_; ++i) {
        transform_in(io, scratch, part, block, i);
      }
    });
    io.pool->parallel_for(kPositions, [&](size_t position, int) {
      multiply(scratch, products, tiles, static_cast<int>(position));
    });
    io.pool->parallel_for(static_cast<size_t>(s_.out_blocks() * tiles_y_), [&](size_t task, int) {
      const int64_t slice = static_cast<int64_t>(task) % tiles_y_;
      const int64_t block = static_cast<int64_t>(task) / tiles_y_;
      for (int64_t i = slice * tiles / tiles_y_; i < (slice + 1) * tiles / tiles_y_; ++i) {
        transform_out(io, products, part, block, i);
      }
    });
  }

  struct Corner {
    int64_t image, y, x;  // first output of a tile
  };
  Corner corner(int64_t part, int64_t i) const {
    const int64_t tile = part * part_ + i;
    const int64_t in_image = tile % (tiles_y_ * tiles_x_);
    return {tile / (tiles_y_ * tiles_x_), in_image / tiles_x_ * kOut, in_image % tiles_x_ * kOut};
  }

  void transform_in(const KernelIo& io, float* to, int64_t part, int64_t block, int64_t i) const {
    const Corner at = corner(part, i);
    const int64_t top = at.y - s_.pad_top, left = at.x - s_.pad_left;
    const int64_t row = s_.in_width * 16;
    const float* const image = static_cast<const float*>(io.inputs[0]) +
                               (at.image * s_.in_blocks() + block) * s_.in_height * row;
    float* const out = to + (block * part_ + i) * 16;
    if (top >= 0 && left >= 0 && top + kSize <= s_.in_height && left + kSize <= s_.in_width) {
      winograd_input(kOut, image + top * row + left * 16, row, out, in_step_);
      return;
    }
    alignas(64) float edge[kSize * kSize * 16];
    std::memset(edge, 0, sizeof(edge));
    const int64_t first = std::max<int64_t>(left, 0);
    const int64_t count = std::min(left + kSize, s_.in_width) - first;
    for (int64_t y = std::max<int64_t>(top, 0); y < std::min(top + kSize, s_.in_height); ++y) {
      if (count <= 0) break;
      std::memcpy(edge + ((y - top) * kSize + first - left) * 16, image + y * row + first * 16,
                  static_cast<size_t>(count) * 16 * sizeof(float));
    }
    winograd_input(kOut, edge, kSize * 16, out, in_step_);
  }

  void multiply(const float* inputs, float* products, int64_t tiles, int position) const {
    TileArgs tile;
    tile.a = inputs + position * in_step_;
    tile.a_step = 16;
    tile.offsets = offsets_.data();
    tile.blocks = offsets_.size();
    tile.klen = 16;
    tile.w_panel = s_.in_blocks() * 256;
    tile.w = weights_ + position * s_.out_blocks() * tile.w_panel;
    tile.c = products + position * out_step_;
    tile.c_step = 16;
    tile.c_panel = part_ * 16;
    run_tiles(tile, Epilogue(), static_cast<size_t>(tiles), static_cast<size_t>(s_.out_blocks()));
  }

  void transform_out(const KernelIo& io, const float* from, int64_t part, int64_t block,
                     int64_t i) const {
    const Corner at = corner(part, i);
    const int64_t start =
        (((at.image * s_.out_blocks() + block) * s_.out_height + at.y) * s_.out_width + at.x) * 16;
    const Epilogue& epilogue = s_.epilogue;
    const float* const residual =
        s_.has_residual ? static_cast<const float*>(io.inputs[3]) + start : nullptr;
    const bool late = residual && !epilogue.is_clamp() && !epilogue.residual_before_activation;
    WinogradOutput tile;
    tile.in = from + (block * part_ + i) * 16;
    tile.in_step = out_step_;
    tile.bias = bias_ + block * 16;
    tile.residual = late ? nullptr : residual;
    tile.residual_first = epilogue.residual_before_activation;
    tile.low = epilogue.low();
    tile.high = epilogue.high();
    tile.out = static_cast<float*>(io.outputs[0]) + start;
    tile.row_step = s_.out_width * 16;
    tile.rows = static_cast<int>(std::min<int64_t>(kOut, s_.out_height - at.y));
    tile.columns = static_cast<int>(std::min<int64_t>(kOut, s_.out_width - at.x));
    winograd_output(kOut, tile);
    if (epilogue.is_clamp()) return;
    apply_activation(epilogue, tile.out, late ? residual : nullptr, static_cast<size_t>(tile.rows),
                     static_cast<size_t>(tile.columns) * 16, tile.row_step);
  }

  ConvShape s_;
  int threads_;
  const float* weights_;
  const float* bias_;
  int64_t tiles_y_ = 0, tiles_x_ = 0, tiles_ = 0;
  int64_t part_ = 0, parts_ = 0;
  ptrdiff_t in_step_ = 0, out_step_ = 0;
  std::vector<ptrdiff_t> offsets_;
};

bool supports(const KernelRequest& request) {
  const auto s = parse_conv(request);
  return s.ok() && s->group == 1 && s->in_layout == Layout::kNchw16c &&
         s->out_layout == Layout::kNchw16c && s->kernel_height == 3 && s->kernel_width == 3 &&
         s->stride_y == 1 && s->stride_x == 1 && s->dilation_y == 1 && s->dilation_x == 1 &&
         s->in_channels >= 8 && has_constant_weights(request) && keeps_padding_zero(*s);
}

int64_t packed_floats(const ConvShape& s, int positions) {
  return (positions * s.in_blocks() * 256 + 16) * s.out_blocks();
}

// [position][output panel][input channel][16], then the bias.
template <int kOut>
Result<Tensor> pack(const KernelRequest& request) {
  constexpr int kPositions = (kOut + 2) * (kOut + 2);
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse_conv(request));
  EDGEWRIGHT_ASSIGN(Tensor packed,
                    Tensor::allocate(DType::kUint8, {packed_floats(s, kPositions) * 4}));
  float* const out = reinterpret_cast<float*>(packed.mutable_bytes());
  const float* const w = request.inputs[1].constant->data<float>();
  const int64_t panel = s.in_blocks() * 256;
  for (int64_t oc = 0; oc < s.out_channels; ++oc) {
    for (int64_t ic = 0; ic < s.in_channels; ++ic) {
      double values[kPositions];
      winograd_filter(kOut, w + (oc * s.in_channels + ic) * 9, values);
      float* const to = out + oc / 16 * panel + ic * 16 + oc % 16;
      for (int p = 0; p < kPositions; ++p) {
        to[p * s.out_blocks() * panel] = static_cast<float>(values[p]);
      }
    }
  }
  pack_bias(request, s.out_channels, out + kPositions * s.out_blocks() * panel);
  return packed;
}

template <int kOut>
Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse_conv(request));
  const int64_t floats = packed_floats(s, (kOut + 2) * (kOut + 2));
  if (packed.size() != static_cast<size_t>(floats) * sizeof(float)) {
    return bad_input("packed weights of a Winograd convolution have {} bytes", packed.size());
  }
  return Created(std::make_unique<ConvWinograd<kOut>>(s, packed, request.threads));
}

}  // namespace

ImplementationFunctions conv_winograd4() { return {supports, pack<4>, create<4>}; }
ImplementationFunctions conv_winograd2() { return {supports, pack<2>, create<2>}; }

}  // namespace edgewright
