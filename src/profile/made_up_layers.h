#pragma once

#include <string>
#include <vector>

#include "runtime/autotune.h"

namespace edgewright {

// The kinds of made-up layers follow each other with this period.
inline constexpr size_t kKindsPeriod = 12;

// One operation. Its constants are shapes until they are made: what a layer's time depends on can
// be said without them.
struct MadeUpLayer {
  std::string domain = "edgewright", op;
  Attributes attributes;
  std::vector<TensorSpec> inputs, outputs;
  std::vector<bool> is_constant;  // per input

  void input(Dims dims, Layout layout = Layout::kPlain, DType dtype = DType::kFloat32) {
    inputs.push_back({dtype, std::move(dims), layout, nullptr});
    is_constant.push_back(false);
  }
  void constant(Dims dims, DType dtype = DType::kFloat32) {
    input(std::move(dims), Layout::kPlain, dtype);
    is_constant.back() = true;
  }
  void output(Dims dims, Layout layout = Layout::kPlain, DType dtype = DType::kFloat32) {
    outputs.push_back({dtype, std::move(dims), layout, nullptr});
  }
  void omitted() {
    inputs.emplace_back();
    is_constant.push_back(false);
  }
};

// Number `index` of the endless sequence, always the same: see sweep_layers().
MadeUpLayer made_up_layer(size_t index);

// A layer that can be run. The request points at the constants, and at the layer's attributes.
struct MadeLayer {
  std::vector<Tensor> constants;
  KernelRequest request;
};
Result<MadeLayer> make_layer(const MadeUpLayer& layer, int threads);

}  // namespace edgewright
