#include "split/codec/wire.h"

#include <algorithm>
#include <cmath>

#include "split/codec/forms.h"

namespace edgewright {
namespace {

struct FormName {
  std::string_view name;
  int bits;
};
constexpr FormName kNames[] = {{"", 32}, {"fp16", 16}, {"int8", 8}, {"int4", 4}, {"coded", 32}};

// value = scale (level - zero), levels 0 to 2^bits - 1.
struct Grid {
  std::vector<float> scale;
  std::vector<uint8_t> zero;
};

Result<Grid> grid_of(std::span<const float> values, const ChannelGroups& groups, float levels) {
  std::vector<float> low(groups.groups, 0.0F), high(groups.groups, 0.0F);
  float sum = 0;
  for (size_t begin = 0, row = 0; begin < values.size(); begin += groups.inner, ++row) {
    float least = low[row % groups.groups], most = high[row % groups.groups];
    for (const float value : values.subspan(begin, groups.inner)) {
      least = std::min(least, value);
      most = std::max(most, value);
      sum += value * 0;
    }
    low[row % groups.groups] = least;
    high[row % groups.groups] = most;
  }
  // Zero times an infinity or a NaN is NaN, and stays it.
  if (sum != 0) return unsupported("an activation holds values that are infinite or not a number");
  Grid grid;
  for (size_t group = 0; group < groups.groups; ++group) {
    const float range = high[group] - low[group];
    grid.scale.push_back(range > 0 ? range / levels : 1);
    grid.zero.push_back(static_cast<uint8_t>(std::lround(-low[group] / grid.scale.back())));
  }
  return grid;
}

std::vector<uint8_t> levels_of(std::span<const float> values, const ChannelGroups& groups,
                               const Grid& grid, float levels) {
  std::vector<uint8_t> found(values.size());
  for (size_t begin = 0, row = 0; begin < values.size(); begin += groups.inner, ++row) {
    const float factor = 1 / grid.scale[row % groups.groups];
    // Adding a half and cutting off rounds what is not negative.
    const float zero = static_cast<float>(grid.zero[row % groups.groups]) + 0.5F;
    for (size_t i = begin; i < begin + groups.inner; ++i) {
      const float level = std::clamp(values[i] * factor + zero, 0.0F, levels + 0.5F);
      found[i] = static_cast<uint8_t>(static_cast<int>(level));
    }
  }
  return found;
}

std::vector<uint8_t> packed(const std::vector<uint8_t>& levels) {
  const size_t half = (levels.size() + 1) / 2;
  std::vector<uint8_t> bytes(levels.begin(), levels.begin() + std::ptrdiff_t(half));
  for (size_t i = half; i < levels.size(); ++i) {
    bytes[i - half] = static_cast<uint8_t>(bytes[i - half] | levels[i] << 4);
  }
  return bytes;
}

uint8_t level_at(WireForm form, std::span<const uint8_t> bytes, size_t i) {
  if (form == WireForm::kInt8) return bytes[i];
  return i < bytes.size() ? bytes[i] & 15 : bytes[i - bytes.size()] >> 4;
}

// Adds nodes behind new inputs.
class Decoder {
 public:
  Decoder(Graph& graph, Node* before) : graph_(graph), before_(before) {}

  Value* input(const std::string& name, DType dtype, const Dims& dims) {
    return graph_.add_input(name, ValueType::tensor(dtype, to_shape(dims)));
  }
  Value* node(const char* op, const std::vector<Value*>& inputs, DType dtype, const Dims& dims,
              Attributes attributes = {}) {
    Node* made = graph_.add_node(op, inputs, {graph_.fresh_name("wire")}, std::move(attributes), "",
                                 before_);
    made->outputs[0]->type = ValueType::tensor(dtype, to_shape(dims));
    return made->outputs[0];
  }
  Value* ints(const std::vector<int64_t>& values) {
    return graph_.add_constant(graph_.fresh_name("wire"),
                               Tensor::of<int64_t>({std::ssize(values)}, values));
  }
  Value* byte(uint8_t value) {
    return graph_.add_constant(graph_.fresh_name("wire"), Tensor::of<uint8_t>({1}, {value}));
  }

