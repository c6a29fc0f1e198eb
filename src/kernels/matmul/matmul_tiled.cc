// Matrix products on the register tiles of gemm/tile.h. A constant B is packed into panels when the
// plan is made; a computed one at every call.
#include <algorithm>

#include "kernels/gemm/tile.h"
#include "kernels/matmul/matmul_kernels.h"
#include "kernels/matmul/matmul_shape.h"
#include "kernels/sparse/sparse_tile.h"

namespace edgewright {
namespace {

constexpr ptrdiff_t kNoOffset = 0;

int64_t panels_size(const MatMulShape& s) { return s.panels() * s.k * 16; }

class MatMulTiled : public PreparedKernel {
 public:
  // `packed` is empty when B is computed.
  MatMulTiled(MatMulShape shape, PackedBytes packed, int threads)
      : s_(std::move(shape)), packed_(reinterpret_cast<const float*>(packed.data())) {
    // A few tasks a thread, of at least 300,000 multiply-adds: much more than handing one out
    // costs. Rows are cut, or columns where rows are few: B is read once a cut.
    const int64_t most = threads <= 1 ? 1 : 4 * int64_t{threads};
    const int64_t wanted = std::clamp<int64_t>(s_.m * s_.k * s_.n / 300000, 1, most);
    constexpr int64_t kFewRows = 24;
    rows_per_task_ = s_.m;
    panels_per_task_ = s_.panels();
    if (s_.m >= wanted * kFewRows) {
      rows_per_task_ = (s_.m + wanted - 1) / wanted;
    } else {
      panels_per_task_ = std::max<int64_t>((s_.panels() + wanted - 1) / wanted, kMaxTilePanels);
    }
  }

  size_t scratch_size_bytes() const override {
    const int64_t b = packed_ ? 0 : b_copies() * panels_size(s_);
    const int64_t a = s_.transpose_a ? s_.batch * s_.m * s_.k : 0;
    const int64_t bias = s_.has_bias && !packed_ ? s_.panels() * 16 : 0;
    return static_cast<size_t>(a + b + bias) * sizeof(float);
  }

  void run(const KernelIo& io) const override {
    Operands operands;
    prepare(io, operands);
    const int64_t row_tasks = (s_.m + rows_per_task_ - 1) / rows_per_task_;
    const int64_t panel_tasks = (s_.panels() + panels_per_task_ - 1) / panels_per_task_;
    const size_t tasks = static_cast<size_t>(s_.batch * row_tasks * panel_tasks);
    io.pool->parallel_for(tasks, [&](size_t index, int) {
      const int64_t i = static_cast<int64_t>(index);
      run_part(io, operands, i / row_tasks / panel_tasks, i % row_tasks * rows_per_task_,
               i / row_tasks % panel_tasks * panels_per_task_);
    });
  }

 private:
  struct Operands {
    const float* a = nullptr;
    const float* b = nullptr;
    const float* bias = nullptr;
  };

  int64_t b_copies() const { return s_.b_is_shared ? 1 : s_.batch; }

  // Copies to scratch what does not lie as the tiles want it.
  void prepare(const KernelIo& io, Operands& operands) const {
    float* scratch = static_cast<float*>(io.scratch);
    operands.a = static_cast<const float*>(io.inputs[0]);
    if (s_.transpose_a) {
      io.pool->parallel_for(static_cast<size_t>(s_.batch), [&](size_t i, int) {
        transpose_words(operands.a + s_.a_index[i] * s_.m * s_.k, s_.m, static_cast<size_t>(s_.k),
                        static_cast<size_t>(s_.m), scratch + static_cast<int64_t>(i) * s_.m * s_.k,
                        s_.k);
      });
      operands.a = scratch;
      scratch += s_.batch * s_.m * s_.k;
    }
    if (packed_) {
      operands.b = packed_;
      operands.bias = s_.has_bias ? packed_ + panels_size(s_) : nullptr;
      return;
    }
    const float* const b = static_cast<const float*>(io.inputs[1]);
    io.pool->parallel_for(static_cast<size_t>(b_copies()), [&](size_t i, int) {
      pack_panels(b + s_.b_index[i] * s_.k * s_.n, s_.k, s_.n, s_.transpose_b,
                  scratch + static_cast<int64_t>(i) * panels_size(s_));
    });
    operands.b = scratch;
    scratch += b_copies() * panels_size(s_);
    if (s_.has_bias) {
      const float* const bias = static_cast<const float*>(io.inputs[2]);
      std::fill(std::copy(bias, bias + s_.n, scratch), scratch + s_.panels() * 16, 0.0f);
      operands.bias = scratch;
    }
  }

