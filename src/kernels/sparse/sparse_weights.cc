#include "kernels/sparse/sparse_weights.h"

#include <algorithm>
#include <bit>

namespace edgewright {
namespace {

constexpr int64_t kLook = 512;  // elements that are looked at first

template <class T>
double share(std::span<const T> values) {
  const auto count = static_cast<int64_t>(values.size());
  if (count == 0) return 0;
  // An odd step meets all places of patterns along four.
  const int64_t step = std::max<int64_t>(1, count / kLook) | 1;
  int64_t seen = 0, zeros = 0;
  for (int64_t i = 0; i < count; i += step, ++seen) zeros += values[static_cast<size_t>(i)] == 0;
  // Half of what counts as sparse: a sample of some hundred is that far off in no practical case.
  if (static_cast<double>(zeros) < kLeastSparsity / 2 * static_cast<double>(seen)) return 0;
  const auto all = std::ranges::count(values, T{0});
  return static_cast<double>(all) / static_cast<double>(count);
}

Error damaged(const char* what) { return bad_input("packed sparse weights: {}", what); }

}  // namespace

double share_of_zeros(const Tensor& weights) {
  if (weights.dtype() == DType::kFloat32) return share(weights.elements<float>());
  if (weights.dtype() == DType::kInt8) return share(weights.elements<int8_t>());
  return 0;
}

bool is_two_of_four(int64_t outputs, int64_t depth, SparseWeightAt at) {
  for (int64_t output = 0; output < outputs; ++output) {
    for (int64_t first = 0; first < depth; first += 4) {
      int count = 0;
      for (int64_t k = first; k < std::min(first + 4, depth); ++k) count += at(output, k) != 0;
      if (count > 2) return false;
    }
  }
  return true;
}

std::pair<int, int> places_of_two(int64_t output, int64_t first_k, int64_t depth,
                                  SparseWeightAt at) {
  int places[2] = {};
  int found = 0;
  for (int i = 0; i < 4 && found < 2; ++i) {
    if (first_k + i < depth && at(output, first_k + i) != 0) places[found++] = i;
  }
  // A place counts once: beside one weight stands a neighbour that is zero.
  if (found < 2) places[1] = places[0] == 3 ? 2 : places[0] + 1;
  return {places[0], places[1]};
}

Result<Tensor> pack_sparse_words(const SparseExtent& extent, SparseWordAt at,
                                 std::span<const float> columns) {
  std::vector<uint32_t> begins;
  begins.reserve(extent.row_count() + 1);
  std::vector<uint32_t> weights;
  std::vector<uint16_t> inputs;
  for (int64_t block = 0; block < extent.blocks(); ++block) {
    const int64_t end = std::min(extent.depth, (block + 1) * extent.block);
    for (int64_t output = 0; output < extent.padded(); ++output) {
      begins.push_back(static_cast<uint32_t>(weights.size()));
      if (output >= extent.outputs) continue;
      for (int64_t k = block * extent.block; k < end; ++k) {
        const uint32_t weight = at(output, k);
        if (weight == 0) continue;
        weights.push_back(weight);
        inputs.push_back(static_cast<uint16_t>(k));
      }
    }
  }
  begins.push_back(static_cast<uint32_t>(weights.size()));
  const size_t bytes = 4 * (begins.size() + columns.size() + weights.size()) + 2 * inputs.size();
  EDGEWRIGHT_ASSIGN(Tensor packed, Tensor::allocate(DType::kUint8, {static_cast<int64_t>(bytes)}));
  std::byte* out = packed.mutable_bytes();
  const auto append = [&out](const auto& values) {
    const auto source = std::as_bytes(std::span(values));
    out = std::copy(source.begin(), source.end(), out);
  };
  append(begins);
  append(columns);
  append(weights);
  append(inputs);
  return packed;
}

Result<Tensor> pack_sparse(const SparseExtent& extent, SparseWeightAt at, const float* bias) {
  std::vector<float> biases(static_cast<size_t>(extent.padded()), 0.0f);
  if (bias != nullptr) std::copy(bias, bias + extent.outputs, biases.begin());
  const auto word_at = [&](int64_t output, int64_t k) {
    const float weight = at(output, k);
    return weight == 0 ? 0 : std::bit_cast<uint32_t>(weight);  // minus zero is nothing too
  };
  return pack_sparse_words(extent, word_at, biases);
}

Result<SparseRows> open_sparse(const SparseExtent& extent, PackedBytes packed,
                               std::span<const int32_t> distances, size_t columns) {
  const size_t rows = extent.row_count();
  const size_t floats = columns * static_cast<size_t>(extent.padded());
  const size_t head = 4 * (rows + 1 + floats);
  if (packed.size() < head) return damaged("fewer bytes than its rows take");
  SparseRows result;
  result.begins = reinterpret_cast<const uint32_t*>(packed.data());
  result.columns = reinterpret_cast<const float*>(result.begins + rows + 1);
  result.weights = result.columns + floats;
  if (result.begins[0] != 0 || !std::is_sorted(result.begins, result.begins + rows + 1)) {
    return damaged("rows that do not follow each other");
  }
  const size_t count = result.begins[rows];
  if (packed.size() != head + 6 * count) return damaged("another number of weights than its rows");
  const auto* inputs = reinterpret_cast<const uint16_t*>(packed.data() + head + 4 * count);
  result.offsets.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (inputs[i] >= distances.size()) return damaged("an input that is not there");
    result.offsets.push_back(distances[inputs[i]]);
  }
  return result;
}

void sum_blocks(const SparseExtent& extent, const SparseRows& rows, SparseTile tile,
                std::optional<ptrdiff_t> x_step) {
  tile.weights = static_cast<const float*>(rows.weights);
  tile.offsets = rows.offsets.data();
  tile.outputs = static_cast<size_t>(extent.padded());
  for (int64_t block = 0; block < extent.blocks(); ++block) {
    tile.begins = rows.begins + block * extent.padded();
    tile.add = block > 0;
    x_step ? sparse_dots(tile, *x_step) : sparse_sums(tile);
  }
}

}  // namespace edgewright