 private:
  Graph& graph_;
  Node* before_;
};

Attributes with(const char* name, AttributeValue value) {
  Attributes attributes;
  attributes.set(name, std::move(value));
  return attributes;
}

// The uint8 levels in the shape of the activation.
Value* unpacked(Decoder& decoder, const std::string& name, const Dims& dims, int64_t count) {
  const int64_t half = (count + 1) / 2;
  Value* bytes = decoder.input(name, DType::kUint8, {half});
  Value* low = decoder.node("Mod", {bytes, decoder.byte(16)}, DType::kUint8, {half});
  Value* high = decoder.node("BitShift", {bytes, decoder.byte(4)}, DType::kUint8, {half},
                             with("direction", std::string("RIGHT")));
  Value* flat =
      decoder.node("Concat", {low, high}, DType::kUint8, {2 * half}, with("axis", int64_t{0}));
  if (2 * half != count) {
    flat = decoder.node("Slice", {flat, decoder.ints({0}), decoder.ints({count})}, DType::kUint8,
                        {count});
  }
  return decoder.node("Reshape", {flat, decoder.ints(dims)}, DType::kUint8, dims);
}

Value* dequantised(Decoder& decoder, const std::string& name, const Dims& dims, WireForm form) {
  const ChannelGroups groups = channel_groups(dims);
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  Value* levels = form == WireForm::kInt8 ? decoder.input(name, DType::kUint8, dims)
                                          : unpacked(decoder, name, dims, count);
  const Dims channels = {static_cast<int64_t>(groups.groups)};
  Value* scale = decoder.input(name + ".scale", DType::kFloat32, channels);
  Value* zero = decoder.input(name + ".zero", DType::kUint8, channels);
  Attributes axis;
  if (groups.groups == 1) {
    // One for all elements is a scalar.
    scale = decoder.node("Reshape", {scale, decoder.ints({})}, DType::kFloat32, {});
    zero = decoder.node("Reshape", {zero, decoder.ints({})}, DType::kUint8, {});
  } else {
    axis.set("axis", static_cast<int64_t>(dims.size() >= 4 ? 1 : dims.size() - 1));
  }
  return decoder.node("DequantizeLinear", {levels, scale, zero}, DType::kFloat32, dims, axis);
}

}  // namespace

Result<WireForm> parse_wire_form(std::string_view name) {
  for (size_t i = 1; i < static_cast<size_t>(WireForm::kCoded); ++i) {
    if (kNames[i].name == name) return static_cast<WireForm>(i);
  }
  return usage_error("found codec '{}', expected fp16, int8 or int4, which servers can read", name);
}

std::string_view wire_form_name(WireForm form) { return kNames[static_cast<size_t>(form)].name; }

int wire_bits(WireForm form) { return kNames[static_cast<size_t>(form)].bits; }

Result<WireTensors> encode_wire(WireForm form, const std::string& name, const Tensor& tensor) {
  EDGEWRIGHT_CHECK(form != WireForm::kCoded);
  if (form == WireForm::kPlain || tensor.dtype() != DType::kFloat32) {
    return WireTensors{{name, tensor}};
  }
  const auto values = tensor.elements<float>();
  if (form == WireForm::kFloat16) {
    std::vector<Half> halves(values.size());
    std::ranges::transform(values, halves.begin(), [](float value) { return Half(value); });
    return WireTensors{{name, Tensor::of<Half>(tensor.dims(), halves)}};
  }
  const ChannelGroups groups = channel_groups(tensor.dims());
  const auto levels = static_cast<float>((1 << wire_bits(form)) - 1);
  const ChannelGroups rows = groups.groups == 1 ? ChannelGroups{1, values.size()} : groups;
  EDGEWRIGHT_ASSIGN(const Grid grid, grid_of(values, rows, levels));
  const std::vector<uint8_t> found = levels_of(values, rows, grid, levels);
  const Dims channels = {static_cast<int64_t>(groups.groups)};
  WireTensors sent;
  if (form == WireForm::kInt8) {
    sent.emplace_back(name, Tensor::of<uint8_t>(tensor.dims(), found));
  } else {
    const auto bytes = packed(found);
    sent.emplace_back(name, Tensor::of<uint8_t>({std::ssize(bytes)}, bytes));
  }
  sent.emplace_back(name + ".scale", Tensor::of<float>(channels, grid.scale));
  sent.emplace_back(name + ".zero", Tensor::of<uint8_t>(channels, grid.zero));
  return sent;
}

Tensor decode_wire(WireForm form, const WireTensors& sent, const Dims& dims) {
  const Tensor& first = sent[0].second;
  if (sent.size() == 1 && first.dtype() != DType::kFloat16) return first;
  if (form == WireForm::kFloat16) {
    std::vector<float> values;
    for (const Half half : first.elements<Half>()) values.push_back(static_cast<float>(half));
    return Tensor::of<float>(dims, values);
  }
  const ChannelGroups groups = channel_groups(dims);
  const auto bytes = first.elements<uint8_t>(), zero = sent[2].second.elements<uint8_t>();
  const auto scale = sent[1].second.elements<float>();
  const auto count = checked_element_count(dims);
  std::vector<float> values(count.ok() ? static_cast<size_t>(*count) : 0);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t group = groups.group(i);
    const int level = level_at(form, bytes, i) - zero[group];
    values[i] = static_cast<float>(level) * scale[group];
  }
  return Tensor::of<float>(dims, values);
}

Status take_wire_form(Graph& graph, const std::vector<std::string>& inputs, WireForm form) {
  // What is coded is decoded before it reaches the model.
  if (form == WireForm::kPlain || form == WireForm::kCoded) return {};
  for (const std::string& name : inputs) {
    Value* plain = graph.find_value(name);
    if (plain == nullptr || !plain->is_graph_input()) {
      return usage_error("the model has no input '{}'", name);
    }
    if (plain->type.dtype != DType::kFloat32) continue;
    const auto dims = plain->type.shape ? known_dims(*plain->type.shape) : std::nullopt;
    if (!dims) return unsupported("input '{}' has type {}", name, type_text(plain->type));
    graph.rename(plain, graph.fresh_name(name + ".plain"));
    Decoder decoder(graph, graph.nodes().empty() ? nullptr : &graph.nodes().front());
    Value* made =
        form == WireForm::kFloat16
            ? decoder.node("Cast", {decoder.input(name, DType::kFloat16, *dims)}, DType::kFloat32,
                           *dims, with("to", int64_t{1}))  // TensorProto.FLOAT
            : dequantised(decoder, name, *dims, form);
    graph.replace_uses(plain, made, false);
    const auto& all = graph.inputs();
    graph.remove_input(static_cast<size_t>(std::ranges::find(all, plain) - all.begin()));
  }
  return {};
}

}  // namespace edgewright
