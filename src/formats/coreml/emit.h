#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/coreml/coreml.h"
#include "formats/coreml/protobuf_writer.h"
#include "formats/coreml/weights_file.h"
#include "graph/operator_rows.h"

namespace edgewright::coreml {

// The versions of MIL's operators that we write: CoreML5 (iOS 15) to CoreML7 (iOS 17).
inline constexpr int kFirstOpset = 5;

// Parameter -> names of values; several for a list.
using Arguments = std::vector<std::pair<std::string, std::vector<std::string>>>;

// What a program consists of in the end.
struct Program {
  Message model;        // Model.proto
  std::string weights;  // the weights file
};

// Writes the operations of a graph in order. Values are known by their names in the program, which
// are identifiers: other characters of ONNX's names become '_'.
class Emitter {
 public:
  explicit Emitter(const CoremlOptions& options) : options_(options) {}
  Result<Program> run(const Graph& graph);

  // The value at input i of the node; a constant is written when it is first asked for.
  std::string input(const Node& node, size_t i);
  // Constants.
  std::string constant(const Tensor& tensor, std::string_view name);
  std::string ints(const std::vector<int64_t>& values);
  std::string integer(int64_t value);
  std::string number(double value, DType like);
  std::string flag(bool value);
  std::string flags(size_t count, bool value);
  std::string text(std::string_view value);

  // Appends an operation with one output of this type; returns its name.
  std::string add(const Node& node, std::string_view operation, const Arguments& arguments,
                  DType dtype, const Dims& dims);
  // The same for the node's own outputs, all of them.
  void finish(const Node& node, std::string_view operation, const Arguments& arguments);
  // An operation that the compiler computes: what it needs are attributes, not inputs.
  void finish_constant(const Node& node, std::string_view operation,
                       const std::vector<std::pair<std::string, Tensor>>& attributes);
  // The node's output is this constant.
  void give_constant(const Node& node, const Tensor& tensor) {
    values_[node.outputs[0]] = constant(tensor, node.outputs[0]->name);
  }
  std::string reshape(const Node& node, const std::string& from, DType dtype, const Dims& dims);
  // The program needs operators of this version.
  void need_opset(int opset) { opset_ = std::max(opset_, opset); }

 private:
  std::string fresh(std::string_view name);
  Message value_of(const Tensor& tensor);
  void append_constant(const std::string& name, const Message& type, const Message& value);
  Message feature(const Value& value, const std::string& name) const;
  Status add_inputs(const Graph& graph);
  Status add_nodes(const Graph& graph);
  void add_outputs(const Graph& graph);
  Message assemble() const;

  CoremlOptions options_;
  int opset_ = kFirstOpset;
  WeightsFile weights_;
  std::set<std::string, std::less<>> names_;
  std::map<const Value*, std::string> values_;
  std::map<std::string, std::string> small_constants_;  // serialised -> name
  Message description_, inputs_, block_;
};

using EmitRow = OperatorRow<Emitter>;

// One table per family, each in the file of its name.
std::span<const EmitRow> element_rows();
std::span<const EmitRow> movement_rows();
std::span<const EmitRow> product_rows();
std::span<const EmitRow> quantization_rows();
std::span<const EmitRow> reduction_rows();
std::span<const EmitRow> window_rows();

// Null when the writer has no form for the node.
const EmitRow* find_row(const Node& node);

bool is_float(const Node& node);  // the first input
// Whether an input that decides on the output's shape is known before a run: the shape that is
// written would ignore one that the user gives.
bool is_settled(const Node& node, size_t index);

}  // namespace edgewright::coreml
