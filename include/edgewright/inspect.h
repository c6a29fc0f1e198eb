#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "edgewright/result.h"

namespace edgewright {

// An input or output of a model. Dimensions as text: a number, a symbol, or "?"; has_shape is false
// when not even the rank is known.
struct InterfaceValue {
  std::string name;
  std::string dtype;  // "float32", or "sequence(float32[*])" for what is no tensor
  bool has_shape = false;
  std::vector<std::string> shape;
};

struct InspectReport {
  std::vector<InterfaceValue> inputs, outputs;
  int64_t nodes = 0;                         // control-flow bodies included
  std::map<std::string, int64_t> operators;  // "Conv", "com.microsoft::Gelu" -> count
  int64_t parameters = 0;                    // elements of all constants
  int64_t parameter_bytes = 0;
  // Multiply-adds of convolutions and matrix products whose shapes are known.
  int64_t macs = 0;
  bool macs_complete = true;  // false: some such node has an unknown shape
  int opset = 0;
  int ir_version = 0;
  std::string producer;
  std::vector<std::string> unknown_operators;  // nobody knows their types
  std::vector<std::string> warnings;
};

// Reads a model and describes it. `shapes`: input name -> dimensions that fix symbolic ones.
using InputShapes = std::map<std::string, std::vector<int64_t>>;
Result<InspectReport> inspect(const std::string& path, const InputShapes& shapes = {});

// The readable text form of a model; large constants elided unless `whole`.
Result<std::string> model_text(const std::string& path, bool whole = false);
// Parses the text form and prints it again: the same bytes for text that model_text made whole.
Result<std::string> reprint_text(const std::string& text);

}  // namespace edgewright
