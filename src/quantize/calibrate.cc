#include "quantize/calibrate.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"

namespace edgewright {
namespace {

constexpr std::string_view kSchema = "edgewright.calibration/1";

// The value in a copy of the graph made an output; its position among the outputs.
Result<size_t> watch(Graph& graph, const std::string& name) {
  Value* value = graph.find_value(name);
  if (value == nullptr) return internal_error("the graph has no value '{}'", name);
  const auto& outputs = graph.outputs();
  const auto it = std::ranges::find(outputs, value);
  if (it != outputs.end()) return static_cast<size_t>(it - outputs.begin());
  graph.add_output(value);
  return outputs.size() - 1;
}

// Adds a rounded copy of a compute layer that reads the exact values; returns its output.
Result<Value*> add_rounded_copy(Graph& graph, const QuantLayer& layer,
                                const QuantDecision& decision) {
  std::vector<Value*> inputs = layer.node->inputs;
  float input_scale = 1;
  for (const size_t i : layer.activations) {
    const auto it = decision.activations.find(inputs[i]->name);
    if (it == decision.activations.end()) {
      return internal_error("no rounding was decided for '{}'", inputs[i]->name);
    }
    input_scale = it->second.scale;
    inputs[i] = round_value(graph, inputs[i], it->second, QdqForm::kSimulated, layer.node);
  }
  if (layer.weights >= 0) {
    const RoundedLayer rounded = round_layer(layer, decision, input_scale);
    const auto index = static_cast<size_t>(layer.weights);
    inputs[index] = graph.add_constant(graph.fresh_name(inputs[index]->name + "_rounded"),
                                       dequantize(rounded.weights));
  }
  Node* copy = graph.add_node(layer.node->op, inputs, {layer.name() + "_rounded_layer"},
                              layer.node->attributes, "", layer.node);
  copy->outputs[0]->type = layer.node->outputs[0]->type;
  return copy->outputs[0];
}

// Adds the difference of two tensors of a layer's result to its sums.
void add_difference(const Tensor& exact, const Tensor& rounded, int channel_axis,
                    LayerError& error) {
  const ChannelStride stride = channel_stride(exact.dims(), channel_axis);
  if (error.shift.empty()) error.shift.resize(static_cast<size_t>(stride.channels));
  const float* a = exact.data<float>();
  const float* b = rounded.data<float>();
  for (int64_t start = 0; start < exact.element_count(); start += stride.inner) {
    double shift = 0, squared = 0, reference = 0;
    for (int64_t i = start; i < start + stride.inner; ++i) {
      const double difference = static_cast<double>(a[i]) - b[i];
      shift += difference;
      squared += difference * difference;
      reference += static_cast<double>(a[i]) * a[i];
    }
    error.shift[static_cast<size_t>(stride.channel(start))] += shift;
    error.squared_error += squared;
    error.squared_reference += reference;
  }
  error.channel_count += exact.element_count() / stride.channels;
}

int channel_axis_of(const QuantLayer& layer, size_t rank) {
  const bool image = layer.node->op == "Conv" || layer.node->op == "ConvTranspose";
  return image ? 1 : static_cast<int>(rank) - 1;
}

}  // namespace

double LayerError::relative() const {
  if (squared_error == 0) return 0;
  return std::sqrt(squared_error / std::max(squared_reference, 1e-30));
}

Result<Observations> observe(const Graph& graph, const std::vector<std::string>& values,
                             SampleRunner& runner, std::span<const size_t> samples,
                             double averaging_factor, const Progress& progress) {
  const auto copy = clone(graph);
  std::vector<std::pair<size_t, Histogram*>> watched;
  Observations observations;
  for (const std::string& name : values) {
    EDGEWRIGHT_ASSIGN(const size_t output, watch(*copy, name));
    Histogram& histogram = observations[name];
    histogram.set_averaging_factor(averaging_factor);
    watched.emplace_back(output, &histogram);
  }
  size_t done = 0;
  const auto count = [&](size_t sample, std::span<const Tensor> outputs) -> Status {
    for (const auto& [output, histogram] : watched) {
      Status added = histogram->add(outputs[output].elements<float>());
      if (!added.ok()) {
        return std::move(added).error().at(
            fmt::format("sample {}, value '{}'", sample, copy->outputs()[output]->name));
      }
    }
    if (progress) progress("observe values", ++done, samples.size());
    return {};
  };
  EDGEWRIGHT_TRY(runner.run(*copy, samples, count));
  return observations;
}

std::vector<std::string> observed_values(const QuantSites& sites) {
  std::set<std::string> names;
  for (const QuantPoint& point : sites.points) names.insert(point.source->name);
  return {names.begin(), names.end()};
}

Status write_observations(const std::string& path, const std::string& key,
                          const Observations& observations) {
  Json json;
  json["schema"] = kSchema;
  json["key"] = key;
  Json& values = json["values"] = Json::object();
  for (const auto& [name, histogram] : observations) values[name] = histogram.to_json();
  return write_file(path, json.dump() + "\n");
}

Result<Observations> read_observations(const std::string& path, const std::string& key) {
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.value("schema", "") != kSchema || !json.contains("values") ||
      !json["values"].is_object()) {
    return bad_input("{} is no calibration cache ({}); remove it or name another file", path,
                     kSchema);
  }
  if (json.value("key", "") != key) {
    return check_failed("{} was made from another model, data or option", path);
  }
  Observations observations;
  for (const auto& [name, entry] : json["values"].items()) {
    auto histogram = Histogram::from_json(entry);
    if (!histogram.ok()) {
      return std::move(histogram).error().at(fmt::format("{}, value '{}'", path, name));
    }
    observations.emplace(name, *std::move(histogram));
  }
  return observations;
}

