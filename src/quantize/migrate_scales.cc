#include "quantize/migrate_scales.h"

#include <algorithm>
#include <cmath>

#include "passes/channel_affine.h"
#include "passes/rewrite.h"
#include "quantize/scheme.h"

namespace edgewright {
namespace {

// Factors beyond this would only move the trouble from activations into weights.
constexpr double kLargestFactor = 64;

const Tensor* float_constant(const Node& node, size_t index) {
  const Tensor* tensor = node.constant_input(index);
  return tensor != nullptr && tensor->dtype() == DType::kFloat32 ? tensor : nullptr;
}

// The axis of a reader's weights that runs along the channels of its input 0.
std::optional<size_t> input_axis(const Node& node) {
  const Tensor* weights = float_constant(node, 1);
  if (weights == nullptr) return std::nullopt;
  if (node.is("Conv")) {
    const int64_t group = node.attributes.get_int("group", 1);
    if (group == 1) return 1;
    const bool depthwise = weights->dim(1) == 1 && weights->dim(0) == group;
    return depthwise ? std::optional<size_t>(0) : std::nullopt;
  }
  if (weights->rank() != 2) return std::nullopt;
  if (node.is("MatMul")) return 0;
  if (node.is("Gemm") && node.attributes.get_int("transA", 0) == 0) {
    return node.attributes.get_int("transB", 0) != 0 ? 1 : 0;
  }
  return std::nullopt;
}

bool readers_fit(const Value& value, const Graph& graph, size_t channels) {
  if (value.uses.empty() || value.is_graph_output()) return false;
  return std::ranges::all_of(value.uses, [&](const Use& use) {
    if (use.node->graph != &graph || use.index != 0) return false;
    const auto axis = input_axis(*use.node);
    return axis && static_cast<size_t>(use.node->constant_input(1)->dim(*axis)) == channels;
  });
}

// What makes the value, looking through activations that commute with positive factors.
Node* source_of(const Value& value) {
  Node* node = value.producer;
  while (node != nullptr && (node->is("Relu") || node->is("LeakyRelu"))) {
    if (!has_single_use(node->inputs[0])) return nullptr;
    node = node->inputs[0]->producer;
  }
  return node;
}

std::optional<MigrationSite> site_of(Value& value) {
  Node* source = source_of(value);
  if (source == nullptr || source->graph != value.graph) return std::nullopt;
  MigrationSite site;
  site.value = &value;
  site.source = source;
  if (source->is("LayerNormalization")) {
    const Tensor* scale = float_constant(*source, 1);
    const bool plain = scale != nullptr && scale->rank() == 1 && source->outputs.size() == 1 &&
                       (source->input(2) == nullptr || float_constant(*source, 2) != nullptr);
    if (!plain || value.producer != source) return std::nullopt;
    site.channels = static_cast<size_t>(scale->dim(0));
    site.channel_axis = -1;
    return site;
  }
  const Tensor* weights = source->is("Conv") ? float_constant(*source, 1) : nullptr;
  const bool bias = source->input(2) == nullptr || float_constant(*source, 2) != nullptr;
  if (weights == nullptr || !bias) return std::nullopt;
  site.channels = static_cast<size_t>(weights->dim(0));
  return site;
}

std::vector<float> reader_maxima(const MigrationSite& site) {
  std::vector<float> maxima(site.channels);
  for (const Use& use : site.value->uses) {
    const Tensor& weights = *use.node->constant_input(1);
    const ChannelStride stride =
        channel_stride(weights.dims(), static_cast<int>(*input_axis(*use.node)));
    const auto elements = weights.elements<float>();
    for (size_t i = 0; i < elements.size(); ++i) {
      float& entry = maxima[static_cast<size_t>(stride.channel(static_cast<int64_t>(i)))];
      entry = std::max(entry, std::abs(elements[i]));
    }
  }
  return maxima;
}

std::vector<double> factors_of(const std::vector<float>& values, const std::vector<float>& weights,
                               double strength) {
  std::vector<double> factors(values.size(), 1);
  double logs = 0;
  for (size_t c = 0; c < factors.size(); ++c) {
    if (values[c] > 0 && weights[c] > 0) {
      factors[c] = std::pow(values[c], strength) / std::pow(weights[c], 1 - strength);
    }
    logs += std::log(factors[c]);
  }
  const double mean = std::exp(logs / static_cast<double>(factors.size()));
  for (double& factor : factors) {
    factor = std::clamp(factor / mean, 1 / kLargestFactor, kLargestFactor);
  }
  return factors;
}

Status scale_constant(Graph& graph, Node& node, size_t input, size_t axis,
                      const std::vector<double>& factors) {
  EDGEWRIGHT_ASSIGN(Tensor scaled, scale_channels(*node.constant_input(input), axis, factors));
  const std::string name = graph.fresh_name(node.inputs[input]->name);
  graph.set_input(&node, input, graph.add_constant(name, std::move(scaled)));
  return {};
}

Status migrate(Graph& graph, const MigrationSite& site, const std::vector<double>& factors) {
  std::vector<double> inverse;
  inverse.reserve(factors.size());
  for (const double factor : factors) inverse.push_back(1 / factor);
  // Scale and bias of LayerNormalization, weights and bias of Conv: inputs 1 and 2 alike.
  for (const size_t input : {size_t{1}, size_t{2}}) {
    if (site.source->input(input) == nullptr) continue;
    EDGEWRIGHT_TRY(scale_constant(graph, *site.source, input, 0, inverse));
  }
  const std::vector<Use> uses = site.value->uses;
  for (const Use& use : uses) {
    EDGEWRIGHT_TRY(scale_constant(graph, *use.node, 1, *input_axis(*use.node), factors));
  }
  return {};
}

}  // namespace

std::vector<MigrationSite> migration_sites(Graph& graph) {
  std::vector<MigrationSite> sites;
  for (Value& value : graph.values()) {
    if (value.producer == nullptr) continue;
    const auto site = site_of(value);
    if (site && readers_fit(value, graph, site->channels)) sites.push_back(*site);
  }
  return sites;
}

Result<ChannelMaxima> channel_maxima(const Graph& graph, const std::vector<MigrationSite>& sites,
                                     SampleRunner& runner, std::span<const size_t> samples) {
  const auto copy = clone(graph);
  ChannelMaxima maxima;
  std::vector<std::pair<size_t, const MigrationSite*>> watched;
  for (const MigrationSite& site : sites) {
    copy->add_output(copy->find_value(site.value->name));
    watched.emplace_back(copy->outputs().size() - 1, &site);
    maxima[site.value->name].resize(site.channels);
  }
  const auto gather = [&](size_t, std::span<const Tensor> outputs) -> Status {
    for (const auto& [output, site] : watched) {
      const Tensor& tensor = outputs[output];
      const int axis = site->channel_axis < 0 ? static_cast<int>(tensor.rank()) - 1 : 1;
      const ChannelStride stride = channel_stride(tensor.dims(), axis);
      std::vector<float>& largest = maxima[site->value->name];
      const auto elements = tensor.elements<float>();
      for (size_t i = 0; i < elements.size(); ++i) {
        float& entry = largest[static_cast<size_t>(stride.channel(static_cast<int64_t>(i)))];
        entry = std::max(entry, std::abs(elements[i]));
      }
    }
    return {};
  };
  EDGEWRIGHT_TRY(runner.run(*copy, samples, gather));
  return maxima;
}

Result<std::vector<std::string>> migrate_scales(Graph& graph, const ChannelMaxima& maxima,
                                                double strength) {
  std::vector<std::string> changed;
  for (const MigrationSite& site : migration_sites(graph)) {
    const auto it = maxima.find(site.value->name);
    if (it == maxima.end() || it->second.size() != site.channels) continue;
    EDGEWRIGHT_TRY(migrate(graph, site, factors_of(it->second, reader_maxima(site), strength)));
    for (const Value* value = site.value;; value = value->producer->inputs[0]) {
      changed.push_back(value->name);
      if (value->producer == site.source) break;
    }
  }
  return changed;
}

void rename_scaled(Graph& graph, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string scaled = graph.fresh_name(name + "_scaled");
    for (const char* form : {"", "_quantized", "_dequantized"}) {
      Value* value = graph.find_value(name + form);
      if (value != nullptr) graph.rename(value, graph.fresh_name(scaled + form));
    }
  }
}

}  // namespace edgewright
