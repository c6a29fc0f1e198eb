#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "kernels/implementation.h"
#include "kernels/sparse/sparse_tile.h"
#include "tensor/tensor.h"

// Constant weights most of which are zero, in compressed rows.
namespace edgewright {

// Fewer zeros than this are not worth a look: the dense kernels do more multiplications a cycle.
inline constexpr double kLeastSparsity = 0.4;

// Share of zeros of float32 or int8 weights. Weights that a look at some of their elements shows to
// be dense count as 0, so that asking costs a dense model nothing.
double share_of_zeros(const Tensor& weights);

// Weight of input k of an output.
using SparseWeightAt = FunctionRef<float(int64_t output, int64_t k)>;

// Whether at most two of every four neighbouring inputs of every output have a weight.
bool is_two_of_four(int64_t outputs, int64_t depth, SparseWeightAt at);
// Places, 0 to 3, of two such weights among four: the first and the second, in that order; where
// there are fewer, others that are zero.
std::pair<int, int> places_of_two(int64_t output, int64_t first_k, int64_t depth,
                                  SparseWeightAt at);

// What does not change between pack and create: `outputs` rows of `depth` inputs, which are worked
// through in blocks of `block` inputs so that what they read stays in cache.
struct SparseExtent {
  int64_t outputs = 0, depth = 0, block = 0;

  int64_t blocks() const { return (depth + block - 1) / block; }
  int64_t padded() const { return (outputs + 15) / 16 * 16; }  // whole groups of 16
  size_t row_count() const { return static_cast<size_t>(blocks() * padded()); }
};
// Inputs are stored as 16-bit numbers.
inline constexpr int64_t kMostSparseInputs = 1 << 16;

// What an output has of input k, 32 bits; 0: nothing.
using SparseWordAt = FunctionRef<uint32_t(int64_t output, int64_t k)>;

// Compressed sparse rows as one uint8 tensor: where the rows of every block begin (uint32,
// blocks x padded outputs + 1), `columns` (of floats: the bias of every output, padded), weights
// (32 bits each), inputs (uint16).
Result<Tensor> pack_sparse_words(const SparseExtent& extent, SparseWordAt at,
                                 std::span<const float> columns);
Result<Tensor> pack_sparse(const SparseExtent& extent, SparseWeightAt at, const float* bias);

// Packed rows bound to distances: input k lies distances[k] numbers of 32 bits behind a position.
struct SparseRows {
  const uint32_t* begins = nullptr;  // row (block, output) at [block * padded + output]
  const float* columns = nullptr;
  const void* weights = nullptr;
  std::vector<int32_t> offsets;  // per weight
};
// `columns`: arrays of one float per padded output. kBadInput where the bytes are no such rows;
// `packed` outlives the result.
Result<SparseRows> open_sparse(const SparseExtent& extent, PackedBytes packed,
                               std::span<const int32_t> distances, size_t columns = 1);

// Sums over all blocks of inputs. `tile` says where the inputs and the sums of its positions lie;
// positions lie side by side in planes (sparse_sums), or `x_step` floats apart (sparse_dots).
void sum_blocks(const SparseExtent& extent, const SparseRows& rows, SparseTile tile,
                std::optional<ptrdiff_t> x_step = std::nullopt);

}  // namespace edgewright
