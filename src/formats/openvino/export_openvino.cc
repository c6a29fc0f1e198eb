#include "formats/openvino/emit.h"

namespace edgewright {

bool openvino_has(const Node& node) { return openvino_ir::find_row(node) != nullptr; }

Result<std::vector<std::string>> export_openvino(const Model& model, const std::string& path,
                                                 const OpenvinoOptions& options) {
  const std::string name = model.graph->name.empty() ? "model" : model.graph->name;
  EDGEWRIGHT_ASSIGN(const auto ir, openvino_ir::Emitter(options).run(*model.graph, name));
  EDGEWRIGHT_TRY(openvino_ir::write_ir(ir, path));
  return std::vector<std::string>{path, openvino_ir::weights_path(path)};
}

}  // namespace edgewright
