#pragma once

#include "quantize/weight_only.h"

namespace edgewright {

// A convolution without groups as a weight matrix [K, N]: the rows are taps (row-major over the
// kernel), within a tap channels, so that neighbouring rows are neighbours in memory to engines
// that keep channels last.
struct ConvLayer {
  Node* node = nullptr;
  int64_t taps = 0, channels = 0, columns = 0;
  int64_t rows() const { return taps * channels; }
  const std::string& name() const { return node->outputs[0]->name; }
  std::vector<float> weights() const;
  // A matrix as the operator has its weights, [N, channels, kernel...].
  Tensor constant_of(std::span<const float> matrix) const;
};
// Those with constant float32 weights of at least four inputs.
std::vector<ConvLayer> conv_layers(Graph& graph);

// The moments of the patches that these layers see, by layer; what the runner does not see (rank of
// the kernel unknown, more than kMostMomentRows rows) is left out.
inline constexpr int64_t kMostMomentRows = 1200;
Result<std::map<std::string, std::shared_ptr<InputMoments>>> patch_moments(
    Graph& graph, std::span<const ConvLayer> layers, SampleRunner& runner,
    std::span<const size_t> samples, const Progress& progress = nullptr);

}  // namespace edgewright
