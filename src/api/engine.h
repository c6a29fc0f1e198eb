#pragma once

#include "edgewright/session.h"
#include "graph/graph.h"
#include "runtime/interpreter.h"

namespace edgewright {

// Reads a model file: ONNX, or the text form of graphs (.txt).
Result<Model> load_model(const std::string& path, bool keep_initializer_inputs = false);

// What opens operators that are functions.
FunctionExpander function_expander();

// "name": an input's fixed value as text: numbers separated by commas, or @FILE.npy.
Status fix_inputs(Graph& graph, const std::map<std::string, std::string>& fixes);

InterfaceValue interface_of(const std::string& name, const ValueType& type);

}  // namespace edgewright
