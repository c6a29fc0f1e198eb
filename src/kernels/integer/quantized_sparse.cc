// Quantised convolutions and products most of whose weights are zero, as compressed sparse rows of
// fours: for every output the groups of four neighbouring channels of which it has a weight. The
// image is turned into planes, one per four channels, so that a four meets neighbouring positions
// in one dot product each. A product of matrices is a convolution over one row of positions.
#include <algorithm>
#include <cstring>

#include "kernels/integer/integer_layer.h"
#include "kernels/integer/quantized_kernels.h"
#include "kernels/integer/quantized_shape.h"
#include "kernels/integer/sparse_bytes.h"
#include "kernels/sparse/planes.h"
#include "kernels/sparse/sparse_tile.h"
#include "kernels/sparse/sparse_weights.h"

namespace edgewright {
namespace {

constexpr auto kMostPositions = static_cast<int64_t>(kSparsePositions);
constexpr int64_t kCachedWords = 8192;  // of planes, worked on at once: 32 KiB
constexpr int64_t kFinishRows = 32;     // that finish_sums() takes at once
constexpr size_t kColumnArrays = 3;     // scale, bias, sums of weights

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t whole(int64_t count, int64_t unit) { return divide_up(count, unit) * unit; }

int64_t fours_of(const ConvShape& s) { return divide_up(s.in_channels, 4); }

// Places of outputs run on from row to row; those over the border are computed and not stored.
int64_t positions_of(const ConvShape& s) {
  return (s.out_height - 1) * Planes(s).columns + s.out_width;
}
// Tiles of one size leave none for a small last one.
int64_t tile_positions(const ConvShape& s) {
  const int64_t all = positions_of(s);
  return whole(divide_up(all, divide_up(all, kMostPositions)), 16);
}

SparseExtent extent_of(const ConvShape& s) {
  const int64_t taps = s.kernel_height * s.kernel_width;
  const int64_t fours = channels_in_cache(s, fours_of(s), tile_positions(s), kCachedWords);
  return {s.out_channels, fours_of(s) * taps, fours * taps};
}

class QuantizedSparse : public PreparedKernel {
 public:
  QuantizedSparse(const QuantizedConvShape& shape, SparseRows rows, int threads)
      : s_(shape.conv),
        planes_(shape.conv),
        rows_(std::move(rows)),
        extent_(extent_of(shape.conv)),
        threads_(std::max(threads, 1)),
        tile_(tile_positions(shape.conv)),
        flip_(shape.x_is_signed ? 0x80 : 0),
        zero_(static_cast<uint8_t>(static_cast<uint8_t>(shape.requantisation.x_zero) ^ flip_)),
        finish_(make_finish(shape.requantisation)),
        out_bytes_(shape.requantisation.out == DType::kFloat32 ? 4 : 1),
        residual_bytes_(shape.requantisation.residual == DType::kFloat32 ? 4 : 1) {
    const auto columns = static_cast<size_t>(extent_.padded());
    const float* const scale = rows_.columns;
    bias_.assign(scale + columns, scale + 2 * columns);
    const auto* const sums = reinterpret_cast<const int32_t*>(scale + 2 * columns);
    for (size_t c = 0; c < columns && flip_ != 0; ++c) {
      bias_[c] -= static_cast<float>(128.0 * sums[c] * static_cast<double>(scale[c]));
    }
    finish_.scale = scale;
    finish_.bias = bias_.data();
    places_.assign(static_cast<size_t>(positions_of(s_)), -1);
    for (int64_t y = 0; y < s_.out_height; ++y) {
      for (int64_t x = 0; x < s_.out_width; ++x) {
        places_[static_cast<size_t>(y * planes_.columns + x)] =
            static_cast<int32_t>((y * s_.out_width + x) * s_.out_channels);
      }
    }
  }

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(image_words() + threads_ * worker_words()) * sizeof(uint32_t);
  }

  void run(const KernelIo& io) const override {
    const int64_t bands = divide_up(s_.in_height * s_.in_width, kMostPositions);
    const int64_t rows = divide_up(s_.in_height, std::min(bands, s_.in_height));
    const auto tasks = static_cast<size_t>(divide_up(s_.in_height, rows));
    const auto tiles = static_cast<size_t>(divide_up(positions_of(s_), tile_));
    for (int64_t n = 0; n < s_.batch; ++n) {
      if (s_.padded()) std::memset(io.scratch, zero_, static_cast<size_t>(image_words()) * 4);
      io.pool->parallel_for(tasks, [&](size_t task, int worker) {
        const int64_t first = static_cast<int64_t>(task) * rows;
        for (int64_t y = first; y < std::min(first + rows, s_.in_height); ++y) {
          if (reads_row(s_, y + s_.pad_top)) copy_row(io, n, y, worker);
        }
      });
      io.pool->parallel_for(tiles, [&](size_t tile, int worker) {
        run_tile(io, n, static_cast<int64_t>(tile) * tile_, worker);
      });
    }
  }

