// Reads the layers of an IR file: every number is checked before it is used.
#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <pugixml.hpp>
#include <queue>

#include "base/file.h"
#include "formats/openvino/ir.h"

namespace edgewright::openvino_ir {
namespace {

constexpr size_t kMaxXmlBytes = size_t{512} << 20;
constexpr size_t kMaxRank = 32;

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Result<int64_t> number_attribute(pugi::xml_node node, const char* key) {
  const auto value = number(trimmed(node.attribute(key).value()));
  if (value && *value >= 0) return *value;
  return bad_input("{} of <{}> at byte {}: found '{}', expected a number", key, node.name(),
                   node.offset_debug(), node.attribute(key).value());
}

// FP32 and the like, or the element types' own names.
std::optional<DType> precision_dtype(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (text.starts_with("fp")) text.erase(1, 1);
  if (text == "bool") text = "boolean";
  return element_dtype(text);
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == ',') {
      names.back() += text[++i];
    } else if (text[i] == ',') {
      names.emplace_back();
    } else {
      names.back() += text[i];
    }
  }
  std::erase(names, std::string());
  return names;
}

Result<Port> read_port(pugi::xml_node node) {
  Port port;
  const std::string precision = node.attribute("precision").value();
  if (!precision.empty()) {
    const auto dtype = precision_dtype(precision);
    if (!dtype) {
      return element_type_error(precision).at(fmt::format("port at byte {}", node.offset_debug()));
    }
    port.dtype = *dtype;
  }
  port.names = split_names(node.attribute("names").value());
  Shape shape;
  for (const auto dim : node.children("dim")) {
    const auto value = number(trimmed(dim.text().get()));
    if (!value || *value < -1 || shape.size() == kMaxRank) {
      return bad_input("dimension at byte {}: found '{}', expected a number from -1 on, at most {}",
                       dim.offset_debug(), dim.text().get(), kMaxRank);
    }
    shape.push_back(*value < 0 ? Dim() : Dim(*value));
  }
  port.shape = std::move(shape);
  return port;
}

class Reader {
 public:
  Reader(pugi::xml_node net, std::string weights) : net_(net), weights_path_(std::move(weights)) {}

  Result<Ir> run() {
    const std::string version = net_.attribute("version").value();
    if (version != "10" && version != "11") {
      const auto known = number(version);
      constexpr int64_t kNewest = 11;
      // Operation sets came with version 10: a layer that names one is of no older file.
      const auto first = net_.child("layers").child("layer");
      const bool names_set = !std::string_view(first.attribute("version").value()).empty();
      if (known && *known >= 1 && *known < kNewest && !names_set) {
        return unsupported("IR version {}: versions 10 and 11 are read here", version);
      }
      return bad_input("IR version '{}', expected 10 or 11", version.substr(0, 40));
    }
    ir_.name = net_.attribute("name").value();
    for (const auto layer : net_.child("layers").children("layer")) {
      EDGEWRIGHT_TRY(read_layer(layer));
    }
    if (ir_.layers.empty()) return bad_input("found no <layer>, expected at least one");
    for (const auto edge : net_.child("edges").children("edge")) EDGEWRIGHT_TRY(read_edge(edge));
    EDGEWRIGHT_TRY(check_inputs());
    return ordered();
  }

 private:
  Status read_layer(pugi::xml_node node);
  Status read_constant(pugi::xml_node data, Layer& layer);
  Status read_edge(pugi::xml_node edge);
  Status check_inputs() const;
  Result<Ir> ordered();
  Result<size_t> layer_of(pugi::xml_node edge, const char* key) const;

  pugi::xml_node net_;
  std::string weights_path_;
  std::shared_ptr<const MappedFile> weights_;
  Ir ir_;
  std::map<int64_t, size_t> index_;                   // of a layer by its id
  std::vector<std::map<int64_t, size_t>> input_ids_;  // port id -> position
  std::vector<std::map<int64_t, size_t>> output_ids_;
};

constexpr Endpoint kNothing = {std::numeric_limits<size_t>::max(), 0};

Status Reader::read_layer(pugi::xml_node node) {
  EDGEWRIGHT_ASSIGN(const int64_t id, number_attribute(node, "id"));
  if (!index_.emplace(id, ir_.layers.size()).second) return bad_input("two layers have id {}", id);
  Layer& layer = ir_.layers.emplace_back();
  layer.name = node.attribute("name").value();
  layer.type = node.attribute("type").value();
  layer.version = node.attribute("version").value();
  const auto data = node.child("data");
  for (const auto attribute : data.attributes()) {
    layer.data.emplace_back(attribute.name(), attribute.value());
  }
  auto& inputs = input_ids_.emplace_back();
  for (const auto port : node.child("input").children("port")) {
    EDGEWRIGHT_ASSIGN(const int64_t port_id, number_attribute(port, "id"));
    if (!inputs.emplace(port_id, layer.inputs.size()).second) {
      return bad_input("layer '{}' has two input ports {}", layer.name, port_id);
    }
    layer.inputs.push_back(kNothing);
  }
  auto& outputs = output_ids_.emplace_back();
  for (const auto port : node.child("output").children("port")) {
    EDGEWRIGHT_ASSIGN(const int64_t port_id, number_attribute(port, "id"));
    if (!outputs.emplace(port_id, layer.outputs.size()).second) {
      return bad_input("layer '{}' has two output ports {}", layer.name, port_id);
    }
    EDGEWRIGHT_ASSIGN(Port read, read_port(port));
    layer.outputs.push_back(std::move(read));
  }
  if (layer.type != "Const") return {};
  Status status = read_constant(data, layer);
  return status.ok()
             ? status
             : Status(std::move(status).error().at(fmt::format("constant '{}'", layer.name)));
}

