// Matrix products with a constant right side most of which is zero, as compressed sparse rows, one
// per column of B. Rows of A are turned into planes, one per input, so that a weight meets many of
// them at once; where A has a few rows only, the inputs of a weight are gathered instead.
#include <algorithm>

#include "kernels/matmul/matmul_kernels.h"
#include "kernels/matmul/matmul_shape.h"
#include "kernels/sparse/sparse_tile.h"
#include "kernels/sparse/sparse_weights.h"

namespace edgewright {
namespace {

constexpr int64_t kFewRows = 4;  // gathered
// Floats of planes that are worked on at once: two thirds of a first-level cache of 48 KiB, all of
// one of 32.
constexpr int64_t kCachedFloats = 8192;

// How many rows of A make a tile, and how many inputs a block.
struct Cut {
  int64_t positions = 0, block = 0;
};
Cut cut_of(const MatMulShape& s) {
  if (s.m <= kFewRows) return {s.m, s.k};
  // Few inputs leave room for many positions; tiles of one size leave none for a small last one.
  constexpr auto kMost = static_cast<int64_t>(kSparsePositions);
  const int64_t widest = s.k <= kCachedFloats / kMost ? kMost : 80;
  const int64_t tiles = (s.m + widest - 1) / widest;
  const int64_t positions = ((s.m + tiles - 1) / tiles + 15) / 16 * 16;
  return {positions, std::min(s.k, kCachedFloats / positions)};
}

SparseExtent extent_of(const MatMulShape& s) { return {s.n, s.k, cut_of(s).block}; }

std::vector<int32_t> distances_of(const MatMulShape& s) {
  std::vector<int32_t> distances(static_cast<size_t>(s.k));
  const auto step = static_cast<int32_t>(s.m <= kFewRows ? 1 : cut_of(s).positions);
  for (size_t k = 0; k < distances.size(); ++k) distances[k] = static_cast<int32_t>(k) * step;
  return distances;
}

class MatMulSparse : public PreparedKernel {
 public:
  MatMulSparse(MatMulShape shape, SparseRows rows, int threads)
      : s_(std::move(shape)),
        rows_(std::move(rows)),
        extent_(extent_of(s_)),
        cut_(cut_of(s_)),
        threads_(std::max(threads, 1)) {}

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_ * worker_floats()) * sizeof(float);
  }

  void run(const KernelIo& io) const override {
    const int64_t tiles = (s_.m + cut_.positions - 1) / cut_.positions;
    io.pool->parallel_for(static_cast<size_t>(tiles), [&](size_t index, int worker) {
      run_tile(io, static_cast<int64_t>(index) * cut_.positions,
               static_cast<float*>(io.scratch) + worker * worker_floats());
    });
  }

 private:
  bool gathers() const { return s_.m <= kFewRows; }
  // Planes, then sums.
  int64_t plane_floats() const { return gathers() ? 0 : s_.k * cut_.positions; }
  int64_t worker_floats() const {
    return (plane_floats() + extent_.padded() * cut_.positions + 15) / 16 * 16;
  }

  void run_tile(const KernelIo& io, int64_t first, float* scratch) const {
    const int64_t count = std::min(cut_.positions, s_.m - first);
    const float* const a = static_cast<const float*>(io.inputs[0]) + first * s_.k;
    SparseTile tile;
    tile.x = gathers() ? a : scratch;
    tile.positions = static_cast<size_t>(count);
    tile.sums = scratch + plane_floats();
    tile.step = cut_.positions;
    if (!gathers()) {
      transpose_words(a, s_.k, static_cast<size_t>(count), static_cast<size_t>(s_.k), scratch,
                      cut_.positions);
    }
    sum_blocks(extent_, rows_, tile, gathers() ? std::optional<ptrdiff_t>(s_.k) : std::nullopt);
    for (int64_t column = 0; column < s_.n; column += 16) {
      const int64_t at = first * s_.n + column;
      RowFinish finish;
      finish.bias = rows_.columns + column;
      finish.residual = s_.has_residual ? static_cast<const float*>(io.inputs[3]) + at : nullptr;
      finish.out = static_cast<float*>(io.outputs[0]) + at;
      finish.step = s_.n;
      finish.columns = static_cast<size_t>(std::min<int64_t>(16, s_.n - column));
      finish_columns(tile.sums + column * tile.step, tile.step, tile.positions, s_.epilogue,
                     finish);
    }
  }

  MatMulShape s_;
  SparseRows rows_;
  SparseExtent extent_;
  Cut cut_;
  int threads_;
};

Result<MatMulShape> parse(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(MatMulShape s, parse_matmul(request));
  constexpr int64_t kMost = int64_t{1} << 24;  // distances are 32-bit numbers
  if (s.batch != 1 || s.transpose_a || s.k > kMostSparseInputs || s.n > kMost ||
      s.k * cut_of(s).positions > kMost) {
    return unsupported("sparse product: several right sides, or very many inputs");
  }
  return s;
}

bool supports(const KernelRequest& request) {
  if (request.inputs.size() < 2 || request.inputs[1].constant == nullptr ||
      share_of_zeros(*request.inputs[1].constant) < kLeastSparsity) {
    return false;
  }
  const auto s = parse(request);
  return s.ok() && (!s->has_bias || request.inputs[2].constant != nullptr);
}

Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const MatMulShape s, parse(request));
  const float* const b = request.inputs[1].constant->data<float>();
  const float* const bias = s.has_bias ? request.inputs[2].constant->data<float>() : nullptr;
  return pack_sparse(
      extent_of(s),
      [&](int64_t n, int64_t k) { return s.scale * b[s.transpose_b ? n * s.k + k : k * s.n + n]; },
      bias);
}

Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(MatMulShape s, parse(request));
  EDGEWRIGHT_ASSIGN(SparseRows rows, open_sparse(extent_of(s), packed, distances_of(s)));
  return Created(std::make_unique<MatMulSparse>(std::move(s), std::move(rows), request.threads));
}

}  // namespace

ImplementationFunctions matmul_sparse() { return {supports, pack, create}; }

}  // namespace edgewright
