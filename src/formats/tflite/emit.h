#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tflite/schema_generated.h"
#include "formats/tflite/tflite.h"
#include "graph/operator_rows.h"

namespace edgewright::tflite_io {

namespace schema = tflite_schema;
using Operator = schema::BuiltinOperator;
using Activation = schema::ActivationFunctionType;

// How a value of rank 4 lies: as in ONNX, or with the channels last. Other ranks are plain.
enum class Layout : uint8_t { kPlain, kNhwc };
// What a value's numbers are kept as.
enum class Form : uint8_t { kReal, kInteger };

// real = scale (integer - zero), one of each or one per index of the axis.
struct Quant {
  std::vector<float> scales;
  std::vector<int64_t> zeros;
  int axis = 0;
  bool operator==(const Quant&) const = default;
};

// What becomes of a node's output: an activation that joins the operator, and, when all that reads
// the result rounds it alike, the rounding.
struct Tail {
  const Value* value = nullptr;  // after the activation
  Activation activation = Activation::NONE;
  std::optional<Quant> quant;
};

schema::TensorType tensor_type(DType dtype);  // FLOAT32 where the format has no such type
bool has_tensor_type(DType dtype);
// The int8 rounding of a QuantizeLinear or DequantizeLinear node; empty when it has no such form.
std::optional<Quant> quant_of(const Node& node);

class Emitter {
 public:
  explicit Emitter(const TfliteOptions& options) : options_(options) {}

  Result<std::unique_ptr<schema::ModelT>> run(const Graph& graph);

  // The tensor of a value in some layout and form; made from another form when it is not there.
  int real(const Value* value, Layout layout = Layout::kPlain);
  int integer(const Value* value, Layout layout = Layout::kPlain);
  bool has_integer(const Value* value) const;
  void give(const Value* value, Layout layout, Form form, int tensor);
  // The reals of a value that is a constant by computation, made when somebody asks.
  void give_constant(const Value* value, std::function<Tensor()> make) {
    computed_[value] = std::move(make);
  }
  // NHWC when a rank 4 input of the node is there in that layout only.
  Layout layout_of(const Node& node) const;
  // The operand of an element-wise operator: lower ranks are aligned with the layout.
  int operand(const Value* value, Layout layout, size_t rank);
  bool fits_layout(const Value* value) const;

  // What follows the node, and is done by its operator then.
  Tail tail_of(const Node& node);
  Tail tail_of(const Value* value);
  // What all readers round the value to; empty when they do not agree.
  static std::optional<Quant> rounding_of(const Value* value);
  void absorb(const Node* node) { absorbed_.insert(node); }
  // The result of an operator: gives the value behind `tail` and its rounded form.
  void finish(const Tail& tail, Layout layout, int tensor);

  int constant(const Tensor& tensor, const std::string& name,
               const std::optional<Quant>& quant = {});
  // A float constant as the options want it stored.
  int stored(const Tensor& tensor, const std::string& name) { return half(tensor, name); }
  int ints(const std::vector<int64_t>& values);  // int32, rank 1
  int number(float value) { return constant(Tensor::scalar(value), "number"); }

  struct Result1 {
    Dims dims;
    schema::TensorType type = schema::TensorType::FLOAT32;
    std::string name;
    std::optional<Quant> quant = {};
  };
  // An operator with one output; returns that tensor.
  template <class Options>
  int add(Operator op, int version, std::vector<int> inputs, Result1 result, Options options) {
    schema::BuiltinOptionsUnion chosen;
    chosen.Set(std::move(options));
    return append(op, version, std::move(inputs), {std::move(result)}, std::move(chosen))[0];
  }
  int add(Operator op, int version, std::vector<int> inputs, Result1 result) {
    return append(op, version, std::move(inputs), {std::move(result)}, {})[0];
  }
  std::vector<int> append(Operator op, int version, std::vector<int> inputs,
                          std::vector<Result1> results, schema::BuiltinOptionsUnion options);
  // The type, dimensions (in the layout) and name of a value as a result.
  static Result1 like(const Value* value, Layout layout = Layout::kPlain);

  Dims dims_of(int tensor) const;
  std::optional<Quant> quant_of_tensor(int tensor) const;
  const std::string& name_of(int tensor) const {
    return tensors()[static_cast<size_t>(tensor)]->name;
  }
  int transpose(int tensor, const std::vector<int64_t>& order);
  int requantise(int tensor, const Quant& quant);
  int reshape(int tensor, const Dims& dims, const std::string& name);
  // The same tensor with another shape or order of elements: type and rounding stay.
  Result1 same(int tensor, Dims dims, std::string name) const;

 private:
  using Tensors = std::vector<std::unique_ptr<schema::TensorT>>;
  Tensors& tensors() { return graph_->tensors; }
  const Tensors& tensors() const { return graph_->tensors; }
  int& slot(const Value* value, Layout layout, Form form);
  int find(const Value* value, Layout layout, Form form) const;
  int make_constant(const Tensor& tensor, const std::string& name, Layout layout);
  int dequantise(int tensor, std::string name);
  int new_tensor(Result1 result, uint32_t buffer);
  int half(const Tensor& tensor, const std::string& name);
  uint32_t code_index(Operator op, int version);
  Status emit_inputs(const Graph& graph);
  Status emit_node(const Node& node);
  void emit_outputs(const Graph& graph);

  TfliteOptions options_;
  std::unique_ptr<schema::ModelT> model_;
  schema::SubGraphT* graph_ = nullptr;
  std::map<const Value*, std::array<int, 4>> forms_;
  std::map<const Value*, std::function<Tensor()>> computed_;
  std::set<const Node*> absorbed_;
  std::map<std::pair<int, int>, uint32_t> codes_;
  std::map<std::vector<int64_t>, int> ints_;
};

using EmitRow = OperatorRow<Emitter>;
std::span<const EmitRow> element_rows();
std::span<const EmitRow> window_rows();
std::span<const EmitRow> product_rows();
std::span<const EmitRow> movement_rows();
std::span<const EmitRow> quantization_rows();

const EmitRow* find_row(const Node& node);

// Elements in another order of axes.
Tensor permuted(const Tensor& tensor, const std::vector<int64_t>& order);
Dims permuted_dims(const Dims& dims, const std::vector<int64_t>& order);
// An axis of a plain value, from the front, where it lies in the layout.
int64_t axis_in(Layout layout, int64_t axis, size_t rank);
std::optional<float> constant_number(const Node& node, size_t index);

}  // namespace edgewright::tflite_io