 private:
  // Vectors run over the end of the last plane.
  int64_t image_words() const {
    return whole(fours_of(s_) * planes_.channel() + kMostPositions, 16);
  }
  // The sums of a tile and 16 columns of them as rows, or a row of the image in whole fours.
  int64_t worker_words() const {
    const int64_t row = s_.in_width * fours_of(s_);
    return whole(std::max((extent_.padded() + 16) * tile_, row), 16);
  }
  uint32_t* worker_of(const KernelIo& io, int worker) const {
    return static_cast<uint32_t*>(io.scratch) + image_words() + worker * worker_words();
  }

  void copy_row(const KernelIo& io, int64_t n, int64_t y, int worker) const {
    const int64_t fours = fours_of(s_), row_bytes = s_.in_width * s_.in_channels;
    const uint8_t* from =
        static_cast<const uint8_t*>(io.inputs[0]) + (n * s_.in_height + y) * row_bytes;
    if (flip_ != 0 || s_.in_channels % 4 != 0) {
      auto* const row = reinterpret_cast<uint8_t*>(worker_of(io, worker));
      from = whole_fours(from, row);
    }
    auto* const image = static_cast<uint32_t*>(io.scratch);
    for (int64_t phase = 0; phase < std::min(s_.stride_x, s_.in_width); ++phase) {
      transpose_words(from + phase * fours * 4, fours * s_.stride_x,
                      static_cast<size_t>(divide_up(s_.in_width - phase, s_.stride_x)),
                      static_cast<size_t>(fours),
                      image + planes_.at(y + s_.pad_top, phase + s_.pad_left), planes_.channel());
    }
  }

  // Unsigned bytes; channels behind the last meet weights of zero.
  const uint8_t* whole_fours(const uint8_t* from, uint8_t* row) const {
    const int64_t step = 4 * fours_of(s_);
    for (int64_t x = 0; x < s_.in_width; ++x) {
      const uint8_t* const pixel = from + x * s_.in_channels;
      uint8_t* const to = row + x * step;
      for (int64_t c = 0; c < s_.in_channels; ++c) to[c] = pixel[c] ^ flip_;
      std::fill(to + s_.in_channels, to + step, uint8_t{0});
    }
    return row;
  }

  void run_tile(const KernelIo& io, int64_t n, int64_t first, int worker) const {
    const int64_t count = std::min(tile_, positions_of(s_) - first);
    auto* const sums = reinterpret_cast<int32_t*>(worker_of(io, worker));
    SparseBytes tile;
    tile.x = static_cast<const uint32_t*>(io.scratch) + first;
    tile.weights = static_cast<const uint32_t*>(rows_.weights);
    tile.offsets = rows_.offsets.data();
    tile.outputs = static_cast<size_t>(extent_.padded());
    tile.positions = static_cast<size_t>(count);
    tile.sums = sums;
    tile.step = tile_;
    for (int64_t block = 0; block < extent_.blocks(); ++block) {
      tile.begins = rows_.begins + block * extent_.padded();
      tile.add = block > 0;
      sparse_byte_sums(tile);
    }
    store(io, n, first, count, sums);
  }

  void store(const KernelIo& io, int64_t n, int64_t first, int64_t count, int32_t* sums) const {
    const int64_t start = n * s_.out_height * s_.out_width * s_.out_channels;
    Finish finish = finish_;
    finish.out = static_cast<uint8_t*>(io.outputs[0]) + start * out_bytes_;
    if (io.outputs.size() > 1 && io.outputs[1] != nullptr) {
      finish.out_float = static_cast<float*>(io.outputs[1]) + start;
    }
    if (io.inputs.size() > 4 && io.inputs[4] != nullptr) {
      finish.residual = static_cast<const uint8_t*>(io.inputs[4]) + start * residual_bytes_;
    }
    int32_t* const turned = sums + extent_.padded() * tile_;
    for (int64_t column = 0; column < s_.out_channels; column += 16) {
      transpose_words(sums + column * tile_, tile_, 16, static_cast<size_t>(count), turned, 16);
      const auto columns = static_cast<size_t>(std::min<int64_t>(16, s_.out_channels - column));
      for (int64_t row = 0; row < count; row += kFinishRows) {
        finish_sums(finish, turned + row * 16, 16, places_.data() + first + row,
                    static_cast<size_t>(std::min(kFinishRows, count - row)),
                    static_cast<size_t>(column), columns);
      }
    }
  }

  ConvShape s_;
  Planes planes_;
  SparseRows rows_;
  SparseExtent extent_;
  int threads_;
  int64_t tile_;
  uint8_t flip_, zero_;
  Finish finish_;
  int64_t out_bytes_, residual_bytes_;
  std::vector<float> bias_;
  std::vector<int32_t> places_;
};

// [output, channel, kernel row, kernel column] of the weights; k of a product is its channel.
struct Weights {
  const int8_t* w = nullptr;
  int64_t output_step = 0, channel_step = 0;

