#include "pass_case.h"

#include <cmath>
#include <map>
#include <random>

#include "formats/onnx/type_inference.h"
#include "graph/text.h"
#include "runtime/interpreter.h"

namespace edgewright {
namespace {

Tensor random_tensor(const ValueType& type, std::mt19937& random, bool positive) {
  auto tensor = Tensor::allocate(type.dtype, *known_dims(*type.shape));
  EDGEWRIGHT_CHECK(tensor.ok());
  std::uniform_real_distribution<float> uniform(positive ? 0.5f : -1.0f, positive ? 1.5f : 1.0f);
  for (int64_t i = 0; i < tensor->element_count(); ++i) {
    switch (type.dtype) {
      case DType::kFloat32: tensor->mutable_data<float>()[i] = uniform(random); break;
      case DType::kInt64: tensor->mutable_data<int64_t>()[i] = i % 2; break;
      case DType::kInt32: tensor->mutable_data<int32_t>()[i] = static_cast<int32_t>(i % 7); break;
      case DType::kUint8: tensor->mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i * 37); break;
      case DType::kBool: tensor->mutable_data<bool>()[i] = i % 3 == 0; break;
      default: EDGEWRIGHT_CHECK(false);
    }
  }
  return *std::move(tensor);
}

void make_weights(Graph& graph, std::mt19937& random) {
  for (const std::vector<Value*> inputs = graph.inputs(); Value* input : inputs) {
    if (!input->name.starts_with("w_")) continue;
    graph.make_constant(input,
                        random_tensor(input->type, random, input->name.starts_with("w_var")));
  }
}

std::string operators(const Graph& graph) {
  std::map<std::string, int> counts;
  for_each_node(graph, [&](const Node& node) {
    ++counts[node.domain.empty() ? node.op : node.domain + "::" + node.op];
  });
  std::string text;
  for (const auto& [op, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", op, count);
  }
  return text;
}

std::string difference(const Datum& expected, const Datum& found, double tolerance) {
  const Tensor &a = expected.tensor(), &b = found.tensor();
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) {
    return fmt::format("{} became {}", dims_text(a.dims()), dims_text(b.dims()));
  }
  const auto x = *a.to_doubles(), y = *b.to_doubles();
  double largest = 1;
  for (const double value : x) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < x.size(); ++i) {
    if (!(std::abs(x[i] - y[i]) <= tolerance * largest)) {
      return fmt::format("element {}: {} became {}", i, x[i], y[i]);
    }
  }
  return "";
}

std::vector<std::string> names_of(const std::vector<Value*>& values) {
  std::vector<std::string> names;
  for (const Value* value : values) names.push_back(value->name);
  return names;
}

}  // namespace

std::string check_pass(const PassCase& test) {
  auto parsed = parse_graph(test.text);
  if (!parsed.ok()) return parsed.error().message;
  Graph& graph = **parsed;
  std::mt19937 random(7);
  make_weights(graph, random);
  const TypeInferer& types = onnx_type_inferer();
  if (const Status status = types.infer(graph); !status.ok()) return status.error().message;
  const std::unique_ptr<Graph> before = clone(graph);

  Interpreter interpreter;
  PassContext context{types, interpreter, test.options};
  const auto changed = test.pass(graph, context);
  if (!changed.ok()) return changed.error().message;
  graph.remove_dead();
  if (const auto broken = violations(graph); !broken.empty()) return broken.front();
  if (!*changed) {
    return std::string_view(test.after) == "unchanged" ? "" : "the pass did nothing";
  }
  if (operators(graph) != test.after) return "left are: " + operators(graph);
  if (names_of(graph.outputs()) != names_of(before->outputs())) return "outputs were renamed";

  std::vector<Datum> inputs;
  for (const Value* input : graph.inputs())
    inputs.push_back(random_tensor(input->type, random, false));
  const auto expected = interpreter.run(*before, inputs);
  if (!expected.ok()) return "before: " + expected.error().message;
  const auto found = interpreter.run(graph, inputs);
  if (!found.ok()) return "after: " + found.error().message;
  for (size_t i = 0; i < expected->size(); ++i) {
    std::string text = difference((*expected)[i], (*found)[i], test.tolerance);
    if (!text.empty()) return fmt::format("output {}: {}", i, text);
  }
  return "";
}

}  // namespace edgewright