  void run_part(const KernelIo& io, const Operands& operands, int64_t matrix, int64_t row,
                int64_t panel) const {
    const size_t i = static_cast<size_t>(matrix);
    const int64_t rows = std::min(rows_per_task_, s_.m - row);
    const int64_t panels = std::min(panels_per_task_, s_.panels() - panel);
    const int64_t at = matrix * s_.m * s_.n + row * s_.n + panel * 16;
    TileArgs tile;
    tile.a = operands.a + (s_.transpose_a ? matrix : s_.a_index[i]) * s_.m * s_.k + row * s_.k;
    tile.a_step = s_.k;
    tile.offsets = &kNoOffset;
    tile.klen = static_cast<size_t>(s_.k);
    tile.w_panel = s_.k * 16;
    tile.w = operands.b + (s_.b_is_shared ? 0 : matrix) * panels_size(s_) + panel * tile.w_panel;
    tile.c = static_cast<float*>(io.outputs[0]) + at;
    tile.c_step = s_.n;
    tile.c_panel = 16;
    tile.bias = operands.bias ? operands.bias + panel * 16 : nullptr;
    tile.residual = s_.has_residual ? static_cast<const float*>(io.inputs[3]) + at : nullptr;
    tile.scale = s_.scale;
    const bool ends = panel + panels == s_.panels();
    tile.columns = ends ? static_cast<int>(s_.n - (s_.panels() - 1) * 16) : 16;
    run_tiles(tile, s_.epilogue, static_cast<size_t>(rows), static_cast<size_t>(panels));
  }

  MatMulShape s_;
  const float* packed_;
  int64_t rows_per_task_ = 1;
  int64_t panels_per_task_ = 1;
};

bool supports_packed(const KernelRequest& request) {
  const auto shape = parse_matmul(request);
  return shape.ok() && request.inputs[1].constant != nullptr && shape->b_is_shared &&
         (!shape->has_bias || request.inputs[2].constant != nullptr);
}

bool supports_dynamic(const KernelRequest& request) { return parse_matmul(request).ok(); }

Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const MatMulShape s, parse_matmul(request));
  const int64_t count = panels_size(s) + s.panels() * 16;
  EDGEWRIGHT_ASSIGN(Tensor packed, Tensor::allocate(DType::kUint8, {count * 4}));
  float* const out = reinterpret_cast<float*>(packed.mutable_bytes());
  pack_panels(request.inputs[1].constant->data<float>(), s.k, s.n, s.transpose_b, out);
  if (s.has_bias) {
    const auto bias = request.inputs[2].constant->elements<float>();
    std::copy(bias.begin(), bias.end(), out + panels_size(s));
  }
  return packed;
}

Created create_packed(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(MatMulShape s, parse_matmul(request));
  if (packed.size() != static_cast<size_t>(panels_size(s) + s.panels() * 16) * sizeof(float)) {
    return bad_input("packed matrix has {} bytes", packed.size());
  }
  return Created(std::make_unique<MatMulTiled>(std::move(s), packed, request.threads));
}

Created create_dynamic(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(MatMulShape s, parse_matmul(request));
  return Created(std::make_unique<MatMulTiled>(std::move(s), PackedBytes(), request.threads));
}

}  // namespace

ImplementationFunctions matmul_packed() { return {supports_packed, pack, create_packed}; }
ImplementationFunctions matmul_dynamic() { return {supports_dynamic, nullptr, create_dynamic}; }

}  // namespace edgewright
