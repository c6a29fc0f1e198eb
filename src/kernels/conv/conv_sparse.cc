// Convolutions most of whose weights are zero, as compressed sparse rows, one per output channel.
// The image is copied into one bordered plane per channel (and per phase of the strides), so that
// a weight meets the inputs of neighbouring outputs side by side. Outputs run on from row to row;
// those over the border are computed and not stored.
#include <algorithm>
#include <cstring>

#include "kernels/conv/conv_kernels.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/sparse/planes.h"
#include "kernels/sparse/sparse_tile.h"
#include "kernels/sparse/sparse_weights.h"

namespace edgewright {
namespace {

constexpr auto kPositions = static_cast<int64_t>(kSparsePositions);
constexpr int64_t kCachedFloats = 8192;  // of planes, worked on at once

SparseExtent extent_of(const ConvShape& s) {
  const int64_t taps = s.kernel_height * s.kernel_width;
  const int64_t channels = channels_in_cache(s, s.in_channels, kPositions, kCachedFloats);
  return {s.out_channels, s.in_channels * taps, channels * taps};
}

class ConvSparse : public PreparedKernel {
 public:
  ConvSparse(const ConvShape& shape, SparseRows rows, int threads)
      : s_(shape),
        planes_(shape),
        rows_(std::move(rows)),
        extent_(extent_of(shape)),
        threads_(std::max(threads, 1)) {}

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(image_floats() + threads_ * worker_floats()) * sizeof(float);
  }

  void run(const KernelIo& io) const override {
    auto* const image = static_cast<float*>(io.scratch);
    const int64_t positions = (s_.out_height - 1) * planes_.columns + s_.out_width;
    const int64_t tiles = (positions + kPositions - 1) / kPositions;
    const int64_t groups = (s_.in_channels + 15) / 16;
    for (int64_t n = 0; n < s_.batch; ++n) {
      io.pool->parallel_for(static_cast<size_t>(groups), [&](size_t group, int worker) {
        copy_channels(static_cast<const float*>(io.inputs[0]), n, static_cast<int64_t>(group) * 16,
                      image, sums_of(io, worker));
      });
      io.pool->parallel_for(static_cast<size_t>(tiles), [&](size_t tile, int worker) {
        const int64_t first = static_cast<int64_t>(tile) * kPositions;
        run_tile(io, n, first, std::min(kPositions, positions - first), image, sums_of(io, worker));
      });
    }
  }

 private:
  // Vectors run over the end of the last plane.
  int64_t image_floats() const {
    return (s_.in_channels * planes_.channel() + kPositions + 15) / 16 * 16;
  }
  // The sums of a tile, or a row of 16 channels while the image is copied.
  int64_t worker_floats() const {
    return std::max(extent_.padded() * kPositions, 16 * ((s_.in_width + 15) / 16 * 16));
  }
  float* sums_of(const KernelIo& io, int worker) const {
    return static_cast<float*>(io.scratch) + image_floats() + worker * worker_floats();
  }

  void copy_channels(const float* x, int64_t n, int64_t first, float* image, float* row) const {
    const int64_t count = std::min<int64_t>(16, s_.in_channels - first);
    float* const to = image + first * planes_.channel();
    std::fill(to, to + count * planes_.channel(), 0.0f);
    const bool blocked = s_.in_layout == Layout::kNchw16c;
    const int64_t blocks = blocked ? s_.in_blocks() : s_.in_channels;
    const int64_t inner = blocked ? 16 : 1;
    const int64_t step = blocked ? (s_.in_width + 15) / 16 * 16 : s_.in_height * s_.in_width;
    for (int64_t y = 0; y < s_.in_height; ++y) {
      if (!reads_row(s_, y + s_.pad_top)) continue;
      const float* from =
          x + ((n * blocks + first / inner) * s_.in_height + y) * s_.in_width * inner;
      if (blocked) {
        transpose_words(from, 16, static_cast<size_t>(s_.in_width), 16, row, step);
        from = row;
      }
      for (int64_t c = 0; c < count; ++c) {
        copy_row(from + c * step, to + c * planes_.channel(), y + s_.pad_top);
      }
    }
  }