QuantDecision decide(const QuantSites& sites, const Observations& observations,
                     const Calibrator& calibrator, const Scheme& scheme,
                     const CalibratorOptions& options) {
  QuantDecision decision;
  decision.scheme = scheme;
  for (const QuantPoint& point : sites.points) {
    const ValueRange range = calibrator.range(observations.at(point.source->name), scheme, options);
    decision.activations[point.value->name] = activation_params(range, scheme);
  }
  for (const QuantLayer& layer : sites.layers) decision.layers.insert(layer.name());
  decision.whole = sites.whole;
  return decision;
}

Result<std::map<std::string, LayerError>> layer_errors(const Graph& graph,
                                                       const QuantDecision& decision,
                                                       SampleRunner& runner,
                                                       std::span<const size_t> samples) {
  const auto copy = clone(graph);
  struct Pair {
    QuantLayer layer;
    size_t exact, rounded;
  };
  std::vector<Pair> pairs;
  for (const QuantLayer& layer : compute_layers(*copy)) {
    if (!decision.layers.contains(layer.name())) continue;
    EDGEWRIGHT_ASSIGN(Value * rounded, add_rounded_copy(*copy, layer, decision));
    EDGEWRIGHT_ASSIGN(const size_t exact, watch(*copy, layer.name()));
    copy->add_output(rounded);
    pairs.push_back({layer, exact, copy->outputs().size() - 1});
  }
  std::map<std::string, LayerError> errors;
  const auto compare = [&](size_t, std::span<const Tensor> outputs) -> Status {
    for (const Pair& pair : pairs) {
      const Tensor& exact = outputs[pair.exact];
      add_difference(exact, outputs[pair.rounded], channel_axis_of(pair.layer, exact.rank()),
                     errors[pair.layer.name()]);
    }
    return {};
  };
  EDGEWRIGHT_TRY(runner.run(*copy, samples, compare));
  for (auto& [name, error] : errors) {
    for (double& shift : error.shift)
      shift /= static_cast<double>(std::max<int64_t>(error.channel_count, 1));
  }
  return errors;
}

}  // namespace edgewright
