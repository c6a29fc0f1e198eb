#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "edgewright/convert.h"
#include "graph/graph.h"
#include "targets/support.h"

namespace edgewright {

// What `convert` asks of a writer besides the graph.
struct ExportSettings {
  // Float weights are stored in float16; the arithmetic is the runtime's choice.
  bool half_weights = false;
  bool states = false;             // see ConvertOptions::states
  int opset = 0;                   // of formats that are ONNX; 0: the format's
  const Target* target = nullptr;  // the version, where the user names one
};

// A format of another runtime that `convert --to NAME` writes. The graph that a writer gets holds
// only nodes of which `has` is true, and fixed shapes where it asks for them.
struct ExportFormat {
  std::string_view name;    // as in --to
  std::string_view ending;  // of a file's name; `--to` decides where two formats share it
  std::string_view runtime;
  int opset;          // operators that ai.onnx has since a later opset are not made for it
  bool fixed_shapes;  // open dimensions become 1
  // Whether the format has a counterpart of this node. The node's types are inferred.
  bool (*has)(const Node& node);
  // Returns every file (or folder) that was written, PATH first; each begins with PATH less its
  // ending.
  Result<std::vector<std::string>> (*write)(const Model& model, const std::string& path,
                                            const ExportSettings& settings);
  // Reads such a file as a graph of ai.onnx operators; null where there is no reader. What was
  // written is then read back and compared.
  Result<Model> (*read)(const std::string& path);
  // Layers in int8 have int8 results: all that they make is rounded.
  bool integer_outputs = false;
};

// In the order of --help.
std::span<const ExportFormat> export_formats();
// By name; null when there is none.
const ExportFormat* find_export_format(std::string_view name);
// The format whose reader takes a file of this name; null when none does.
const ExportFormat* find_import_format(std::string_view path);

// Dimensions of inputs that are still open become 1, each with a warning.
Status close_shapes(Graph& graph, std::vector<std::string>& warnings);

// Outputs that are no tensors of numbers give way to the nearest such tensors that they are
// computed from, with a warning that names both.
Status take_tensor_outputs(Graph& graph, std::vector<std::string>& warnings);

// Opens operators that the format has no counterpart for by their ONNX definitions, until every
// node has one. kUnsupported listing operators, how often, and the first node of each otherwise.
Status decompose_for(Model& model, const ExportFormat& format, ConvertReport& report);

// Folds what opened definitions left to compute, and infers types. No fusions, which would only
// undo the opening.
Status fold_definitions(Model& model);

// Types of the interface that a format holds narrower (int32 for int64) become those of the graph
// that was written, behind casts, so that both can be compared. Inputs and outputs go by place.
Status take_interface_types(const Graph& written, Graph& read);

}  // namespace edgewright
