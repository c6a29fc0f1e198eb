#include <algorithm>
#include <map>
#include <pugixml.hpp>
#include <sstream>

#include "base/file.h"
#include "formats/openvino/ir.h"

namespace edgewright::openvino_ir {
namespace {

// Constants begin on such a boundary, so that any element type can be read in place.
constexpr size_t kConstantAlignment = 64;

// The names of precisions in ports: the element types in capitals, but for the floats.
std::string precision(DType dtype) {
  if (dtype == DType::kFloat32) return "FP32";
  if (dtype == DType::kFloat16) return "FP16";
  if (dtype == DType::kFloat64) return "FP64";
  if (dtype == DType::kBool) return "BOOL";
  std::string text(element_type(dtype));
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

void add_port(pugi::xml_node parent, size_t id, const Port& port, bool with_names) {
  auto node = parent.append_child("port");
  node.append_attribute("id") = id;
  node.append_attribute("precision") = precision(port.dtype).c_str();
  if (with_names && !port.names.empty()) {
    std::string names;
    for (const std::string& name : port.names) {
      if (!names.empty()) names += ',';
      // A comma within a name would end it.
      for (const char c : name) names += c == ',' ? std::string("\\,") : std::string(1, c);
    }
    node.append_attribute("names") = names.c_str();
  }
  if (!port.shape) return;
  for (const Dim& dim : *port.shape) {
    node.append_child("dim").text() = static_cast<long long>(dim.value);
  }
}

class Writer {
 public:
  Writer(const Ir& ir, AtomicFile& weights) : ir_(ir), weights_(weights) {}

  Result<std::string> run() {
    auto net = document_.append_child("net");
    net.append_attribute("name") = ir_.name.c_str();
    net.append_attribute("version") = "11";
    auto layers = net.append_child("layers");
    for (size_t i = 0; i < ir_.layers.size(); ++i) EDGEWRIGHT_TRY(add_layer(layers, i));
    auto edges = net.append_child("edges");
    for (size_t i = 0; i < ir_.layers.size(); ++i) add_edges(edges, i);
    net.append_child("rt_info");
    std::ostringstream text;
    document_.save(text, "\t");
    return text.str();
  }

 private:
  Status add_layer(pugi::xml_node layers, size_t id) {
    const Layer& layer = ir_.layers[id];
    auto node = layers.append_child("layer");
    node.append_attribute("id") = id;
    node.append_attribute("name") = layer.name.c_str();
    node.append_attribute("type") = layer.type.c_str();
    node.append_attribute("version") = layer.version.c_str();
    if (!layer.data.empty() || layer.constant) {
      auto data = node.append_child("data");
      for (const auto& [key, value] : layer.data) {
        data.append_attribute(key.c_str()) = value.c_str();
      }
      if (layer.constant) EDGEWRIGHT_TRY(add_constant(data, *layer.constant));
    }
    if (layer.is_decompression) {
      auto attribute = node.append_child("rt_info").append_child("attribute");
      attribute.append_attribute("name") = "decompression";
      attribute.append_attribute("version") = "0";
    }
    if (!layer.inputs.empty()) {
      auto inputs = node.append_child("input");
      for (size_t i = 0; i < layer.inputs.size(); ++i) {
        const Endpoint& from = layer.inputs[i];
        add_port(inputs, i, ir_.layers[from.layer].outputs[from.port], false);
      }
    }
    if (!layer.outputs.empty()) {
      auto outputs = node.append_child("output");
      for (size_t i = 0; i < layer.outputs.size(); ++i) {
        add_port(outputs, layer.inputs.size() + i, layer.outputs[i], true);
      }
    }
    return {};
  }

  // Equal constants are stored once.
  Status add_constant(pugi::xml_node data, const Tensor& tensor) {
    const auto bytes = tensor.byte_span();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    auto [at, fresh] = offsets_.emplace(text, 0);
    if (fresh) {
      EDGEWRIGHT_TRY(weights_.pad_to(kConstantAlignment));
      at->second = weights_.size_bytes();
      EDGEWRIGHT_TRY(weights_.write(bytes));
    }
    data.append_attribute("element_type") = std::string(element_type(tensor.dtype())).c_str();
    data.append_attribute("shape") = fmt::format("{}", fmt::join(tensor.dims(), ",")).c_str();
    data.append_attribute("offset") = at->second;
    data.append_attribute("size") = bytes.size();
    return {};
  }

  void add_edges(pugi::xml_node edges, size_t id) const {
    const Layer& layer = ir_.layers[id];
    for (size_t i = 0; i < layer.inputs.size(); ++i) {
      const Endpoint& from = layer.inputs[i];
      auto edge = edges.append_child("edge");
      edge.append_attribute("from-layer") = from.layer;
      edge.append_attribute("from-port") = ir_.layers[from.layer].inputs.size() + from.port;
      edge.append_attribute("to-layer") = id;
      edge.append_attribute("to-port") = i;
    }
  }

  const Ir& ir_;
  AtomicFile& weights_;
  pugi::xml_document document_;
  std::map<std::string_view, size_t> offsets_;  // of constants, by their bytes
};

}  // namespace

Status write_ir(const Ir& ir, const std::string& path) {
  EDGEWRIGHT_ASSIGN(AtomicFile weights, AtomicFile::create(weights_path(path)));
  EDGEWRIGHT_ASSIGN(const std::string text, Writer(ir, weights).run());
  EDGEWRIGHT_TRY(weights.commit());
  return write_file(path, text);
}

}  // namespace edgewright::openvino_ir
