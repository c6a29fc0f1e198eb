#include "kernels/integer/integer_layer.h"

#include <algorithm>

#include "kernels/sparse/sparse_weights.h"

namespace edgewright {
namespace {

size_t padded(size_t columns) { return panels_of(columns) * 16; }

// One column of a block: values of k in fours.
void pack_dense(size_t k, FunctionRef<int8_t(size_t i)> at, int8_t* panel, size_t c) {
  for (size_t i = 0; i < k; ++i) panel[i / 4 * 64 + c * 4 + i % 4] = at(i);
}

// Eights of k: the weights that are kept of its two fours, and their places in one byte.
void pack_two_of_four(size_t k, FunctionRef<int8_t(size_t i)> at, int8_t* panel, size_t c) {
  for (size_t first = 0; first < k; first += 4) {
    int places[2] = {0, 1};
    size_t found = 0;
    for (size_t i = 0; i < 4 && first + i < k && found < 2; ++i) {
      if (at(first + i) != 0) places[found++] = static_cast<int>(i);
    }
    if (found == 1) places[1] = places[0] == 3 ? 2 : places[0] + 1;
    const size_t half = first / 4 % 2;
    int8_t* const chunk = panel + first / kIntegerChunk * kTwoOfFourChunkBytes;
    const size_t eight = first % kIntegerChunk / 8;
    for (size_t i = 0; i < 2; ++i) {
      const size_t value = first + static_cast<size_t>(places[i]);
      const int8_t weight = value < k && i < found ? at(value) : int8_t{0};
      chunk[eight * 64 + c * 4 + half * 2 + i] = weight;
    }
    auto& code = reinterpret_cast<uint8_t&>(chunk[512 + eight * 16 + c]);
    code = static_cast<uint8_t>(code | (places[0] | places[1] << 2) << (4 * half));
  }
}

}  // namespace

size_t packed_layer_bytes(const IntegerDepth& depth, size_t columns) {
  return panels_of(columns) * depth.panel_bytes() + 3 * padded(columns) * sizeof(float);
}

bool keeps_two_of_four(const IntegerDepth& depth, size_t columns, WeightAt at) {
  for (size_t c = 0; c < columns; ++c) {
    for (size_t block = 0; block < depth.blocks; ++block) {
      for (size_t first = 0; first < depth.k; first += 4) {
        int count = 0;
        for (size_t i = first; i < std::min(first + 4, depth.k); ++i) {
          count += at(block, i, c) != 0;
        }
        if (count > 2) return false;
      }
    }
  }
  return true;
}

const IntegerCore* find_core(CoreKind kind) {
  if (kind == CoreKind::kAmx) return amx_integer_core();
  return kind == CoreKind::kTwoOfFour ? &two_of_four_core() : &vector_integer_core();
}

bool is_sparse_enough(const KernelRequest& request) {
  const Tensor* weights = request.inputs[1].constant;
  return weights != nullptr && share_of_zeros(*weights) >= kLeastSparsity;
}

void pack_layer(const IntegerDepth& depth, size_t columns, WeightAt at, const Requantisation& r,
                const float* m, bool one_m, const float* b, std::byte* out) {
  auto* const weights = reinterpret_cast<int8_t*>(out);
  const size_t weight_bytes = panels_of(columns) * depth.panel_bytes();
  std::fill(weights, weights + weight_bytes, int8_t{0});
  auto* const scale = reinterpret_cast<float*>(out + weight_bytes);
  float* const bias = scale + padded(columns);
  auto* const sums = reinterpret_cast<int32_t*>(bias + padded(columns));
  std::fill(sums, sums + padded(columns), 0);
  for (size_t c = 0; c < columns; ++c) {
    int8_t* const panel = weights + c / 16 * depth.panel_bytes();
    for (size_t block = 0; block < depth.blocks; ++block) {
      const auto value = [&](size_t i) { return at(block, i, c); };
      const auto pack = depth.two_of_four ? pack_two_of_four : pack_dense;
      pack(depth.k, value, panel + block * depth.block_bytes(), c % 16);
      for (size_t i = 0; i < depth.k; ++i) sums[c] += value(i);
    }
  }
  fold_columns(r, m, one_m, b, sums, columns, padded(columns), scale, bias);
}

IntegerLayer::IntegerLayer(const IntegerCore& core, const IntegerDepth& depth, size_t columns,
                           const Requantisation& r, bool a_is_signed, const std::byte* packed)
    : core_(core), depth_(depth), columns_(columns), a_is_signed_(a_is_signed) {
  weights_ = reinterpret_cast<const int8_t*>(packed);
  const size_t count = padded(columns);
  const auto* scale =
      reinterpret_cast<const float*>(packed + panels_of(columns) * depth.panel_bytes());
  const auto* sums = reinterpret_cast<const int32_t*>(scale + 2 * count);
  bias_.assign(scale + count, scale + 2 * count);
  if (a_is_signed && core.moves_signed) {
    for (size_t c = 0; c < count; ++c) {
      bias_[c] -= static_cast<float>(128.0 * sums[c] * static_cast<double>(scale[c]));
    }
  }
  finish_ = make_finish(r);
  finish_.scale = scale;
  finish_.bias = bias_.data();
}

// Panels outside, rows inside: the weights of a panel group stay in the first-level cache.
void IntegerLayer::run(const Rows& rows, const Target& target) const {
  Finish finish = finish_;
  finish.residual = target.residual;
  finish.out = target.out;
  finish.out_float = target.out_float;
  IntegerProduct product;
  product.a_step = rows.a_step;
  product.offsets = rows.offsets;
  product.blocks = depth_.blocks;
  product.k = depth_.k;
  product.a_is_signed = a_is_signed_;
  product.w_block = static_cast<ptrdiff_t>(depth_.block_bytes());
  product.w_panel = static_cast<ptrdiff_t>(depth_.panel_bytes());
  alignas(64) int32_t sums[kMaxIntegerRows * kMaxIntegerPanels * 16];
  const size_t end = rows.first_panel + rows.panels;
  for (size_t panel = rows.first_panel; panel < end;) {
    const size_t groups = (end - panel + core_.max_panels - 1) / core_.max_panels;
    const size_t wide = (end - panel + groups - 1) / groups;
    const size_t most = core_.max_rows[wide];
    const size_t column = panel * 16;
    const size_t columns = std::min(wide * 16, columns_ - column);
    const auto step = static_cast<ptrdiff_t>(wide * 16);
    product.w = weights_ + static_cast<ptrdiff_t>(panel) * product.w_panel;
    for (size_t row = 0; row < rows.count; row += most) {
      const size_t tall = std::min(most, rows.count - row);
      product.a = rows.a + static_cast<ptrdiff_t>(row) * rows.a_step;
      core_.run(product, tall, wide, sums, step);
      finish_sums(finish, sums, step, rows.places + row, tall, column, columns);
    }
    panel += wide;
  }
}

}  // namespace edgewright
