#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/tflite/schema_generated.h"
#include "graph/graph.h"

namespace edgewright::tflite_io {

namespace schema = tflite_schema;
using Operator = schema::BuiltinOperator;
using Activation = schema::ActivationFunctionType;

// Turns the operators of a verified file into ai.onnx nodes. A tensor of integers with a scale
// stands for real numbers: its value is what DequantizeLinear makes of them.
class Importer {
 public:
  Importer(const schema::Model& model, std::shared_ptr<const MappedFile> file)
      : schema_(model), file_(std::move(file)) {}

  Result<Model> run();

  // Of the operator being read.
  Operator code() const { return code_; }
  size_t inputs() const { return op_->inputs() == nullptr ? 0 : op_->inputs()->size(); }
  size_t outputs() const { return op_->outputs() == nullptr ? 0 : op_->outputs()->size(); }
  bool has_input(size_t index) const { return index < inputs() && input_index(index) >= 0; }
  // The real numbers of an input; kBadInput when there is none.
  Result<Value*> input(size_t index);
  // Its shape; kUnsupported unless every dimension is known.
  Result<Dims> dims(size_t index) const;
  Result<Dims> output_dims(size_t index) const;
  Result<DType> output_dtype(size_t index) const;
  // Constant integers, kUnsupported when the input is no constant.
  Result<std::vector<int64_t>> ints(size_t index);
  Result<int64_t> one_int(size_t index);
  // Constant weights with their axes in another order, dequantised where they are integers.
  Result<Value*> weights(size_t index, const std::vector<int64_t>& order);

  // The options of the operator; null, or kBadInput, when it has none of that kind.
  template <class Options>
  const Options* table() const {
    return op_->template builtin_options_as<Options>();
  }
  template <class Options>
  Result<const Options*> options() const {
    if (table<Options>() == nullptr) return bad_input("its options are missing");
    return table<Options>();
  }

  Value* constant(Tensor tensor) { return model_.graph->add_constant("constant", tensor); }
  Value* int_list(const std::vector<int64_t>& values);
  Value* number(float value) { return constant(Tensor::scalar(value)); }
  Value* add(std::string op, std::vector<Value*> inputs, Attributes attributes = {},
             DType dtype = DType::kFloat32);
  Value* transpose(Value* value, std::vector<int64_t> order);
  Value* to_plain(Value* value) { return transpose(value, {0, 3, 1, 2}); }
  Value* to_nhwc(Value* value) { return transpose(value, {0, 2, 3, 1}); }
  // The value is output `index`, rounded where that tensor holds integers.
  Status finish(Value* value, Activation activation = Activation::NONE, size_t index = 0);
  Result<Value*> activated(Value* value, Activation activation);

 private:
  struct Rounding {
    Value* scale = nullptr;
    Value* zero = nullptr;
    int64_t axis = 0;
  };

  int input_index(size_t index) const { return op_->inputs()->Get(static_cast<unsigned>(index)); }
  const schema::Tensor* tensor_at(int index) const;
  Result<Dims> known_dims_of(const schema::Tensor& tensor) const;
  Result<ValueType> type_of(const schema::Tensor& tensor) const;
  Result<Tensor> constant_of(const schema::Tensor& tensor) const;
  bool is_constant(const schema::Tensor& tensor) const;
  static bool is_rounded(const schema::Tensor& tensor);
  Result<Rounding> rounding_of(const schema::Tensor& tensor, DType dtype, size_t rank);
  Result<Value*> value_of(int index);
  Result<Value*> dequantised(Tensor integers, const Rounding& rounding, const std::string& name);
  Status check_graph() const;
  Status read_inputs();
  Status read_operator(const schema::Operator& op);
  Status read_outputs();
  static std::string name_of(const schema::Tensor& tensor, int index);

  const schema::Model& schema_;
  std::shared_ptr<const MappedFile> file_;
  const schema::SubGraph* graph_ = nullptr;
  const schema::Operator* op_ = nullptr;
  Operator code_ = Operator::ADD;
  Model model_;
  std::map<int, Value*> values_;
};

struct ImportRow {
  Operator code;
  Status (*read)(Importer& importer);
};
std::span<const ImportRow> import_element_rows();
std::span<const ImportRow> import_window_rows();
std::span<const ImportRow> import_movement_rows();

// "CONV_2D", or the number of a code without a name here.
std::string code_name(int code);

}  // namespace edgewright::tflite_io
