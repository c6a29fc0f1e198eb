// Matrix products with a constant right side of which two in four weights along K are kept: half
// the multiplications of a dense product and little more than half its bytes, for one permutation
// of the inputs each. What is won is traffic, so that few rows win most.
#include <algorithm>

#include "kernels/matmul/matmul_kernels.h"
#include "kernels/matmul/matmul_shape.h"
#include "kernels/sparse/sparse_tile.h"
#include "kernels/sparse/sparse_weights.h"
#include "kernels/sparse/two_of_four.h"

namespace edgewright {
namespace {

size_t panel_bytes(const MatMulShape& s) { return static_cast<size_t>(s.k / 4) * kTwoOfFourBytes; }
// Panels, then the bias in whole panels.
size_t packed_bytes(const MatMulShape& s) {
  return static_cast<size_t>(s.panels()) * (panel_bytes(s) + 16 * sizeof(float));
}

class MatMulTwoOfFour : public PreparedKernel {
 public:
  MatMulTwoOfFour(MatMulShape shape, PackedBytes packed, int threads)
      : s_(std::move(shape)), panels_(packed.data()) {
    bias_ = reinterpret_cast<const float*>(panels_ +
                                           static_cast<size_t>(s_.panels()) * panel_bytes(s_));
    // A task a thread and more, of columns: B is read once.
    const int64_t wanted = threads <= 1 ? 1 : 2 * int64_t{threads};
    panels_per_task_ = std::max<int64_t>((s_.panels() + wanted - 1) / wanted, 1);
  }

  void run(const KernelIo& io) const override {
    const int64_t tasks = (s_.panels() + panels_per_task_ - 1) / panels_per_task_;
    io.pool->parallel_for(static_cast<size_t>(tasks), [&](size_t task, int) {
      const int64_t first = static_cast<int64_t>(task) * panels_per_task_;
      const int64_t end = std::min(first + panels_per_task_, s_.panels());
      const int64_t widest = s_.m == 1 ? static_cast<int64_t>(kTwoOfFourPanels) : 2;
      for (int64_t panel = first; panel < end; panel += widest) {
        run_panels(io, panel, std::min(widest, end - panel));
      }
    });
  }

 private:
  void run_panels(const KernelIo& io, int64_t panel, int64_t count) const {
    alignas(64) float sums[kTwoOfFourRows * kTwoOfFourPanels * 16];
    TwoOfFour product;
    product.a_step = s_.k;
    product.panels = panels_ + static_cast<size_t>(panel) * panel_bytes(s_);
    product.quads = static_cast<size_t>(s_.k / 4);
    product.sums = sums;
    product.step = count * 16;
    constexpr auto kMost = static_cast<int64_t>(kTwoOfFourRows);
    for (int64_t row = 0; row < s_.m; row += kMost) {
      const auto rows = static_cast<size_t>(std::min(kMost, s_.m - row));
      product.a = static_cast<const float*>(io.inputs[0]) + row * s_.k;
      two_of_four_sums(product, rows, static_cast<size_t>(count));
      for (int64_t p = 0; p < count; ++p)
        finish(io, sums + p * 16, product.step, row, rows, panel + p);
    }
  }

  void finish(const KernelIo& io, const float* sums, ptrdiff_t step, int64_t row, size_t rows,
              int64_t panel) const {
    const int64_t at = row * s_.n + panel * 16;
    RowFinish f;
    f.bias = bias_ + panel * 16;
    f.residual = s_.has_residual ? static_cast<const float*>(io.inputs[3]) + at : nullptr;
    f.out = static_cast<float*>(io.outputs[0]) + at;
    f.step = s_.n;
    f.columns = static_cast<size_t>(std::min<int64_t>(16, s_.n - panel * 16));
    finish_rows(sums, step, rows, s_.epilogue, f);
  }

  MatMulShape s_;
  const std::byte* panels_;
  const float* bias_;
  int64_t panels_per_task_ = 1;
};

Result<MatMulShape> parse(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(MatMulShape s, parse_matmul(request));
  // Whole fours only: rows of A are read to their last four.
  if (s.batch != 1 || s.transpose_a || s.k % 4 != 0) {
    return unsupported("2:4 product: several right sides, or inputs that are no fours");
  }
  return s;
}

// Weight k of column n of B.
auto weight_of(const MatMulShape& s, const Tensor& b) {
  return [&s, values = b.data<float>()](int64_t n, int64_t k) {
    return n < s.n ? s.scale * values[s.transpose_b ? n * s.k + k : k * s.n + n] : 0.0f;
  };
}

bool supports(const KernelRequest& request) {
  if (request.inputs.size() < 2 || request.inputs[1].constant == nullptr ||
      share_of_zeros(*request.inputs[1].constant) < kLeastSparsity) {
    return false;
  }
  const auto s = parse(request);
  return s.ok() && (!s->has_bias || request.inputs[2].constant != nullptr) &&
         is_two_of_four(s->n, s->k, weight_of(*s, *request.inputs[1].constant));
}

Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const MatMulShape s, parse(request));
  EDGEWRIGHT_ASSIGN(Tensor packed,
                    Tensor::allocate(DType::kUint8, {static_cast<int64_t>(packed_bytes(s))}));
  const auto at = weight_of(s, *request.inputs[1].constant);
  std::byte* out = packed.mutable_bytes();
  for (int64_t panel = 0; panel < s.panels(); ++panel) {
    for (int64_t k = 0; k < s.k; k += 4, out += kTwoOfFourBytes) {
      auto* const weights = reinterpret_cast<float*>(out);
      for (int64_t c = 0; c < 16; ++c) {
        const int64_t n = panel * 16 + c;
        const auto [first, second] = places_of_two(n, k, s.k, at);
        weights[c] = at(n, k + first);
        weights[16 + c] = at(n, k + second);
        out[128 + c] = static_cast<std::byte>(first | second << 2);
      }
    }
  }
  if (s.has_bias) {
    const auto bias = request.inputs[2].constant->elements<float>();
    std::ranges::copy(bias, reinterpret_cast<float*>(out));
  }
  return packed;
}

Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(MatMulShape s, parse(request));
  if (packed.size() != packed_bytes(s)) {
    return bad_input("packed 2:4 matrix has {} bytes, expected {}", packed.size(), packed_bytes(s));
  }
  return Created(std::make_unique<MatMulTwoOfFour>(std::move(s), packed, request.threads));
}

}  // namespace

ImplementationFunctions matmul_two_of_four() { return {supports, pack, create}; }

}  // namespace edgewright
