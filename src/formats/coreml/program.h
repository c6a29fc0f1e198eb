#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/coreml/weights_file.h"
#include "graph/type.h"

namespace edgewright::coreml {

// What an ML program consists of when it is read (Model.proto and MIL.proto of coremltools).

// One value of a list that an operation's parameter takes: the name of a value, or a constant.
struct Argument {
  std::string name;
  std::optional<Tensor> constant;
};

struct NamedType {
  std::string name;
  ValueType type;
};

struct Operation {
  std::string type;
  std::map<std::string, std::vector<Argument>, std::less<>> inputs;
  std::map<std::string, Tensor, std::less<>> attributes;  // those that are tensors
  std::vector<NamedType> outputs;
  bool has_blocks = false;  // control flow
};

struct MlProgram {
  uint64_t specification = 0;  // 6 is iOS 15
  std::vector<NamedType> inputs;
  std::vector<Operation> operations;
  std::vector<std::string> outputs;
};

// Reads the specification. Constants point into `weights` or hold their own bytes. kBadInput with
// the place for bytes that are no such message, kUnsupported for models that are no ML programs.
Result<MlProgram> read_program(std::string_view specification, const WeightsReader& weights);

}  // namespace edgewright::coreml