  int8_t at(int64_t output, int64_t channel, int64_t tap) const {
    return w[output * output_step + channel * channel_step + tap];
  }
};

struct SparseShape {
  QuantizedConvShape layer;
  Weights weights;  // `w` is null where the constant is not there
};

Error not_this() {
  return unsupported("sparse quantised product: groups, several right sides or very many inputs");
}

Result<SparseShape> checked(const QuantizedConvShape& layer, Weights weights) {
  const ConvShape& s = layer.conv;
  constexpr int64_t kMost = int64_t{1} << 28;  // distances are 32-bit numbers
  if (s.group != 1 || fours_of(s) * s.kernel_height * s.kernel_width > kMostSparseInputs ||
      (s.padded_height() + s.stride_y) * (s.padded_width() + s.stride_x + 32) >
          kMost / (fours_of(s) + 1)) {
    return not_this();
  }
  return SparseShape{layer, weights};
}

const int8_t* constant_weights(const KernelRequest& request) {
  const Tensor* constant = request.inputs[1].constant;
  return constant != nullptr ? constant->data<int8_t>() : nullptr;
}

Result<SparseShape> parse_sparse_conv(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(QuantizedConvShape layer, parse_quantized_conv(request));
  const ConvShape& s = layer.conv;
  const int64_t taps = s.kernel_height * s.kernel_width;
  const Weights weights = {constant_weights(request), s.in_channels * taps, taps};
  return checked(layer, weights);
}

Result<SparseShape> parse_sparse_product(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const QuantizedMatMulShape product, parse_quantized_matmul(request));
  const MatMulShape& m = product.matmul;
  if (m.batch != 1 || m.transpose_a || m.scale != 1.0f) return not_this();
  QuantizedConvShape layer;
  ConvShape& s = layer.conv;
  s.batch = s.in_height = s.out_height = 1;
  s.in_channels = m.k;
  s.in_width = s.out_width = m.m;
  s.out_channels = m.n;
  layer.requantisation = product.requantisation;
  layer.x_is_signed = product.a_is_signed;
  const Weights weights = {constant_weights(request), m.transpose_b ? m.k : 1,
                           m.transpose_b ? 1 : m.n};
  return checked(layer, weights);
}

using Parse = Result<SparseShape> (*)(const KernelRequest&);

template <Parse kParse>
bool supports(const KernelRequest& request) {
  if (request.inputs.size() < 3 || !is_sparse_enough(request)) return false;
  return kParse(request).ok() && has_constant_factors(request);
}

template <Parse kParse>
Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const SparseShape shape, kParse(request));
  const ConvShape& s = shape.layer.conv;
  const SparseExtent extent = extent_of(s);
  const int64_t taps = s.kernel_height * s.kernel_width;
  const auto padded = static_cast<size_t>(extent.padded());
  std::vector<int32_t> sums(padded, 0);
  for (int64_t output = 0; output < s.out_channels; ++output) {
    int32_t& sum = sums[static_cast<size_t>(output)];
    for (int64_t channel = 0; channel < s.in_channels; ++channel) {
      for (int64_t tap = 0; tap < taps; ++tap) sum += shape.weights.at(output, channel, tap);
    }
  }
  std::vector<float> columns(kColumnArrays * padded, 0.0f);
  const ColumnFactors factors = column_factors(request);
  fold_columns(shape.layer.requantisation, factors.m, factors.one_m, factors.b, sums.data(),
               static_cast<size_t>(s.out_channels), padded, columns.data(),
               columns.data() + padded);
  std::memcpy(columns.data() + 2 * padded, sums.data(), padded * sizeof(int32_t));
  const auto four_at = [&](int64_t output, int64_t k) {
    uint8_t bytes[4] = {};
    for (int64_t i = 0; i < std::min<int64_t>(4, s.in_channels - k / taps * 4); ++i) {
      bytes[i] = static_cast<uint8_t>(shape.weights.at(output, k / taps * 4 + i, k % taps));
    }
    uint32_t word;
    std::memcpy(&word, bytes, sizeof(word));
    return word;
  };
  return pack_sparse_words(extent, four_at, columns);
}

template <Parse kParse>
Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const SparseShape shape, kParse(request));
  const ConvShape& s = shape.layer.conv;
  EDGEWRIGHT_ASSIGN(SparseRows rows, open_sparse(extent_of(s), packed,
                                                 plane_distances(s, fours_of(s)), kColumnArrays));
  return Created(std::make_unique<QuantizedSparse>(shape.layer, std::move(rows), request.threads));
}

}  // namespace

ImplementationFunctions quantized_conv_csr() {
  return {supports<parse_sparse_conv>, pack<parse_sparse_conv>, create<parse_sparse_conv>};
}
ImplementationFunctions quantized_matmul_csr() {
  return {supports<parse_sparse_product>, pack<parse_sparse_product>, create<parse_sparse_product>};
}

}  // namespace edgewright
