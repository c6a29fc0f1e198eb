#include "formats/ncnn/emit.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "formats/ncnn/quantized.h"
#include "tensor/element.h"

namespace edgewright::ncnn_format {
namespace {

constexpr size_t kMaxAxes = 4;
// In front of weights: how they are stored (ncnn, src/modelbin.cpp).
constexpr uint32_t kRawTag = 0;
constexpr uint32_t kHalfTag = 0x01306B47;
constexpr uint32_t kByteTag = 0x000D4B38;  // int8 follows
constexpr int kMagic = 7767517;

bool has_blob(const Value* value) {
  return value->type.is_tensor() && value->type.dtype == DType::kFloat32 && value->type.shape &&
         known_dims(*value->type.shape) && blob_dims(dims_of(value)).size() <= kMaxAxes &&
         product(dims_of(value)) > 0;
}

// Inputs that are no constants must be blobs; which constants serve is for each operator to say.
bool is_input(const Value* value) {
  return value == nullptr || value->is_constant() || has_blob(value);
}
bool is_output(const Value* value) { return value != nullptr && has_blob(value); }

void append_word(std::string& bytes, uint32_t word) {
  for (int i = 0; i < 4; ++i, word >>= 8) bytes += static_cast<char>(word & 0xff);
}

// ncnn's own names of axes, by the number of axes: w h, w h c, w h d c.
Parameters shape_parameters(const Dims& dims) {
  Parameters parameters;
  const size_t rank = dims.size();
  parameters.integer(0, dims[rank - 1]);
  if (rank > 1) parameters.integer(1, dims[rank - 2]);
  if (rank == 4) parameters.integer(11, dims[1]);
  if (rank > 2) parameters.integer(2, dims[0]);
  return parameters;
}

}  // namespace

Parameters& Parameters::integer(int id, int64_t value) {
  entries_[id] = fmt::format("{}={}", id, value);
  return *this;
}
Parameters& Parameters::number(int id, double value) {
  entries_[id] = fmt::format("{}={:e}", id, value);
  return *this;
}
Parameters& Parameters::array(int id, const std::vector<int64_t>& values) {
  entries_[id] = fmt::format("{}={},{}", -23300 - id, values.size(), fmt::join(values, ","));
  return *this;
}
std::string Parameters::text() const {
  std::string text;
  for (const auto& [id, entry] : entries_) text += " " + entry;
  return text;
}

int dropped_axis(const Dims& dims) {
  if (dims.size() < 2) return -1;
  const auto it = std::ranges::find(dims, 1);
  return it == dims.end() ? -1 : static_cast<int>(it - dims.begin());
}

Dims without(const Dims& dims, int axis) {
  Dims left = dims;
  if (axis >= 0) left.erase(left.begin() + axis);
  if (left.empty()) left.push_back(1);
  return left;
}

Dims blob_dims(const Dims& dims) { return without(dims, dropped_axis(dims)); }

int64_t axis_without(int64_t axis, int dropped) {
  return dropped >= 0 && dropped < axis ? axis - 1 : axis;
}

std::vector<float> floats_of(const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.element_count()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] =
        static_cast<float>(load_double(tensor.dtype(), tensor.bytes(), static_cast<int64_t>(i)));
  }
  return values;
}

int64_t product(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies());
}

const EmitRow* find_row(const Node& node) {
  if (!node.domain.empty() || node.outputs.empty() || node.inputs.empty()) return nullptr;
  // Their integers are no blobs, and need not be.
  if (node.is("QuantizeLinear") || node.is("DequantizeLinear")) {
    return find_operator_row<Emitter>(node, {quantization_rows()});
  }
  if (!std::ranges::all_of(node.inputs, is_input)) return nullptr;
  if (!std::ranges::all_of(node.outputs, is_output)) return nullptr;
  return find_operator_row<Emitter>(
      node, {element_rows(), movement_rows(), product_rows(), reduction_rows(), window_rows()});
}

