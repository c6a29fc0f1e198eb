#include <algorithm>
#include <cctype>
#include <set>

#include "formats/tensorrt/tensorrt.h"

namespace edgewright {
namespace {

// The range of an open dimension that an engine is built for, and what it is made quickest for.
struct Range {
  int64_t least, usual, most;
};
constexpr Range kBatch = {1, 1, 32};
constexpr Range kLength = {1, 128, 512};

// Symbols that are the first dimension of an input anywhere are batches everywhere.
std::set<std::string> batch_symbols(const Graph& graph) {
  std::set<std::string> symbols;
  for (const Value* input : graph.inputs()) {
    if (input->type.shape && !input->type.shape->empty()) {
      symbols.insert(input->type.shape->front().symbol);
    }
  }
  symbols.erase("");
  return symbols;
}

std::string shapes(const Graph& graph, int64_t Range::* which) {
  const std::set<std::string> batches = batch_symbols(graph);
  std::string list;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant() || !input->type.shape || known_dims(*input->type.shape)) continue;
    std::vector<int64_t> dims;
    for (const Dim& dim : *input->type.shape) {
      const bool is_batch = dims.empty() || batches.contains(dim.symbol);
      const Range& range = is_batch ? kBatch : kLength;
      dims.push_back(dim.is_known() ? dim.value : range.*which);
    }
    list += fmt::format("{}{}:{}", list.empty() ? "" : ",", input->name, fmt::join(dims, "x"));
  }
  return list;
}

bool rounds(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(),
                             [](const Node& node) { return node.is("QuantizeLinear"); });
}

std::string class_name(const std::string& op) {
  std::string name;
  for (const char c : op) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
  }
  return name + "Plugin";
}

// One argument of the class for every attribute that a field can hold.
std::string fields_of(const Node& node) {
  std::string text;
  for (const auto& [name, value] : node.attributes) {
    std::string type;
    if (std::holds_alternative<int64_t>(value)) type = "int64_t";
    if (std::holds_alternative<float>(value)) type = "float";
    if (std::holds_alternative<std::string>(value)) type = "std::string";
    if (std::holds_alternative<std::vector<int64_t>>(value)) type = "std::vector<int64_t>";
    if (std::holds_alternative<std::vector<float>>(value)) type = "std::vector<float>";
    if (!type.empty()) text += fmt::format("  {} {}_{{}};\n", type, name);
  }
  return text;
}

std::string types_of(const std::vector<Value*>& values) {
  std::string text;
  for (const Value* value : values) {
    text += fmt::format("//   {}\n", value == nullptr ? "(omitted)" : type_text(value->type));
  }
  return text;
}

constexpr std::string_view kSkeleton =
    R"(// A TensorRT plugin (IPluginV3, TensorRT 10) for the operator @OP@.
// Inputs:
@INPUTS@// Outputs:
@OUTPUTS@// Left to write: the shapes in getOutputShapes, the computation in enqueue, and the attributes in
// the creator's field names and createPlugin. Build:
//   g++ -std=c++17 -shared -fPIC @OP@.cpp -o @OP@.so -lnvinfer
#include <NvInfer.h>

#include <string>
#include <vector>

