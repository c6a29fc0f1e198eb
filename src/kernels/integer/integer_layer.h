#pragma once

#include <vector>

#include "kernels/implementation.h"
#include "kernels/integer/integer_tile.h"
#include "kernels/integer/requantise.h"

// What the quantised products share: packed weights with their factors, and the walk over tiles.
namespace edgewright {

// The K values of a product: `blocks` of k bytes each.
struct IntegerDepth {
  size_t blocks = 1;
  size_t k = 0;
  bool two_of_four = false;  // weights of which two in four along k are kept

  size_t chunks() const { return (k + kIntegerChunk - 1) / kIntegerChunk; }
  size_t block_bytes() const {
    return chunks() * (two_of_four ? kTwoOfFourChunkBytes : kIntegerChunkBytes);
  }
  size_t panel_bytes() const { return blocks * block_bytes(); }
};

inline size_t panels_of(size_t columns) { return (columns + 15) / 16; }
// Weights, then scale, bias and weight sum of every column.
size_t packed_layer_bytes(const IntegerDepth& depth, size_t columns);

// Value i of block b of column c.
using WeightAt = FunctionRef<int8_t(size_t block, size_t i, size_t column)>;
// `out` has packed_layer_bytes().
void pack_layer(const IntegerDepth& depth, size_t columns, WeightAt at, const Requantisation& r,
                const float* m, bool one_m, const float* b, std::byte* out);

// Whether at most two of every four weights along k are there, in every block and column.
bool keeps_two_of_four(const IntegerDepth& depth, size_t columns, WeightAt at);

// The cores that a product may run on.
enum class CoreKind : uint8_t { kVector, kAmx, kTwoOfFour };
// Null where this CPU has it not.
const IntegerCore* find_core(CoreKind kind);
// Whether the constant weights (input 1) have zeros enough for a look at their places.
bool is_sparse_enough(const KernelRequest& request);

// Packed weights bound to a core. `packed` outlives it.
class IntegerLayer {
 public:
  IntegerLayer(const IntegerCore& core, const IntegerDepth& depth, size_t columns,
               const Requantisation& r, bool a_is_signed, const std::byte* packed);

  // Rows of A to rows of the output; `places` says where (see finish_sums).
  struct Rows {
    const uint8_t* a = nullptr;
    ptrdiff_t a_step = 0;
    const ptrdiff_t* offsets = nullptr;
    const int32_t* places = nullptr;
    size_t count = 0;
    size_t first_panel = 0, panels = 0;
  };
  struct Target {
    const void* residual = nullptr;
    void* out = nullptr;
    float* out_float = nullptr;
  };
  void run(const Rows& rows, const Target& target) const;

  const IntegerCore& core() const { return core_; }
  size_t columns() const { return columns_; }

 private:
  const IntegerCore& core_;
  IntegerDepth depth_;
  size_t columns_;
  bool a_is_signed_;
  const int8_t* weights_;
  std::vector<float> bias_;
  Finish finish_;
};

}  // namespace edgewright
