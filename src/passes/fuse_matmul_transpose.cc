// Before: y = MatMul(Transpose(a), b), the Transpose exchanging the last two axes, or taking the
//         first axis behind the batch axes; likewise for b, and with a Cast after the Transpose.
// After:  y = FusedMatMul(a, b, transA, transBatchA, ...) of com.microsoft.
// Conditions: floating point, both factors known to be at least matrices. A Transpose with other
// uses stays for them.
#include "passes/passes.h"
#include "passes/pattern.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// How FusedMatMul reads a transposed factor.
struct Reading {
  bool transposed = false;    // rows and columns exchanged
  bool batch_inside = false;  // the first axis moved behind the batch axes
};

std::optional<Reading> reading_of(const Node& transpose) {
  const size_t rank = rank_of(transpose.input(0)).value_or(0);
  if (rank < 2) return std::nullopt;
  const std::vector<int64_t> perm = permutation_of(transpose, rank);
  // The batch axes stay where they are, or move one to the front.
  const int64_t shift = rank > 2 && perm[0] == 1 ? 1 : 0;
  for (size_t i = 0; i + 2 < rank; ++i) {
    if (perm[i] != static_cast<int64_t>(i) + shift) return std::nullopt;
  }
  const auto last = static_cast<int64_t>(rank) - 1;
  const Reading reading{perm[rank - 2] == last, shift == 1};
  if (!reading.transposed && !reading.batch_inside) return std::nullopt;
  return reading;
}

// A factor without its Transpose, and the Cast to repeat on it.
struct Factor {
  Node* transpose = nullptr;
  Node* cast = nullptr;
  Reading reading;
};

std::optional<Factor> transposed_factor(Value* value, bool batch_inside) {
  Factor factor;
  factor.transpose = producer(value, "Transpose");
  if (factor.transpose == nullptr) {
    factor.cast = producer(value, "Cast");
    if (factor.cast == nullptr || !has_single_use(value)) return std::nullopt;
    factor.transpose = producer(factor.cast->input(0), "Transpose");
  }
  if (factor.transpose == nullptr) return std::nullopt;
  const auto reading = reading_of(*factor.transpose);
  // What FusedMatMul does to a factor with batch axes inside does not compose.
  if (!reading || batch_inside) return std::nullopt;
  factor.reading = *reading;
  return factor;
}

void flip(Attributes& attributes, const char* name, bool change) {
  const bool value = (attributes.get_int(name, 0) != 0) != change;
  attributes.set(name, static_cast<int64_t>(value));
}

// The factor's source, cast as before.
Value* source_of(PassContext& context, Graph& graph, Node& product, const Factor& factor) {
  Value* source = factor.transpose->input(0);
  if (factor.cast == nullptr) return source;
  Node* cast = insert_node(context, graph, &product, "Cast", {source}, factor.cast->output(0)->name,
                           factor.cast->attributes);
  if (source->type.shape) {
    cast->output(0)->type = ValueType::tensor(dtype_of(factor.cast->output(0)), source->type.shape);
  }
  return cast->output(0);
}

// A product of matrices before an addition is better off as a Gemm.
bool becomes_gemm(const Node& node) {
  const Node* user = single_user(node.output(0));
  return node.is("MatMul") && user != nullptr && user->is("Add") &&
         rank_of(node.output(0)) == size_t{2};
}

Result<bool> fuse(PassContext& context, Graph& graph, Node& node) {
  static constexpr const char* kTranspose[] = {"transA", "transB"};
  static constexpr const char* kBatch[] = {"transBatchA", "transBatchB"};
  std::optional<Factor> factors[2];
  for (size_t i = 0; i < 2; ++i) {
    Value* value = node.input(i);
    if (rank_of(value).value_or(0) < 2 || !is_floating_point(dtype_of(value))) return false;
    factors[i] = transposed_factor(value, node.attributes.get_int(kBatch[i], 0) != 0);
  }
  if ((!factors[0] && !factors[1]) || !context.allow(node)) return false;
  Attributes attributes = node.attributes;
  std::vector<Value*> inputs = node.inputs;
  for (size_t i = 0; i < 2; ++i) {
    if (!factors[i]) continue;
    inputs[i] = source_of(context, graph, node, *factors[i]);
    flip(attributes, kTranspose[i], factors[i]->reading.transposed);
    flip(attributes, kBatch[i], factors[i]->reading.batch_inside);
  }
  replace_node(context, &node, "FusedMatMul", std::move(inputs), std::move(attributes), kMicrosoft);
  return true;
}

}  // namespace

Result<bool> fuse_matmul_transpose(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "", [&](Graph& owner, Node& node) -> Result<bool> {
    if (!node.is("MatMul") && !node.is("FusedMatMul", kMicrosoft)) return false;
    return becomes_gemm(node) ? false : fuse(context, owner, node);
  });
}

}  // namespace edgewright