  void copy_row(const float* from, float* channel, int64_t y) const {
    if (s_.stride_x == 1) {
      std::memcpy(channel + planes_.at(y, s_.pad_left), from,
                  static_cast<size_t>(s_.in_width) * sizeof(float));
      return;
    }
    for (int64_t phase = 0; phase < std::min(s_.stride_x, s_.in_width); ++phase) {
      float* to = channel + planes_.at(y, phase + s_.pad_left);
      for (int64_t x = phase; x < s_.in_width; x += s_.stride_x) *to++ = from[x];
    }
  }

  void run_tile(const KernelIo& io, int64_t n, int64_t first, int64_t count, const float* image,
                float* sums) const {
    SparseTile tile;
    tile.x = image + first;
    tile.positions = static_cast<size_t>(count);
    tile.sums = sums;
    tile.step = kPositions;
    sum_blocks(extent_, rows_, tile);
    for (int64_t at = first; at < first + count;) {
      const int64_t y = at / planes_.columns, x = at % planes_.columns;
      const int64_t end = std::min((y + 1) * planes_.columns, first + count);
      const int64_t width = std::min(end - at, s_.out_width - x);
      if (width > 0) store_row(io, n, y, x, width, sums + (at - first));
      at = end;
    }
  }

  void store_row(const KernelIo& io, int64_t n, int64_t y, int64_t x, int64_t width,
                 const float* sums) const {
    for (int64_t block = 0; block < s_.out_blocks(); ++block) {
      const int64_t at =
          (((n * s_.out_blocks() + block) * s_.out_height + y) * s_.out_width + x) * 16;
      RowFinish finish;
      finish.bias = rows_.columns + block * 16;
      finish.residual = s_.has_residual ? static_cast<const float*>(io.inputs[3]) + at : nullptr;
      finish.out = static_cast<float*>(io.outputs[0]) + at;
      finish.step = 16;
      finish_columns(sums + block * 16 * kPositions, kPositions, static_cast<size_t>(width),
                     s_.epilogue, finish);
    }
  }

  ConvShape s_;
  Planes planes_;
  SparseRows rows_;
  SparseExtent extent_;
  int threads_;
};

Result<ConvShape> parse(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(ConvShape s, parse_conv(request));
  constexpr int64_t kMost = int64_t{1} << 28;  // distances are 32-bit numbers
  const int64_t depth = s.in_channels * s.kernel_height * s.kernel_width;
  if (s.group != 1 || s.out_layout != Layout::kNchw16c || depth > kMostSparseInputs ||
      (s.in_layout != Layout::kNchw16c && s.in_layout != Layout::kPlain) ||
      s.padded_height() * s.padded_width() > kMost / std::max<int64_t>(1, 4 * s.in_channels)) {
    return unsupported("sparse convolution: groups, another layout or very many inputs");
  }
  return s;
}

bool supports(const KernelRequest& request) {
  if (!has_constant_weights(request) ||
      share_of_zeros(*request.inputs[1].constant) < kLeastSparsity) {
    return false;
  }
  const auto s = parse(request);
  return s.ok() && keeps_padding_zero(*s);
}

Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse(request));
  const SparseExtent extent = extent_of(s);
  const float* const w = request.inputs[1].constant->data<float>();
  const float* const bias = s.has_bias ? request.inputs[2].constant->data<float>() : nullptr;
  return pack_sparse(
      extent, [&](int64_t output, int64_t k) { return w[output * extent.depth + k]; }, bias);
}

Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse(request));
  EDGEWRIGHT_ASSIGN(SparseRows rows,
                    open_sparse(extent_of(s), packed, plane_distances(s, s.in_channels)));
  return Created(std::make_unique<ConvSparse>(s, std::move(rows), request.threads));
}

}  // namespace

ImplementationFunctions conv_sparse() { return {supports, pack, create}; }

}  // namespace edgewright
