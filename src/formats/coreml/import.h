#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/coreml/program.h"
#include "graph/graph.h"

namespace edgewright::coreml {

// Turns the operations of an ML program into ai.onnx nodes. Each operation has a function that
// makes nodes and gives the values of the operation's outputs.
class Importer {
 public:
  explicit Importer(const MlProgram& program) : program_(program) {}

  Result<Model> run();

  // Of the operation being read.
  const Operation& operation() const { return *operation_; }
  bool has(std::string_view parameter) const;
  // What a parameter gives; kBadInput when it is not there.
  Result<Value*> input(std::string_view parameter);
  Result<std::vector<Value*>> list(std::string_view parameter);
  // Its dimensions; kUnsupported unless all are known.
  Result<Dims> dims(std::string_view parameter);
  // Constants; kUnsupported when the value is none. The others give the default when the parameter
  // is not there.
  Result<Tensor> constant_of(std::string_view parameter);
  Result<std::vector<int64_t>> ints(std::string_view parameter);
  Result<int64_t> integer(std::string_view parameter, int64_t otherwise);
  Result<float> number(std::string_view parameter, float otherwise);
  Result<bool> flag(std::string_view parameter, bool otherwise);
  Result<std::string> text(std::string_view parameter, std::string_view otherwise);
  // The declared type of an output; kBadInput when there is no such output.
  Result<ValueType> output_type(size_t index = 0) const;
  Result<Dims> output_dims(size_t index = 0) const;

  Value* constant(Tensor tensor) { return model_.graph->add_constant("constant", tensor); }
  Value* int_list(const std::vector<int64_t>& values);
  // A scalar of the value's type, which is a float.
  Value* scalar_like(const Value* value, double number);
  // An inner node of one output.
  Value* add(std::string op, std::vector<Value*> inputs, DType dtype, Attributes attributes = {});
  Value* cast(Value* value, DType to);
  // Output `index` of the operation is this value, which takes its name and type.
  Status finish(Value* value, size_t index = 0);

 private:
  Result<Value*> value_of(const Argument& argument);
  Result<Tensor> constant_of(const Argument& argument) const;
  Status read_constant(const Operation& operation);
  Status read_operation(const Operation& operation);
  Status read_outputs();

  const MlProgram& program_;
  const Operation* operation_ = nullptr;
  Model model_;
  std::map<std::string, Value*, std::less<>> values_;
  // Constants become values of the graph when they are first asked for.
  std::map<std::string, Tensor, std::less<>> constants_;
};

using ReadFunction = Status (*)(Importer& importer);
struct ImportRow {
  std::string_view type;
  ReadFunction read;
};
// One table per family, each in the file of its name.
std::span<const ImportRow> import_element_rows();
std::span<const ImportRow> import_movement_rows();
std::span<const ImportRow> import_product_rows();
std::span<const ImportRow> import_reduction_rows();
std::span<const ImportRow> import_window_rows();
// Operations that are operators of another name; null when it is none.
ReadFunction named_reader(std::string_view type);

// Whether Core ML has an operation of this type at all, read here or not.
bool is_known_operation(std::string_view type);

}  // namespace edgewright::coreml