Status Reader::read_constant(pugi::xml_node data, Layer& layer) {
  const auto dtype = element_dtype(data.attribute("element_type").value());
  if (!dtype) return element_type_error(data.attribute("element_type").value());
  Dims dims;
  std::string_view text = trimmed(data.attribute("shape").value());
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    const auto dim = number(trimmed(item));
    if (!dim || *dim < 0 || dims.size() == kMaxRank) return bad_input("found shape '{}'", text);
    dims.push_back(*dim);
    text = item.size() == text.size() ? std::string_view() : text.substr(item.size() + 1);
  }
  EDGEWRIGHT_ASSIGN(const int64_t offset, number_attribute(data, "offset"));
  EDGEWRIGHT_ASSIGN(const int64_t size, number_attribute(data, "size"));
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  if (count > std::numeric_limits<int64_t>::max() / 16) return bad_input("{} elements", count);
  const size_t needed = dtype_bytes(*dtype, static_cast<size_t>(count));
  if (needed != static_cast<size_t>(size)) {
    return bad_input("found {} bytes, {} of {} take {}", size, dims_text(dims), dtype_name(*dtype),
                     needed);
  }
  if (weights_ == nullptr) {
    EDGEWRIGHT_ASSIGN(weights_, MappedFile::open(weights_path_));
  }
  const auto bytes = weights_->bytes();
  if (static_cast<size_t>(offset) > bytes.size() || needed > bytes.size() - offset) {
    return bad_input("bytes {} to {} lie beyond the {} bytes of {}", offset, offset + size,
                     bytes.size(), weights_path_);
  }
  layer.constant = Tensor::view(*dtype, dims, bytes.data() + offset, weights_);
  return {};
}

Result<size_t> Reader::layer_of(pugi::xml_node edge, const char* key) const {
  EDGEWRIGHT_ASSIGN(const int64_t id, number_attribute(edge, key));
  const auto it = index_.find(id);
  if (it != index_.end()) return it->second;
  return bad_input("edge at byte {}: there is no layer {}", edge.offset_debug(), id);
}

Status Reader::read_edge(pugi::xml_node edge) {
  EDGEWRIGHT_ASSIGN(const size_t from, layer_of(edge, "from-layer"));
  EDGEWRIGHT_ASSIGN(const size_t to, layer_of(edge, "to-layer"));
  EDGEWRIGHT_ASSIGN(const int64_t from_port, number_attribute(edge, "from-port"));
  EDGEWRIGHT_ASSIGN(const int64_t to_port, number_attribute(edge, "to-port"));
  const auto output = output_ids_[from].find(from_port);
  const auto input = input_ids_[to].find(to_port);
  if (output == output_ids_[from].end() || input == input_ids_[to].end()) {
    return bad_input("edge at byte {}: '{}' has no port {}, or '{}' no port {}",
                     edge.offset_debug(), ir_.layers[from].name, from_port, ir_.layers[to].name,
                     to_port);
  }
  Endpoint& endpoint = ir_.layers[to].inputs[input->second];
  if (endpoint != kNothing) {
    return bad_input("port {} of layer '{}' has two edges", to_port, ir_.layers[to].name);
  }
  endpoint = {from, output->second};
  return {};
}

Status Reader::check_inputs() const {
  for (const Layer& layer : ir_.layers) {
    if (std::ranges::find(layer.inputs, kNothing) != layer.inputs.end()) {
      return bad_input("layer '{}' ({}) has an input without an edge", layer.name, layer.type);
    }
  }
  return {};
}

// Layers in an order of use, in the file's order where that is one; a cycle leaves some behind.
Result<Ir> Reader::ordered() {
  const size_t count = ir_.layers.size();
  std::vector<size_t> missing(count), position(count), order;
  std::vector<std::vector<size_t>> users(count);
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < count; ++i) {
    missing[i] = ir_.layers[i].inputs.size();
    for (const Endpoint& from : ir_.layers[i].inputs) users[from.layer].push_back(i);
    if (missing[i] == 0) ready.push(i);
  }
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (const size_t user : users[order.back()]) {
      if (--missing[user] == 0) ready.push(user);
    }
  }
  if (order.size() != count) return bad_input("the layers form a cycle");
  for (size_t i = 0; i < count; ++i) position[order[i]] = i;
  Ir result;
  result.name = std::move(ir_.name);
  for (const size_t i : order) {
    Layer& layer = result.layers.emplace_back(std::move(ir_.layers[i]));
    for (Endpoint& from : layer.inputs) from.layer = position[from.layer];
  }
  return result;
}

}  // namespace

Result<Ir> read_ir(const std::string& path) {
  EDGEWRIGHT_ASSIGN(std::string text, read_file(path, kMaxXmlBytes));
  pugi::xml_document document;
  const auto parsed = document.load_buffer_inplace(text.data(), text.size());
  if (!parsed) {
    return bad_input("{}: no XML: {} at byte {}", path, parsed.description(), parsed.offset);
  }
  const auto net = document.child("net");
  if (!net) return bad_input("{}: found no <net>, expected an OpenVINO IR file", path);
  auto ir = Reader(net, weights_path(path)).run();
  if (!ir.ok()) return std::move(ir).error().at(path);
  return ir;
}

}  // namespace edgewright::openvino_ir
