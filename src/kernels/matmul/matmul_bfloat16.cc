// Matrix products of bfloat16 with a constant right side (AMX). Rows of A are rounded some at a
// time, padded with zeros to whole chunks.
#include <algorithm>

#include "kernels/bfloat16/bfloat16_tile.h"
#include "kernels/matmul/matmul_kernels.h"
#include "kernels/matmul/matmul_shape.h"
#include "kernels/sparse/sparse_tile.h"

namespace edgewright {
namespace {

// Rows that are rounded and multiplied before the next are looked at: few enough to stay in the
// second-level cache, so many that weights are read seldom.
constexpr int64_t kRowsAtOnce = 256;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

Bfloat16Depth depth_of(const MatMulShape& s) {
  return {1, static_cast<size_t>(s.k), static_cast<size_t>(s.n)};
}

class MatMulBfloat16 : public PreparedKernel {
 public:
  MatMulBfloat16(MatMulShape shape, PackedBytes packed, int threads)
      : s_(std::move(shape)),
        depth_(depth_of(s_)),
        step_(divide_up(s_.k, static_cast<int64_t>(kBfloat16Chunk)) *
              static_cast<int64_t>(kBfloat16Chunk)),
        threads_(std::max(threads, 1)) {
    weights_ = reinterpret_cast<const uint16_t*>(packed.data());
    bias_ = reinterpret_cast<const float*>(weights_ + depth_.panels() * depth_.panel_size());
    constexpr auto kTall = static_cast<int64_t>(kBfloat16Rows);
    const int64_t pieces = threads_ == 1 ? 1 : 2 * int64_t{threads_};
    rows_per_task_ =
        std::clamp(divide_up(divide_up(s_.m, pieces), kTall) * kTall, kTall, kRowsAtOnce);
  }

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_) * worker_bytes();
  }

  void run(const KernelIo& io) const override {
    const int64_t tasks = divide_up(s_.m, rows_per_task_);
    io.pool->parallel_for(static_cast<size_t>(tasks), [&](size_t index, int worker) {
      auto* const rows = reinterpret_cast<uint16_t*>(static_cast<std::byte*>(io.scratch) +
                                                     static_cast<size_t>(worker) * worker_bytes());
      const int64_t first = static_cast<int64_t>(index) * rows_per_task_;
      run_rows(io, first, std::min(rows_per_task_, s_.m - first), rows);
    });
  }

 private:
  size_t worker_bytes() const { return static_cast<size_t>(rows_per_task_ * step_) * 2; }

  void run_rows(const KernelIo& io, int64_t first, int64_t count, uint16_t* rows) const {
    static constexpr ptrdiff_t kNoOffset = 0;
    const float* const a = static_cast<const float*>(io.inputs[0]) + first * s_.k;
    for (int64_t row = 0; row < count; ++row) {
      round_to_bfloat16(a + row * s_.k, static_cast<size_t>(s_.k), rows + row * step_);
      std::fill(rows + row * step_ + s_.k, rows + (row + 1) * step_, uint16_t{0});
    }
    alignas(64) float sums[kBfloat16Rows * kBfloat16Panels * 16];
    Bfloat16Product product;
    product.a_step = step_;
    product.offsets = &kNoOffset;
    product.k = depth_.k;
    product.w_block = static_cast<ptrdiff_t>(depth_.block_size());
    product.w_panel = static_cast<ptrdiff_t>(depth_.panel_size());
    begin_bfloat16_tiles();
    for (size_t panel = 0; panel < depth_.panels(); panel += kBfloat16Panels) {
      const size_t wide = std::min(kBfloat16Panels, depth_.panels() - panel);
      product.w = weights_ + static_cast<ptrdiff_t>(panel) * product.w_panel;
      for (int64_t row = 0; row < count; row += static_cast<int64_t>(kBfloat16Rows)) {
        const auto tall =
            static_cast<size_t>(std::min(static_cast<int64_t>(kBfloat16Rows), count - row));
        product.a = rows + row * step_;
        bfloat16_sums(product, tall, wide, sums, static_cast<ptrdiff_t>(wide * 16));
        for (size_t p = 0; p < wide; ++p) {
          store(io, first + row, tall, panel + p, sums + p * 16, static_cast<ptrdiff_t>(wide * 16));
        }
      }
    }
    end_bfloat16_tiles();
  }

  void store(const KernelIo& io, int64_t row, size_t tall, size_t panel, const float* sums,
             ptrdiff_t step) const {
    const int64_t column = static_cast<int64_t>(panel) * 16, at = row * s_.n + column;
    RowFinish finish;
    finish.bias = bias_ + column;
    if (s_.has_residual) finish.residual = static_cast<const float*>(io.inputs[3]) + at;
    finish.out = static_cast<float*>(io.outputs[0]) + at;
    finish.step = s_.n;
    finish.columns = static_cast<size_t>(std::min<int64_t>(16, s_.n - column));
    finish_rows(sums, step, tall, s_.epilogue, finish);
  }

  MatMulShape s_;
  Bfloat16Depth depth_;
  int64_t step_;  // numbers from row to row
  int threads_;
  const uint16_t* weights_;
  const float* bias_;
  int64_t rows_per_task_ = 1;
};

Result<MatMulShape> parse(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(MatMulShape s, parse_matmul(request));
  // A factor of the sums would have to be rounded into the weights.
  if (s.batch != 1 || s.transpose_a || s.scale != 1.0f) {
    return unsupported("bfloat16 product: several right sides or a factor");
  }
  return s;
}

bool supports(const KernelRequest& request) {
  if (!has_bfloat16_tiles() || !wants_bfloat16_products(request) || request.inputs.size() < 2 ||
      request.inputs[1].constant == nullptr) {
    return false;
  }
  const auto s = parse(request);
  return s.ok() && (!s->has_bias || request.inputs[2].constant != nullptr);
}

Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const MatMulShape s, parse(request));
  const Bfloat16Depth depth = depth_of(s);
  EDGEWRIGHT_ASSIGN(Tensor packed,
                    Tensor::allocate(DType::kUint8, {static_cast<int64_t>(depth.packed_bytes())}));
  const float* const b = request.inputs[1].constant->data<float>();
  const float* const bias = s.has_bias ? request.inputs[2].constant->data<float>() : nullptr;
  const auto k = static_cast<size_t>(s.k), n = static_cast<size_t>(s.n);
  const auto weight = [&](size_t, size_t i, size_t column) {
    return b[s.transpose_b ? column * k + i : i * n + column];
  };
  pack_bfloat16(depth, weight, bias, packed.mutable_bytes());
  return packed;
}

Created create(const KernelRequest& request, PackedBytes packed) {
  if (!has_bfloat16_tiles()) return unsupported("this CPU has no AMX for bfloat16");
  EDGEWRIGHT_ASSIGN(MatMulShape s, parse(request));
  if (packed.size() != depth_of(s).packed_bytes()) {
    return bad_input("packed bfloat16 matrix has {} bytes, expected {}", packed.size(),
                     depth_of(s).packed_bytes());
  }
  return Created(std::make_unique<MatMulBfloat16>(std::move(s), packed, request.threads));
}

}  // namespace

ImplementationFunctions matmul_bfloat16() { return {supports, pack, create}; }

}  // namespace edgewright
