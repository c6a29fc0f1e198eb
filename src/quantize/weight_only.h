#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "graph/graph.h"
#include "quantize/runner.h"

namespace edgewright {

// A weight matrix [K, N] as small unsigned integers, one scale and zero point for `group` rows of a
// column: real = scale (integer - zero_point).
struct GroupedWeights {
  int bits = 4;
  int64_t rows = 0, columns = 0, group = 32;
  std::vector<uint8_t> integers;     // [K, N], one a byte
  std::vector<float> scales;         // [ceil(K / group), N]
  std::vector<uint8_t> zero_points;  // [ceil(K / group), N]

  int64_t groups() const { return (rows + group - 1) / group; }
  float real(int64_t row, int64_t column) const;
  // [K, N] as float.
  std::vector<float> reals() const;
};

struct GroupedOptions {
  int bits = 4;
  int64_t group = 32;  // rows; 0: whole columns
};

// Sums of x x^T over the rows x of a layer's inputs, [K, K] row-major: what rounding errors of
// weights are weighted with.
struct InputMoments {
  int64_t size = 0;
  std::vector<double> sums;
};

// A way to round weights; `weights` is [K, N] row-major. `moments` is null where no samples are
// there; methods that need them say so.
struct WeightMethod {
  std::string_view name;
  std::string_view summary;
  bool needs_samples = false;
  GroupedWeights (*round)(std::span<const float> weights, int64_t rows, int64_t columns,
                          const GroupedOptions& options, const InputMoments* moments);
};
// rtn, mse, hqq, gptq; in this order.
std::span<const WeightMethod> weight_methods();
const WeightMethod* find_weight_method(std::string_view name);

// Squared error of a layer's outputs, summed over what the moments saw: tr(E^T M E), E the
// difference of the weights. Without moments the squared error of the weights.
double output_squared_error(std::span<const float> weights, const GroupedWeights& rounded,
                            const InputMoments* moments);
double output_squared_norm(std::span<const float> weights, int64_t rows, int64_t columns,
                           const InputMoments* moments);

// A layer whose weights can be rounded alone: MatMul or Gemm with a constant float32 matrix.
struct WeightLayer {
  Node* node = nullptr;
  bool transposed = false;  // stored [N, K]
  int64_t rows = 0, columns = 0;
  const std::string& name() const { return node->outputs[0]->name; }
  // [K, N].
  std::vector<float> weights() const;
};
std::vector<WeightLayer> weight_layers(Graph& graph);

enum class WeightForm : uint8_t {
  kBlocks,        // DequantizeLinear with block_size (opset 21) before the product
  kMatMulNBits,   // com.microsoft::MatMulNBits
  kRoundedFloat,  // the rounded numbers as float32 constants, for measuring
};
// Replaces the weights of the layer. kMatMulNBits falls back to kBlocks for what the operator
// cannot express (a bias of Gemm stays a separate addition).
Status replace_weights(Graph& graph, const WeightLayer& layer, const GroupedWeights& rounded,
                       WeightForm form);

// An output of a graph that gives products of inputs, one matrix or a batch of them, and where they
// are summed up over samples.
struct WatchedMoments {
  size_t output = 0;
  InputMoments* moments = nullptr;
};
Status gather_moments(const Graph& graph, std::span<const WatchedMoments> watched,
                      SampleRunner& runner, std::span<const size_t> samples,
                      const Progress& progress = nullptr);

// The moments of the inputs of these layers over samples, by layer; layers that read the same value
// share them.
Result<std::map<std::string, std::shared_ptr<InputMoments>>> input_moments(
    Graph& graph, std::span<const WeightLayer> layers, SampleRunner& runner,
    std::span<const size_t> samples, const Progress& progress = nullptr);

}  // namespace edgewright
