// Before: q, k, v = x W + b, cut into heads; y = softmax(scale q k^T + mask) v, heads merged.
// After:  y = Attention(x, W, b, attention_bias=mask) of com.microsoft, W and b holding the three
//         projections side by side.
// Conditions: the projections are three products with constants of one x, or one product that is
// split; as many heads everywhere. A mask is expanded over the queries, as the operator demands; a
// choice by a lower triangle becomes unidirectional=1.
#include <cmath>
#include <cstring>

#include "passes/attention_core.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/shape_relations.h"

namespace edgewright {
namespace {

// x W + b, W [inputs, outputs] and b [outputs] constant; b may be absent.
struct Projection {
  Value* x = nullptr;
  Value* weight = nullptr;
  Value* bias = nullptr;
  bool operator==(const Projection&) const = default;
};

std::optional<Projection> read_projection(Value* value) {
  static const Pattern* const kProjection = new Pattern("p = &MatMul(x, #w); [&Add(p, #b) | p]");
  if (value == nullptr || value->producer == nullptr) return std::nullopt;
  const Match match = kProjection->match(*value->producer);
  if (!match || rank_of(match["x"]) != size_t{3} || rank_of(match["w"]) != size_t{2}) {
    return std::nullopt;
  }
  const Value *weight = match["w"], *bias = match["b"];
  const bool fits = bias == nullptr || (rank_of(bias) == size_t{1} && same_dim(bias, 0, weight, 1));
  if (!fits || dtype_of(weight) != DType::kFloat32) return std::nullopt;
  return Projection{match["x"], match["w"], match["b"]};
}

// The three sources as one packed projection, or three of one x.
std::optional<std::vector<Projection>> read_projections(const Heads (&heads)[3]) {
  std::vector<Projection> found;
  const Node* split = producer(heads[0].sequence, "Split");
  for (int64_t i = 0; i < 3; ++i) {
    const Heads& part = heads[i];
    Value* source = part.sequence;
    const bool packed = part.parts == 3 && part.part == i;
    const bool is_split = split != nullptr && source->producer == split &&
                          static_cast<int64_t>(source->output_index) == i &&
                          split->outputs.size() == 3 &&
                          (split->attributes.get_int("axis", 0) + 3) % 3 == 2;
    if (part.parts != 1 && !packed) return std::nullopt;
    if (is_split) source = split->input(0);
    const auto projection = read_projection(source);
    if (!projection) return std::nullopt;
    const int64_t share = packed || is_split ? 3 : 1;
    if (known_dim(projection->weight, 1) != share * part.heads * part.head_size) {
      return std::nullopt;
    }
    if (share == 1 || found.empty()) found.push_back(*projection);
    if (found[0].x != projection->x || (share == 3 && !(found[0] == *projection)) ||
        (found[0].bias == nullptr) != (projection->bias == nullptr)) {
      return std::nullopt;
    }
  }
  return found;
}

// The constants side by side along their last axis.
Result<Value*> side_by_side(Graph& graph, const std::vector<Value*>& parts) {
  if (parts.size() == 1) return parts[0];
  Dims dims = parts[0]->constant->dims();
  const int64_t rows = dims.size() == 2 ? dims[0] : 1;
  dims.back() = 0;
  for (const Value* part : parts) dims.back() += part->constant->dims().back();
  EDGEWRIGHT_ASSIGN(Tensor joined, Tensor::allocate_uninitialised(DType::kFloat32, dims));
  float* out = joined.mutable_data<float>();
  for (int64_t row = 0; row < rows; ++row) {
    for (const Value* part : parts) {
      const auto width = static_cast<size_t>(part->constant->dims().back());
      std::memcpy(out, part->constant->data<float>() + static_cast<size_t>(row) * width,
                  width * sizeof(float));
      out += width;
    }
  }
  return graph.add_constant(parts[0]->name + "_qkv", std::move(joined));
}

// The mask with as many rows as there are queries, which are axis 1 of x.
Value* full_mask(PassContext& context, Graph& graph, Node* before, Value* mask, const Value* scores,
                 Value* x) {
  if (same_dim(mask, 2, scores, 2)) return mask;
  Value* shape = nullptr;
  if (const auto rows = known_dim(scores, 2)) {
    shape = add_int_constant(graph, "mask_shape", {1, 1, *rows, 1});
  } else {
    Value* rows_of_x = insert_node(context, graph, before, "Shape", {x}, "mask_rows",
                                   make_attributes({{"start", int64_t{1}}, {"end", int64_t{2}}}))
                           ->output(0);
    Value* ones = add_int_constant(graph, "mask_ones", {1, 1});
    Value* one = add_int_constant(graph, "mask_one", {1});
    shape = insert_node(context, graph, before, "Concat", {ones, rows_of_x, one}, "mask_shape",
                        make_attributes({{"axis", int64_t{0}}}))
                ->output(0);
  }
  return insert_node(context, graph, before, "Expand", {mask, shape}, mask->name)->output(0);
}

bool mask_fits(const Value* mask, const Value* scores) {
  return mask == nullptr || (rank_of(mask) == size_t{4} && same_dim(mask, 3, scores, 3) &&
                             dtype_of(mask) == DType::kFloat32 &&
                             (known_dim(mask, 2) == 1 || same_dim(mask, 2, scores, 2)) &&
                             (known_dim(mask, 0) == 1 || same_dim(mask, 0, scores, 0)) &&
                             (known_dim(mask, 1) == 1 || same_dim(mask, 1, scores, 1)));
}

struct Plan {
  AttentionCore core;
  int64_t heads = 0, head_size = 0;
  std::vector<Projection> projections;
  Node* merge = nullptr;
};

std::optional<Plan> plan_for(Node& product) {
  auto core = read_attention(product);
  if (!core || !mask_fits(core->mask, core->scores)) return std::nullopt;
  if (core->condition != nullptr && !is_causal(*core)) return std::nullopt;
  const auto q = read_heads(core->q, false), k = read_heads(core->k_transposed, true),
             v = read_heads(core->v, false);
  Node* merge = merge_of_heads(product);
  if (!q || !k || !v || merge == nullptr) return std::nullopt;
  if (q->heads != k->heads || q->heads != v->heads || q->head_size != k->head_size ||
      q->head_size != v->head_size) {
    return std::nullopt;
  }
  const auto projections = read_projections({*q, *k, *v});
  if (!projections) return std::nullopt;
  return Plan{*core, q->heads, q->head_size, *projections, merge};
}

Attributes attributes_of(const Plan& plan) {
  Attributes attributes = make_attributes({{"num_heads", plan.heads}});
  const double usual = 1.0 / std::sqrt(static_cast<double>(plan.head_size));
  if (std::abs(plan.core.scale - usual) > 1e-6 * usual) {
    attributes.set("scale", static_cast<float>(plan.core.scale));
  }
  if (plan.core.condition != nullptr) attributes.set("unidirectional", int64_t{1});
  return attributes;
}

Result<bool> fuse(PassContext& context, Graph& graph, Node& product) {
  const auto plan = plan_for(product);
  if (!plan || !context.allow(product)) return false;
  std::vector<Value*> weights, biases;
  for (const Projection& projection : plan->projections) {
    weights.push_back(projection.weight);
    biases.push_back(projection.bias);
  }
  EDGEWRIGHT_ASSIGN(Value* const weight, side_by_side(graph, weights));
  Value* bias = nullptr;
  if (biases[0] != nullptr) {
    EDGEWRIGHT_ASSIGN(bias, side_by_side(graph, biases));
  }
  Value* mask = plan->core.mask;
  if (mask != nullptr) {
    mask = full_mask(context, graph, plan->merge, mask, plan->core.scores, plan->projections[0].x);
  }
  replace_node(context, plan->merge, "Attention",
               {plan->projections[0].x, weight, bias, nullptr, nullptr, mask}, attributes_of(*plan),
               kMicrosoft);
  return true;
}

}  // namespace

Result<bool> fuse_attention_projections(Graph& graph, PassContext& context) {
  // The root of the rewrite is the Reshape behind the product, which comes after it: walk the
  // merges and look back.
  return rewrite_nodes(graph, "Reshape", [&](Graph& owner, Node& node) -> Result<bool> {
    const Node* transpose = producer(node.input(0), "Transpose");
    Node* product = transpose == nullptr ? nullptr : producer(transpose->input(0), "MatMul");
    if (product == nullptr || merge_of_heads(*product) != &node) return false;
    return fuse(context, owner, *product);
  });
}

}  // namespace edgewright
