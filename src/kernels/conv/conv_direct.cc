// Direct convolution in blocks of 16 channels on the register tiles of gemm/tile.h. The input is
// either blocked too, or plain (few channels: the first layer). Padding is done by a copy with a
// border of zeros, which costs little beside the products and keeps the core free of edges.
#include <algorithm>
#include <cstring>

#include "kernels/conv/conv_kernels.h"
#include "kernels/conv/conv_shape.h"
#include "kernels/gemm/tile.h"

namespace edgewright {
namespace {

// Where tiles find the input: the image in memory, its distances, and the K blocks within it.
struct Walk {
  int64_t inner = 16;  // channels that lie side by side: 16 blocked, 1 plain
  int64_t planes = 0;  // channel blocks (blocked) or channels (plain)
  int64_t height = 0, width = 0;
  int64_t rows = 0, columns = 0;  // outputs a call of run_tiles() may take as one row
  size_t klen = 0;
  size_t tail_blocks = 0, tail_klen = 0;  // of a last channel block with fewer than 16
  std::vector<ptrdiff_t> offsets;

  size_t k_values() const {
    return (offsets.size() - tail_blocks) * klen + tail_blocks * tail_klen;
  }
};

Walk make_walk(const ConvShape& s) {
  Walk walk;
  const bool blocked = s.in_layout == Layout::kNchw16c;
  walk.inner = blocked ? 16 : 1;
  walk.planes = blocked ? s.in_blocks() : s.in_channels;
  walk.height = s.padded_height();
  walk.width = s.padded_width();
  walk.rows = s.out_height;
  walk.columns = s.out_width;
  // A plain row holds the kernel's columns side by side when they are not dilated.
  const bool whole_rows = !blocked && s.dilation_x == 1;
  walk.klen = static_cast<size_t>(blocked ? 16 : whole_rows ? s.kernel_width : 1);
  for (int64_t plane = 0; plane < walk.planes; ++plane) {
    for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
      for (int64_t kx = 0; kx < (whole_rows ? 1 : s.kernel_width); ++kx) {
        const int64_t y = plane * walk.height + ky * s.dilation_y;
        walk.offsets.push_back((y * walk.width + kx * s.dilation_x) * walk.inner);
      }
    }
  }
  if (blocked && s.in_channels % 16 != 0) {
    walk.tail_blocks = static_cast<size_t>(s.kernel_height * s.kernel_width);
    walk.tail_klen = static_cast<size_t>(s.in_channels % 16);
  }
  // Outputs of all rows are one row when nothing lies between them.
  if (s.stride_y == 1 && s.stride_x == 1 && walk.width == s.out_width) {
    walk.columns = s.out_height * s.out_width;
    walk.rows = 1;
  }
  return walk;
}

class ConvDirect : public PreparedKernel {
 public:
  ConvDirect(const ConvShape& shape, PackedBytes packed, int threads)
      : s_(shape), walk_(make_walk(shape)) {
    weights_ = reinterpret_cast<const float*>(packed.data());
    panel_ = static_cast<ptrdiff_t>(walk_.k_values() * 16);
    bias_ = weights_ + panel_ * s_.out_blocks();
    // A few tasks a thread, of at least 300,000 multiply-adds: much more than handing one out
    // costs. Rows are cut, or output channels where there is one row only.
    const int64_t cost = panel_ * s_.out_blocks() * walk_.columns * walk_.rows;
    const int64_t most = threads <= 1 ? 1 : 4 * int64_t{threads};
    const int64_t wanted = std::clamp<int64_t>(cost / 300000, 1, most);
    rows_per_task_ = std::max<int64_t>((walk_.rows + wanted - 1) / wanted, 1);
    panels_per_task_ = s_.out_blocks();
    if (walk_.rows == 1 && s_.batch == 1) {
      panels_per_task_ = std::max<int64_t>((s_.out_blocks() + wanted - 1) / wanted,
                                           std::min<int64_t>(s_.out_blocks(), kMaxTilePanels));
    }
  }

  size_t scratch_size_bytes() const override {
    return s_.padded() ? static_cast<size_t>(s_.batch * image_size()) * sizeof(float) : 0;
  }

  void run(const KernelIo& io) const override {
    const float* x = static_cast<const float*>(io.inputs[0]);
    if (s_.padded()) {
      float* const bordered = static_cast<float*>(io.scratch);
      const int64_t planes = s_.batch * walk_.planes;
      io.pool->parallel_for(static_cast<size_t>(planes), [&](size_t plane, int) {
        copy_plane(x, bordered, static_cast<int64_t>(plane));
      });
      x = bordered;
    }
    const int64_t row_tasks = (walk_.rows + rows_per_task_ - 1) / rows_per_task_;
    const int64_t panel_tasks = (s_.out_blocks() + panels_per_task_ - 1) / panels_per_task_;
    const int64_t tasks = s_.batch * row_tasks * panel_tasks;
    io.pool->parallel_for(static_cast<size_t>(tasks), [&](size_t index, int) {
      const int64_t i = static_cast<int64_t>(index);
      const int64_t row = i % row_tasks * rows_per_task_;
      int64_t panel = i / row_tasks % panel_tasks * panels_per_task_;
      // Panels outside, rows inside: the weights of a panel group stay in cache.
      const int64_t end = std::min(panel + panels_per_task_, s_.out_blocks());
      const int64_t widest = tile_kernels().max_panels;
      while (panel < end) {
        const int64_t groups = (end - panel + widest - 1) / widest;
        const int64_t panels = (end - panel + groups - 1) / groups;
        run_rows(io, x, i / row_tasks / panel_tasks, row, panel, panels);
        panel += panels;
      }
    });
  }

