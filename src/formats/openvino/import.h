#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/openvino/ir.h"
#include "graph/graph.h"

namespace edgewright::openvino_ir {

// Turns layers into ai.onnx nodes. Each layer type has a function that makes nodes and gives the
// values of the layer's outputs.
class Importer {
 public:
  explicit Importer(const Ir& ir) : ir_(ir) {}

  Result<Model> run();

  const Layer& layer() const { return *layer_; }  // the one being read
  size_t inputs() const { return layer_->inputs.size(); }
  // kBadInput when there is no such input.
  Result<Value*> input(size_t index) const;
  Result<std::vector<Value*>> all_inputs() const;
  // Integers of a constant input; kUnsupported when it is none.
  Result<std::vector<int64_t>> constant_ints(size_t index) const;
  // The same value as int64.
  Value* as_int64(Value* value);

  // The attribute of the layer, or the default.
  std::string text(std::string_view key, std::string_view otherwise) const;
  bool flag(std::string_view key, bool otherwise) const;
  Result<int64_t> integer(std::string_view key, int64_t otherwise) const;
  Result<float> number(std::string_view key, float otherwise) const;
  // "1, 2" as numbers; empty when absent.
  Result<std::vector<int64_t>> integers(std::string_view key) const;

  Value* constant(Tensor tensor) { return model_.graph->add_constant("constant", tensor); }
  Value* ints(const std::vector<int64_t>& values);
  Value* scalar(double value, DType dtype);
  // An inner node of one output.
  Value* add(std::string op, std::vector<Value*> inputs, Attributes attributes = {});
  // A node whose outputs are those of the layer, as many as the layer has.
  Status finish(std::string op, std::vector<Value*> inputs, Attributes attributes = {});
  // Output `index` of the layer is this value.
  void give(size_t index, Value* value);
  // The same, and the value takes the output's name and type.
  void give_named(size_t index, Value* value);
  // The rank of an input by its port; kUnsupported when unknown.
  Result<size_t> rank(size_t index) const;
  const Port& input_port(size_t index) const;

  Status add_parameter();
  Status add_result();
  // A state: an input and an output of the graph.
  Status add_read();
  Status add_assign();

 private:
  Status read_layer(const Layer& layer);

  const Ir& ir_;
  Model model_;
  const Layer* layer_ = nullptr;
  size_t index_ = 0;
  std::map<std::pair<size_t, size_t>, Value*> values_;
};

struct ImportRow {
  std::string_view type;
  Status (*read)(Importer& importer);
};
std::span<const ImportRow> import_element_rows();
std::span<const ImportRow> import_window_rows();
std::span<const ImportRow> import_movement_rows();
std::span<const ImportRow> import_other_rows();

}  // namespace edgewright::openvino_ir
