#include "formats/onnx/old_opset_adapters.h"

#include "formats/onnx/adapter_edits.h"

namespace edgewright::onnx_io {
namespace {

template <const char*... kNames>
Status drop_attributes(Node*& node) {
  (node->attributes.erase(kNames), ...);
  return {};
}

constexpr char kConsumedInputs[] = "consumed_inputs";
constexpr char kBroadcast[] = "broadcast";
constexpr char kIsTest[] = "is_test";
constexpr char kOutputSequence[] = "output_sequence";

// The second operand lay at `axis` of the first; later it lies at the end.
Status broadcast_7(Node*& node) {
  int64_t axis = node->attributes.get_int("axis", 0);
  const bool placed =
      node->attributes.get_int("broadcast", 0) != 0 && node->attributes.contains("axis");
  node->attributes.erase("axis");
  node->attributes.erase("broadcast");
  if (!placed) return {};
  const auto a = input_rank(*node, 0);
  const auto b = input_rank(*node, 1);
  if (!a || !b) return unsupported("broadcasting at axis {} of an unknown rank", axis);
  if (axis < 0) axis += *a;
  std::vector<int64_t> added;
  for (int64_t i = axis + *b; i < *a; ++i) added.push_back(*b + static_cast<int64_t>(added.size()));
  if (added.empty()) return {};
  node->graph->set_input(
      node, 1,
      insert_before(*node, "Unsqueeze", {node->input(1), ints_beside(*node, "axes", added)}));
  return {};
}

// A slope per channel lay at the channel axis.
Status prelu_7(Node*& node) {
  const auto rank = input_rank(*node, 0);
  const auto slope_rank = input_rank(*node, 1);
  if (!rank || !slope_rank) return unsupported("the shapes of input and slope are not known");
  if (*slope_rank != 1 || *rank <= 2 || (*node->input(1)->type.shape)[0] == Dim(1)) return {};
  std::vector<int64_t> added;
  for (int64_t i = 1; i < *rank - 1; ++i) added.push_back(i);
  node->graph->set_input(
      node, 1,
      insert_before(*node, "Unsqueeze", {node->input(1), ints_beside(*node, "axes", added)}));
  return {};
}

Status cast_6(Node*& node) {
  const std::string name = node->attributes.get_string("to", "");
  onnx::TensorProto::DataType number;
  if (!onnx::TensorProto::DataType_Parse(name, &number)) {
    return bad_input("'to' is '{}', the name of an element type is expected", name);
  }
  node->attributes.set("to", static_cast<int64_t>(number));
  return {};
}

Status concat_4(Node*& node) {
  if (!node->attributes.contains("axis")) node->attributes.set("axis", int64_t{1});
  return {};
}

Status integer_p(Node*& node) {
  if (node->attributes.contains("p")) {
    node->attributes.set("p", static_cast<int64_t>(node->attributes.get_float("p", 2.0f)));
  }
  return {};
}

Status pad_2(Node*& node) {
  const auto pads = node->attributes.get_ints("paddings");
  node->attributes.erase("paddings");
  node->attributes.set("pads", pads);
  return {};
}

Status reshape_5(Node*& node) {
  node->attributes.erase("consumed_inputs");
  move_ints_to_input(*node, "shape", 1);
  return {};
}

Status split_2(Node*& node) {
  if (!node->attributes.contains("axis")) node->attributes.set("axis", int64_t{0});
  const Tensor* lengths = node->constant_input(1);
  if (node->input(1) == nullptr) return {};
  if (lengths == nullptr) return unsupported("the lengths of the parts are not constant");
  EDGEWRIGHT_ASSIGN(const auto parts, lengths->to_int64s());
  node->attributes.set("split", parts);
  node->graph->set_input(node, 1, nullptr);
  node->graph->remove_trailing_omitted_inputs(node);
  return {};
}

Status tile_6(Node*& node) {
  const Tensor* tiles = node->constant_input(1);
  const Tensor* axis = node->constant_input(2);
  const auto rank = input_rank(*node, 0);
  if (tiles == nullptr || axis == nullptr || !rank) {
    return unsupported("tiles and axis are not constant or the rank is not known");
  }
  EDGEWRIGHT_ASSIGN(const auto count, tiles->to_doubles());
  EDGEWRIGHT_ASSIGN(const auto at, axis->to_doubles());
  if (count.size() != 1 || at.size() != 1 || at[0] < 0 || at[0] >= static_cast<double>(*rank)) {
    return bad_input("one number of tiles and one axis below {} are expected", *rank);
  }
  std::vector<int64_t> repeats(static_cast<size_t>(*rank), 1);
  repeats[static_cast<size_t>(at[0])] = static_cast<int64_t>(count[0]);
  node->graph->set_input(node, 2, nullptr);
  node->graph->remove_trailing_omitted_inputs(node);
  node->graph->set_input(node, 1, ints_beside(*node, "repeats", repeats));
  return {};
}

Status upsample_7(Node*& node) {
  const float height = node->attributes.get_float("height_scale", 1.0f);
  const float width = node->attributes.get_float("width_scale", 1.0f);
  node->attributes.erase("height_scale");
  node->attributes.erase("width_scale");
  node->attributes.set("scales", std::vector<float>{1.0f, 1.0f, height, width});
  return {};
}

// The defaults became more exact.
Status selu_6(Node*& node) {
  node->attributes.erase("consumed_inputs");
  if (!node->attributes.contains("alpha")) node->attributes.set("alpha", 1.6732f);
  if (!node->attributes.contains("gamma")) node->attributes.set("gamma", 1.0507f);
  return {};
}

// An experimental operator that old image models begin with: x * scale + bias[channel].
Status image_scaler(Node*& node) {
  const auto bias = node->attributes.get_floats("bias");
  const float scale = node->attributes.get_float("scale", 1.0f);
  const auto channels = static_cast<int64_t>(bias.size());
  if (node->input(0) == nullptr || bias.empty() || node->outputs.size() != 1) {
    return bad_input("an input, an output and a bias for every channel are expected");
  }
  if (scale != 1.0f) {
    Value* factor = constant_beside(*node, "scale", Tensor::scalar(scale));
    node->graph->set_input(node, 0, insert_before(*node, "Mul", {node->input(0), factor}));
  }
  node->op = "Add";
  node->attributes = {};
  node->graph->set_input(
      node, 1,
      constant_beside(*node, "bias",
                      Tensor::of<float>({1, channels, 1, 1}, std::span<const float>(bias))));
  return {};
}

constexpr auto drop_consumed = drop_attributes<kConsumedInputs>;

constexpr UpgradeAdapter kAdapters[] = {
    {"", "Abs", 6, drop_consumed},
    {"", "Add", 6, drop_consumed},
    {"", "Add", 7, broadcast_7},
    {"", "And", 7, broadcast_7},
    {"", "BatchNormalization", 6, drop_consumed},
    {"", "BatchNormalization", 7, drop_attributes<kIsTest>},
    {"", "Cast", 6, cast_6},
    {"", "Ceil", 6, drop_consumed},
    {"", "Clip", 6, drop_consumed},
    {"", "Concat", 4, concat_4},
    {"", "Div", 6, drop_consumed},
    {"", "Div", 7, broadcast_7},
    {"", "Dropout", 6, drop_consumed},
    {"", "Dropout", 7, drop_attributes<kIsTest>},
    {"", "Elu", 6, drop_consumed},
    {"", "Equal", 7, broadcast_7},
    {"", "Exp", 6, drop_consumed},
    {"", "Floor", 6, drop_consumed},
    {"", "GRU", 7, drop_attributes<kOutputSequence>},
    {"", "Gemm", 7, drop_attributes<kBroadcast>},
    {"", "GlobalLpPool", 2, integer_p},
    {"", "Greater", 7, broadcast_7},
    {"", "HardSigmoid", 6, drop_consumed},
    {"", "ImageScaler", 10, image_scaler},
    {"", "InstanceNormalization", 6, drop_consumed},
    {"", "LSTM", 7, drop_attributes<kOutputSequence>},
    {"", "LeakyRelu", 6, drop_consumed},
    {"", "Less", 7, broadcast_7},
    {"", "Log", 6, drop_consumed},
    {"", "LpPool", 2, integer_p},
    {"", "Max", 6, drop_consumed},
    {"", "Mean", 6, drop_consumed},
    {"", "Min", 6, drop_consumed},
    {"", "Mul", 6, drop_consumed},
    {"", "Mul", 7, broadcast_7},
    {"", "Neg", 6, drop_consumed},
    {"", "Or", 7, broadcast_7},
    {"", "PRelu", 6, drop_consumed},
    {"", "PRelu", 7, prelu_7},
    {"", "Pad", 2, pad_2},
    {"", "Pow", 7, broadcast_7},
    {"", "RNN", 7, drop_attributes<kOutputSequence>},
    {"", "Reciprocal", 6, drop_consumed},
    {"", "Relu", 6, drop_consumed},
    {"", "Reshape", 5, reshape_5},
    {"", "Selu", 6, selu_6},
    {"", "Sigmoid", 6, drop_consumed},
    {"", "Split", 2, split_2},
    {"", "Sqrt", 6, drop_consumed},
    {"", "Sub", 6, drop_consumed},
    {"", "Sub", 7, broadcast_7},
    {"", "Sum", 6, drop_consumed},
    {"", "Tanh", 6, drop_consumed},
    {"", "Tile", 6, tile_6},
    {"", "Upsample", 7, upsample_7},
    {"", "Xor", 7, broadcast_7},
};

// The type of one sample of a batched value.
ValueType sample_type(const ValueType& type) {
  ValueType sample = type;
  if (sample.shape && !sample.shape->empty()) sample.shape->erase(sample.shape->begin());
  return sample;
}

}  // namespace

std::span<const UpgradeAdapter> old_opset_adapters() { return kAdapters; }

Status upgrade_batched_scan(Node*& node) {
  if (node->input(0) != nullptr) return unsupported("a batched Scan with sequence lengths");
  const int64_t scanned = node->attributes.get_int("num_scan_inputs", 0);
  const auto operands = static_cast<int64_t>(node->inputs.size()) - 1;
  Graph* body = node->subgraph("body");
  if (body == nullptr || scanned < 1 || scanned > operands) {
    return bad_input("{} scan inputs of {} inputs", scanned, operands);
  }
  Graph& graph = *node->graph;
  std::vector<Value*> inputs(node->inputs.begin() + 1, node->inputs.end());
  std::vector<std::string> names(node->outputs.size());
  Node* outer = graph.add_node("Scan", inputs, {}, {}, "", node);
  outer->name = node->name;
  outer->attributes.set("num_scan_inputs", operands);
  Graph* samples = graph.add_subgraph(outer, "body");
  std::vector<Value*> sample_inputs;
  for (const Value* input : inputs) {
    if (input == nullptr) return bad_input("an omitted input");
    sample_inputs.push_back(samples->add_input(input->name, sample_type(input->type)));
  }
  Node* inner = samples->add_node("Scan", sample_inputs, {});
  inner->attributes.set("num_scan_inputs", scanned);
  const auto directions = node->attributes.get_ints("directions");
  if (!directions.empty()) inner->attributes.set("scan_input_directions", directions);
  inner->subgraphs = std::move(node->subgraphs);
  node->subgraphs.clear();
  body->parent = inner;
  for (size_t i = 0; i < body->outputs().size(); ++i) {
    samples->add_output(samples->add_node_output(inner, fmt::format("sample_{}", i)));
  }
  for (size_t i = 0; i < node->outputs.size(); ++i) {
    Value* old = node->outputs[i];
    if (old == nullptr) {
      outer->outputs.push_back(nullptr);
      continue;
    }
    Value* made = graph.add_node_output(outer, old->name);
    made->type = old->type;
    names[i] = old->name;
    graph.replace_uses(old, made);
  }
  graph.erase(node);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty()) graph.rename(outer->outputs[i], names[i]);
  }
  node = outer;
  return {};
}

}  // namespace edgewright::onnx_io
