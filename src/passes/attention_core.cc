#include "passes/attention_core.h"

#include <algorithm>

#include "passes/rewrite.h"
#include "passes/shape_relations.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

using Perm = std::vector<int64_t>;

const Pattern& attention_pattern() {
  static const Pattern* const kAttention = new Pattern(R"(
      qs = [Div(q, #dq) | Mul(q, #mq) | q];
      ks = [Div(k, #dk) | Mul(k, #mk) | k];
      qk = &MatMul(qs, ks);
      s = [&Div(qk, #ds) | &Mul(qk, #ms) | qk];
      m = [Where(condition, s, #low) | Add(s, mask) | s];
      p = Softmax(m);
      MatMul(p, v))");
  return *kAttention;
}

// The product of the scalar factors; empty when a constant is not one number.
std::optional<double> scale_of(const Match& match) {
  double scale = 1;
  for (const std::string_view name : {"mq", "mk", "ms", "dq", "dk", "ds"}) {
    const Value* constant = match[name];
    if (constant == nullptr) continue;
    const auto number = scalar_constant(constant);
    if (!number || *number == 0 || constant->constant->rank() > 4) return std::nullopt;
    scale = name[0] == 'm' ? scale * *number : scale / *number;
  }
  return scale;
}

// A triangle is cut to the shape of the scores, which a Shape asks for; it goes with the condition.
bool is_seen_by_shapes_only(const Value* value, const Match& match) {
  if (value->is_graph_output()) return false;
  return std::ranges::all_of(value->uses, [&](const Use& use) {
    return std::ranges::find(match.nodes(), use.node) != match.nodes().end() ||
           (match["condition"] != nullptr && use.node->is("Shape"));
  });
}

bool is_last_axis(const Node& softmax) {
  const int64_t axis = softmax.attributes.get_int("axis", -1);
  return axis == -1 || axis == 3;
}

const Node* transpose_of(const Value* value, const Perm& perm) {
  const Node* node = producer(value, "Transpose");
  return node != nullptr && permutation_of(*node, perm.size()) == perm ? node : nullptr;
}

// Reads [batch, sequence, parts..., heads, head_size] as a Reshape of [batch, sequence, all].
std::optional<Heads> split_heads(const Value* value, size_t rank) {
  const Node* reshape = producer(value, "Reshape");
  if (reshape == nullptr || rank_of(value) != rank || rank_of(reshape->input(0)) != size_t{3}) {
    return std::nullopt;
  }
  Value* source = reshape->input(0);
  const auto width = known_dim(source, 2), heads = known_dim(value, rank - 2),
             size = known_dim(value, rank - 1);
  const auto parts = rank == 5 ? known_dim(value, 2) : std::optional<int64_t>(1);
  if (!width || !heads || !size || !parts || *heads <= 0 || *size <= 0 || *parts <= 0) {
    return std::nullopt;
  }
  if (*width % *size != 0 || *width / *size % *heads != 0 || *width / *size / *heads != *parts ||
      !reshapes_to_dim(*reshape, 0, source, 0)) {
    return std::nullopt;
  }
  return Heads{source, *heads, *size, 0, *parts};
}

// One part of all heads: Squeeze or Gather on the first axis of [parts, batch, heads, sequence,
// size].
std::optional<Heads> packed_heads(const Value* value) {
  const Value* all = nullptr;
  int64_t part = 0;
  if (const Node* squeeze = producer(value, "Squeeze")) {
    const Node* split = producer(squeeze->input(0), "Split");
    const auto axes = int_constant(squeeze->input(1));
    if (split == nullptr || axes != Perm{0} || split->attributes.get_int("axis", 0) != 0) {
      return std::nullopt;
    }
    all = split->input(0);
    part = static_cast<int64_t>(squeeze->input(0)->output_index);
    // Every piece is one part where Squeeze is possible on all of them.
    if (known_dim(all, 0) != static_cast<int64_t>(split->outputs.size())) return std::nullopt;
  } else if (const Node* gather = producer(value, "Gather")) {
    const auto index = int_constant(gather->input(1));
    if (!index || gather->input(1)->constant->rank() != 0 ||
        gather->attributes.get_int("axis", 0) != 0) {
      return std::nullopt;
    }
    all = gather->input(0);
    part = (*index)[0];
  }
  const Node* transpose = all == nullptr ? nullptr : transpose_of(all, {2, 0, 3, 1, 4});
  if (transpose == nullptr) return std::nullopt;
  auto heads = split_heads(transpose->input(0), 5);
  if (!heads || part < 0 || part >= heads->parts) return std::nullopt;
  heads->part = part;
  return heads;
}

// A lower triangle of ones in the last two axes, alone in the others.
bool is_lower_triangle(const Value* value) {
  if (!value->is_constant() || value->constant->rank() < 2) return false;
  const Tensor& tensor = *value->constant;
  const int64_t columns = tensor.dims().back(), rows = tensor.dims()[tensor.rank() - 2];
  if (dtype_bits(tensor.dtype()) < 8 || tensor.element_count() != rows * columns) return false;
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    const bool below = i % columns <= i / columns;
    if ((load_double(tensor.dtype(), tensor.bytes(), i) != 0) != below) return false;
  }
  return true;
}

// A Slice of one of the last two axes that keeps a beginning as long as the scores are there.
bool keeps_beginning(const Node& slice, const Value* scores) {
  const auto axes = int_constant(slice.input(3));
  const auto axis = axes && axes->size() == 1 ? normalised_axes(*axes, 4) : std::nullopt;
  if (!axis || (*axis)[0] < 2) return false;
  ShapeValues values;
  const auto only = [&](const Value* value) -> std::optional<ShapeElement> {
    const ShapeElements* elements = values.find(value);
    return elements != nullptr && elements->size() == 1 ? std::optional((*elements)[0])
                                                        : std::nullopt;
  };
  const auto begin = only(slice.input(1)), end = only(slice.input(2));
  const bool single_steps = slice.input(4) == nullptr || int_constant(slice.input(4)) == Perm{1};
  return begin && end && single_steps && begin->number == 0 &&
         is_dim(*end, scores, static_cast<size_t>((*axis)[0]));
}

}  // namespace

std::optional<AttentionCore> read_attention(Node& product) {
  if (!product.is("MatMul")) return std::nullopt;
  const Match match = attention_pattern().match(product);
  if (!match || !is_last_axis(*match.node("p"))) return std::nullopt;
  if (!is_seen_by_shapes_only(match["qk"], match) || !is_seen_by_shapes_only(match["s"], match)) {
    return std::nullopt;
  }
  const auto scale = scale_of(match);
  for (const std::string_view name : {"q", "k", "v", "qk"}) {
    if (rank_of(match[name]) != size_t{4}) return std::nullopt;
  }
  // A number that counts would show through the mask.
  const Value* low = match["low"];
  const auto lowest = low == nullptr ? std::optional(-1e4) : scalar_constant(low);
  if (!scale || !lowest || *lowest > -1e4) return std::nullopt;
  AttentionCore core{match["q"], nullptr,       match["k"],         match["v"],
                     *scale,     match["mask"], match["condition"], match["qk"]};
  if (const Node* transpose = transpose_of(core.k_transposed, {0, 1, 3, 2})) {
    core.k = transpose->input(0);
  }
  return core;
}

std::optional<Heads> read_heads(const Value* value, bool transposed) {
  if (transposed) {
    if (const Node* node = transpose_of(value, {0, 2, 3, 1})) return split_heads(node->input(0), 4);
    const Node* node = transpose_of(value, {0, 1, 3, 2});
    return node == nullptr ? std::nullopt : read_heads(node->input(0), false);
  }
  if (const Node* node = transpose_of(value, {0, 2, 1, 3})) return split_heads(node->input(0), 4);
  return packed_heads(value);
}

Node* merge_of_heads(const Node& product) {
  Node* transpose = single_user(product.output(0));
  if (transpose == nullptr || transpose_of(transpose->output(0), {0, 2, 1, 3}) == nullptr) {
    return nullptr;
  }
  Node* reshape = single_user(transpose->output(0));
  if (reshape == nullptr || !reshape->is("Reshape") || rank_of(reshape->output(0)) != size_t{3}) {
    return nullptr;
  }
  const Value* heads = transpose->output(0);
  const auto count = known_dim(heads, 2), size = known_dim(heads, 3);
  const bool merged = count && size && known_dim(reshape->output(0), 2) == *count * *size &&
                      reshapes_to_dim(*reshape, 0, heads, 0);
  return merged ? reshape : nullptr;
}

bool is_causal(const AttentionCore& core) {
  const Value* condition = core.condition;
  if (condition == nullptr || !same_dim(core.scores, 2, core.scores, 3)) return false;
  if (const Node* cast = producer(condition, "Cast")) condition = cast->input(0);
  for (int depth = 0; depth < 4 && !condition->is_constant(); ++depth) {
    const Node* slice = producer(condition, "Slice");
    if (slice == nullptr || !keeps_beginning(*slice, core.scores)) return false;
    condition = slice->input(0);
  }
  return is_lower_triangle(condition);
}

}  // namespace edgewright