// The file separates words by spaces.
std::string Emitter::fresh(std::string_view name) {
  std::string word;
  for (const char c : name) word += static_cast<unsigned char>(c) <= ' ' || c == '=' ? '_' : c;
  if (word.empty()) word = "blob";
  std::string unique = word;
  for (int i = 1; !names_.insert(unique).second; ++i) unique = fmt::format("{}_{}", word, i);
  return unique;
}

void Emitter::raw_weights(std::span<const float> values) {
  for (const float value : values) append_word(weights_, std::bit_cast<uint32_t>(value));
}

void Emitter::byte_weights(std::span<const int8_t> values) {
  append_word(weights_, kByteTag);
  for (const int8_t value : values) weights_ += static_cast<char>(value);
  while (weights_.size() % 4 != 0) weights_ += '\0';  // whole words
}

void Emitter::weights(std::span<const float> values) {
  constexpr float kLargestHalf = 65504;
  const bool fits =
      std::ranges::all_of(values, [](float value) { return std::abs(value) <= kLargestHalf; });
  if (!options_.half_weights || !fits) {
    append_word(weights_, kRawTag);
    raw_weights(values);
    return;
  }
  append_word(weights_, kHalfTag);
  for (const float value : values) {
    const uint16_t bits = Half(value).bits;
    weights_ += static_cast<char>(bits & 0xff);
    weights_ += static_cast<char>(bits >> 8);
  }
  if (values.size() % 2 != 0) weights_.append(2, '\0');  // whole words
}

std::string Emitter::reshape(std::string_view name, const std::string& blob, const Dims& dims) {
  const std::string top = fresh(fmt::format("{}_reshape", name));
  layers_.push_back({"Reshape", top, {blob}, {top}, shape_parameters(dims)});
  return top;
}

std::string Emitter::memory(const Tensor& tensor, std::string_view name, const Dims& dims) {
  const std::string top = fresh(name);
  raw_weights(floats_of(tensor));
  layers_.push_back({"MemoryData", top, {}, {top}, shape_parameters(dims).integer(21, 1)});
  return top;
}

std::string Emitter::input(const Node& node, size_t i) {
  return input_as(node, i, blob_dims(dims_of(node.inputs[i])));
}

std::string Emitter::input_as(const Node& node, size_t i, const Dims& dims) {
  const Value* value = node.inputs[i];
  if (is_known_constant(value)) return memory(known_numbers(value), value->name, dims);
  const std::string& blob = blobs_.at(value);
  return blob_dims(dims_of(value)) == dims ? blob : reshape(value->name, blob, dims);
}

std::string Emitter::add(const Node& node, std::string_view type, std::vector<std::string> bottoms,
                         Parameters parameters) {
  const std::string top = fresh(fmt::format("{}_{}", node.outputs[0]->name, type));
  layers_.push_back({std::string(type), top, std::move(bottoms), {top}, std::move(parameters)});
  return top;
}

void Emitter::give(const Node& node, const std::string& blob, const Dims& dims) {
  const Value* value = node.outputs[0];
  const Dims wanted = blob_dims(dims_of(value));
  blobs_[value] = wanted == dims ? blob : reshape(value->name, blob, wanted);
}

void Emitter::finish(const Node& node, std::string_view type, std::vector<std::string> bottoms,
                     Parameters parameters, const Dims& dims) {
  finish_all(node, type, std::move(bottoms), std::move(parameters), {dims});
}

void Emitter::finish_all(const Node& node, std::string_view type, std::vector<std::string> bottoms,
                         Parameters parameters, const std::vector<Dims>& dims) {
  Layer layer{std::string(type), "", std::move(bottoms), {}, std::move(parameters)};
  for (size_t i = 0; i < dims.size(); ++i) {
    const Value* value = node.outputs[i];
    const bool is_as_wanted = blob_dims(dims_of(value)) == dims[i];
    layer.tops.push_back(fresh(is_as_wanted ? value->name : value->name + "_" + layer.type));
  }
  layer.name = layer.tops[0];
  const auto tops = layer.tops;
  layers_.push_back(std::move(layer));
  for (size_t i = 0; i < dims.size(); ++i) {
    const Value* value = node.outputs[i];
    const Dims wanted = blob_dims(dims_of(value));
    blobs_[value] = wanted == dims[i] ? tops[i] : reshape(value->name, tops[i], wanted);
  }
}