 private:
  int64_t image_size() const { return walk_.planes * walk_.height * walk_.width * walk_.inner; }

  void copy_plane(const float* x, float* bordered, int64_t plane) const {
    const int64_t row = walk_.width * walk_.inner;
    const int64_t source_row = s_.in_width * walk_.inner;
    const float* from = x + plane * s_.in_height * source_row;
    float* to = bordered + plane * walk_.height * row;
    std::fill(to, to + s_.pad_top * row, 0.0f);
    to += s_.pad_top * row;
    for (int64_t y = 0; y < s_.in_height; ++y, from += source_row, to += row) {
      float* const middle = to + s_.pad_left * walk_.inner;
      std::fill(to, middle, 0.0f);
      std::memcpy(middle, from, static_cast<size_t>(source_row) * sizeof(float));
      std::fill(middle + source_row, to + row, 0.0f);
    }
    std::fill(to, to + s_.pad_bottom * row, 0.0f);
  }

  void run_rows(const KernelIo& io, const float* x, int64_t image, int64_t first_row, int64_t panel,
                int64_t panels) const {
    const int64_t plane = s_.out_height * s_.out_width * 16;
    const int64_t out_image = (image * s_.out_blocks() + panel) * plane;
    TileArgs tile;
    tile.a_step = s_.stride_x * walk_.inner;
    tile.offsets = walk_.offsets.data();
    tile.blocks = walk_.offsets.size();
    tile.klen = walk_.klen;
    tile.tail_blocks = walk_.tail_blocks;
    tile.tail_klen = walk_.tail_klen;
    tile.w = weights_ + panel * panel_;
    tile.w_panel = panel_;
    tile.c_step = 16;
    tile.c_panel = plane;
    tile.bias = bias_ + panel * 16;
    const int64_t end = std::min(first_row + rows_per_task_, walk_.rows);
    for (int64_t row = first_row; row < end; ++row) {
      tile.a = x + image * image_size() + row * s_.stride_y * walk_.width * walk_.inner;
      const int64_t at = out_image + row * s_.out_width * 16;
      tile.c = static_cast<float*>(io.outputs[0]) + at;
      tile.residual = s_.has_residual ? static_cast<const float*>(io.inputs[3]) + at : nullptr;
      run_tiles(tile, s_.epilogue, static_cast<size_t>(walk_.columns), static_cast<size_t>(panels));
    }
  }

  ConvShape s_;
  Walk walk_;
  const float* weights_ = nullptr;
  const float* bias_ = nullptr;
  ptrdiff_t panel_ = 0;
  int64_t rows_per_task_ = 1;
  int64_t panels_per_task_ = 1;
};

bool supports(const KernelRequest& request) {
  const auto shape = parse_conv(request);
  return shape.ok() && shape->group == 1 && shape->out_layout == Layout::kNchw16c &&
         (shape->in_layout == Layout::kNchw16c || shape->in_layout == Layout::kPlain) &&
         has_constant_weights(request) && keeps_padding_zero(*shape);
}

// Weights as panels of 16 output channels, [plane][ky][kx][inner channel][16]; then the bias.
Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const ConvShape s, parse_conv(request));
  const Walk walk = make_walk(s);
  const int64_t taps = s.kernel_height * s.kernel_width;
  const int64_t panel = static_cast<int64_t>(walk.k_values()) * 16;
  const int64_t count = (panel + 16) * s.out_blocks();
  EDGEWRIGHT_ASSIGN(Tensor packed, Tensor::allocate(DType::kUint8, {count * 4}));
  float* const out = reinterpret_cast<float*>(packed.mutable_bytes());
  const float* const w = request.inputs[1].constant->data<float>();
  for (int64_t oc = 0; oc < s.out_channels; ++oc) {
    for (int64_t ic = 0; ic < s.in_channels; ++ic) {
      const int64_t plane = ic / walk.inner;
      const int64_t inner = std::min(walk.inner, s.in_channels - plane * walk.inner);
      for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t k = plane * taps * walk.inner + tap * inner + ic % walk.inner;
        out[oc / 16 * panel + k * 16 + oc % 16] = w[(oc * s.in_channels + ic) * taps + tap];
      }
    }
  }
  pack_bias(request, s.out_channels, out + panel * s.out_blocks());
  return packed;
}

Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const ConvShape shape, parse_conv(request));
  const Walk walk = make_walk(shape);
  const size_t panel = walk.k_values() * 16;
  if (packed.size() != (panel + 16) * static_cast<size_t>(shape.out_blocks()) * sizeof(float)) {
    return bad_input("packed weights of a direct convolution have {} bytes", packed.size());
  }
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<ConvDirect>(shape, packed, request.threads));
}

}  // namespace

ImplementationFunctions conv_direct() { return {supports, pack, create}; }

}  // namespace edgewright