namespace {

using namespace nvinfer1;

class @CLASS@ : public IPluginV3,
                public IPluginV3OneCore,
                public IPluginV3OneBuild,
                public IPluginV3OneRuntime {
 public:
  IPluginCapability* getCapabilityInterface(PluginCapabilityType type) noexcept override {
    if (type == PluginCapabilityType::kBUILD) return static_cast<IPluginV3OneBuild*>(this);
    if (type == PluginCapabilityType::kRUNTIME) return static_cast<IPluginV3OneRuntime*>(this);
    return static_cast<IPluginV3OneCore*>(this);
  }
  IPluginV3* clone() noexcept override { return new @CLASS@(*this); }

  char const* getPluginName() const noexcept override { return "@OP@"; }
  char const* getPluginVersion() const noexcept override { return "1"; }
  char const* getPluginNamespace() const noexcept override { return ""; }

  int32_t getNbOutputs() const noexcept override { return @OUTPUT_COUNT@; }
  int32_t configurePlugin(DynamicPluginTensorDesc const*, int32_t, DynamicPluginTensorDesc const*,
                          int32_t) noexcept override {
    return 0;
  }
  bool supportsFormatCombination(int32_t index, DynamicPluginTensorDesc const* tensors, int32_t,
                                 int32_t) noexcept override {
    return tensors[index].desc.type == DataType::kFLOAT &&
           tensors[index].desc.format == PluginFormat::kLINEAR;
  }
  int32_t getOutputDataTypes(DataType* outputs, int32_t count, DataType const* inputs,
                             int32_t) const noexcept override {
    for (int32_t i = 0; i < count; ++i) outputs[i] = inputs[0];
    return 0;
  }
  int32_t getOutputShapes(DimsExprs const* inputs, int32_t, DimsExprs const*, int32_t,
                          DimsExprs* outputs, int32_t count, IExprBuilder&) noexcept override {
    for (int32_t i = 0; i < count; ++i) outputs[i] = inputs[0];
    return 0;
  }

  int32_t onShapeChange(PluginTensorDesc const*, int32_t, PluginTensorDesc const*,
                        int32_t) noexcept override {
    return 0;
  }
  int32_t enqueue(PluginTensorDesc const*, PluginTensorDesc const*, void const* const*,
                  void* const*, void*, cudaStream_t) noexcept override {
    return -1;  // not computed yet
  }
  IPluginV3* attachToContext(IPluginResourceContext*) noexcept override { return clone(); }
  PluginFieldCollection const* getFieldsToSerialize() noexcept override { return &fields_; }

 private:
  PluginFieldCollection fields_{0, nullptr};
@FIELDS@};

class @CLASS@Creator : public IPluginCreatorV3One {
 public:
  char const* getPluginName() const noexcept override { return "@OP@"; }
  char const* getPluginVersion() const noexcept override { return "1"; }
  char const* getPluginNamespace() const noexcept override { return ""; }
  PluginFieldCollection const* getFieldNames() noexcept override { return &fields_; }
  IPluginV3* createPlugin(char const*, PluginFieldCollection const*,
                          TensorRTPhase) noexcept override {
    return new @CLASS@();
  }

 private:
  PluginFieldCollection fields_{0, nullptr};
};

}  // namespace

REGISTER_TENSORRT_PLUGIN(@CLASS@Creator);
)";

void replace(std::string& text, std::string_view mark, std::string_view by) {
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + by.size())) {
    text.replace(at, mark.size(), by);
  }
}

}  // namespace

std::string tensorrt_command(const Graph& graph, const TensorrtCommand& command) {
  std::string text =
      "# Builds a TensorRT engine of the model beside this file: sh NAME.trtexec\n"
      "stem=${0%.trtexec}\n";
  std::string arguments = " --onnx=\"$stem.onnx\" --saveEngine=\"$stem.engine\"";
  if (rounds(graph)) arguments += " --int8";
  if (command.half) arguments += " --fp16";
  if (const std::string open = shapes(graph, &Range::least); !open.empty()) {
    text += "# The lengths of open dimensions: least, usual (built to be quickest), most.\n";
    arguments += fmt::format(" \\\n  --minShapes={} \\\n  --optShapes={} \\\n  --maxShapes={}",
                             open, shapes(graph, &Range::usual), shapes(graph, &Range::most));
  }
  std::set<std::string> operators;
  for (const Node* node : command.plugin_nodes) {
    text += fmt::format("# needs a plugin: node '{}' ({})\n", node->name, node->op);
    operators.insert(node->op);
  }
  for (const std::string& op : operators) {
    arguments += fmt::format(" \\\n  --staticPlugins=\"$stem.plugins/{}.so\"", op);
  }
  return text + "trtexec" + arguments + " \"$@\"\n";
}

std::string tensorrt_plugin_skeleton(const Node& node) {
  std::string text(kSkeleton);
  replace(text, "@OP@", node.op);
  replace(text, "@CLASS@", class_name(node.op));
  replace(text, "@OUTPUT_COUNT@", fmt::format("{}", node.outputs.size()));
  replace(text, "@FIELDS@", fields_of(node));
  replace(text, "@INPUTS@", types_of(node.inputs));
  replace(text, "@OUTPUTS@", types_of(node.outputs));
  return text;
}

}  // namespace edgewright