Status Emitter::add_inputs(const Graph& graph) {
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    if (!has_blob(input)) {
      return unsupported(
          "input '{}' is {}, ncnn takes float32 of at most {} axes beside a batch "
          "of 1",
          input->name, type_text(input->type), kMaxAxes);
    }
    const std::string name = blobs_[input] = fresh(input->name);
    layers_.push_back({"Input", name, {}, {name}, shape_parameters(blob_dims(dims_of(input)))});
  }
  return {};
}

// Every output has a blob of its own name that no layer takes: ncnn drops what was taken.
void Emitter::add_outputs(const Graph& graph) {
  std::set<std::string> taken;
  for (const Layer& layer : layers_) taken.insert(layer.bottoms.begin(), layer.bottoms.end());
  for (const Value* output : graph.outputs()) {
    if (!blobs_.contains(output)) {
      blobs_[output] = memory(known_numbers(output), output->name, blob_dims(dims_of(output)));
    }
    std::string blob = blobs_[output];
    if (blob == output->name && taken.insert(blob).second) continue;
    if (blob == output->name && output->producer != nullptr) blob = rename(blob);
    const std::string top = blob == output->name ? fresh(output->name) : output->name;
    layers_.push_back({"Noop", top, {blob}, {top}, {}});
    names_.insert(top);
    blobs_[output] = top;
    taken.insert(blob);
  }
}

// Gives a blob another name, so that an output can have it.
std::string Emitter::rename(const std::string& blob) {
  const std::string name = fresh(blob + "_inner");
  for (Layer& layer : layers_) {
    std::ranges::replace(layer.bottoms, blob, name);
    std::ranges::replace(layer.tops, blob, name);
    if (layer.name == blob) layer.name = name;
  }
  return name;
}

// A blob has one consumer; Split makes one blob of each for several.
void Emitter::split_shared_blobs() {
  std::map<std::string, int> consumers;
  for (const Layer& layer : layers_) {
    for (const std::string& bottom : layer.bottoms) ++consumers[bottom];
  }
  std::vector<Layer> layers;
  std::map<std::string, int> used;
  for (Layer& layer : layers_) {
    for (std::string& bottom : layer.bottoms) {
      if (consumers[bottom] > 1) bottom = fmt::format("{}_split_{}", bottom, used[bottom]++);
    }
    const auto tops = layer.tops;
    layers.push_back(std::move(layer));
    for (const std::string& top : tops) {
      if (consumers[top] < 2) continue;
      Layer split{"Split", top + "_split", {top}, {}, {}};
      for (int i = 0; i < consumers[top]; ++i) {
        split.tops.push_back(fmt::format("{}_split_{}", top, i));
      }
      layers.push_back(std::move(split));
    }
  }
  layers_ = std::move(layers);
}

Files Emitter::assemble() const {
  size_t blobs = 0;
  std::string lines;
  for (const Layer& layer : layers_) {
    blobs += layer.tops.size();
    lines += fmt::format("{:<24} {:<24} {} {}", layer.type, layer.name, layer.bottoms.size(),
                         layer.tops.size());
    for (const std::string& blob : layer.bottoms) lines += " " + blob;
    for (const std::string& blob : layer.tops) lines += " " + blob;
    lines += layer.parameters.text() + "\n";
  }
  return {fmt::format("{}\n{} {}\n{}", kMagic, layers_.size(), blobs, lines), weights_};
}

Result<Files> Emitter::run(const Graph& graph) {
  EDGEWRIGHT_TRY(add_inputs(graph));
  for (const Node& node : graph.nodes()) {
    EDGEWRIGHT_TRY(emit_by_row(*this, node, find_row(node), "ncnn"));
  }
  for (const Value* output : graph.outputs()) {
    if (has_blob(output)) continue;
    return unsupported("output '{}' is {}, ncnn gives float32 of at most {} axes", output->name,
                       type_text(output->type), kMaxAxes);
  }
  add_outputs(graph);
  split_shared_blobs();
  return assemble();
}

}  // namespace edgewright::ncnn_format
