// Before: y = Op(constants...).        After: y is a constant.
// Conditions: Op is deterministic; the result is within the growth limit or smaller than what it is
// made from; the work is bounded. DequantizeLinear stays: its integer weights are the model.
#include <algorithm>
#include <array>
#include <cmath>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// Products beyond this many multiply-adds are left to run time rather than to the evaluator.
constexpr double kMaxWork = 1e9;
// Results of unknown size are only made from inputs below this.
constexpr size_t kSmallBytes = 64 << 10;
constexpr int64_t kMaxTripCount = 1000;

constexpr std::array<std::string_view, 8> kRandom = {
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    "Multinomial",  "Bernoulli",        "Dropout",       "DequantizeLinear"};
// Their results may be much larger than their inputs.
constexpr std::array<std::string_view, 11> kGrowing = {
    "ConstantOfShape", "Expand", "Tile",     "Range",      "Resize",      "Pad",
    "EyeLike",         "OneHot", "Upsample", "GridSample", "ImageDecoder"};
constexpr std::array<std::string_view, 8> kProducts = {"MatMul", "Gemm", "Conv", "ConvTranspose",
                                                       "Einsum", "LSTM", "GRU",  "RNN"};

template <size_t N>
bool among(const std::array<std::string_view, N>& list, const Node& node) {
  return std::ranges::find(list, node.op) != list.end();
}

bool foldable(const Graph& outermost, const Node& node);

// Every value that a body reads is a constant or its own.
bool body_is_constant(const Graph& body) {
  return std::ranges::all_of(body.nodes(), [&](const Node& node) {
    const bool reads = std::ranges::all_of(node.inputs, [&](const Value* input) {
      return input == nullptr || input->is_constant() || input->graph == &body;
    });
    return reads && node.subgraphs.empty() && foldable(body, node);
  });
}

bool bounded_loop(const Node& node) {
  if (!node.is("Loop")) return true;
  const auto trips = scalar_constant(node.input(0));
  return trips && *trips <= kMaxTripCount;
}

bool foldable(const Graph& outermost, const Node& node) {
  if (among(kRandom, node) || !bounded_loop(node)) return false;
  return std::ranges::all_of(node.subgraphs, [&](const auto& entry) {
    return entry.second.get() != &outermost && body_is_constant(*entry.second);
  });
}

// About the multiply-adds of a product; for a matrix product (M,K) x (K,N) exactly MKN, the root of
// the three sizes multiplied.
double work(const Node& node, double output_elements) {
  if (!among(kProducts, node)) return output_elements;
  double product = output_elements;
  for (size_t i = 0; i < 2; ++i) {
    const Tensor* tensor = node.constant_input(i);
    if (tensor != nullptr) product *= static_cast<double>(tensor->element_count());
  }
  return std::sqrt(product);
}

bool size_allowed(const Node& node, const PassOptions& options) {
  size_t input_bytes = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (const Tensor* tensor = node.constant_input(i)) input_bytes += tensor->size_bytes();
  }
  size_t output_bytes = 0;
  for (const Value* output : node.outputs) {
    if (output == nullptr) continue;
    const auto dims = static_dims(output);
    if (!dims) return input_bytes <= kSmallBytes && !among(kGrowing, node);
    const auto count = checked_element_count(*dims);
    if (!count.ok() || work(node, static_cast<double>(*count)) > kMaxWork) return false;
    const int bits = dtype_bits(output->type.dtype);
    output_bytes += static_cast<size_t>(*count) * static_cast<size_t>(std::max(bits, 8)) / 8;
  }
  return output_bytes <= static_cast<size_t>(options.fold_growth_limit_bytes) ||
         output_bytes <= input_bytes;
}

bool has_constant_inputs(const Node& node) {
  return std::ranges::all_of(
      node.inputs, [](const Value* input) { return input == nullptr || input->is_constant(); });
}

}  // namespace

Result<bool> fold_constants(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (!has_constant_inputs(node) || !foldable(owner, node)) return false;
    if (!size_allowed(node, context.options)) return false;
    std::vector<const Tensor*> inputs;
    for (size_t i = 0; i < node.inputs.size(); ++i) inputs.push_back(node.constant_input(i));
    // A node that cannot be evaluated here is left for whoever runs the model.
    auto results = context.evaluator.evaluate(node, inputs);
    if (!results.ok() || results->size() < node.outputs.size()) return false;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != nullptr && (*results)[i].empty_handle()) return false;
    }
    if (!context.allow(node)) return false;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != nullptr) owner.make_constant(node.outputs[i], (*results)[i]);
    }
    owner.erase(&node);
    return true;
  });
}

}  // namespace edgewright
