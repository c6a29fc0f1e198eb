// Tree ensembles of ai.onnx.ml, in the encoding of version 5 and in the older ones.
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "kernels/families.h"
#include "kernels/ml/post_transform.h"

namespace edgewright {
namespace {

using namespace reference;

enum class Mode { kLessOrEqual, kLess, kGreaterOrEqual, kGreater, kEqual, kNotEqual, kMember };

struct Leaf {
  int64_t target = 0;
  double weight = 0;
};

// A branch or, where `mode` is empty, an end with its leaves [first_leaf, last_leaf).
struct TreeNode {
  std::optional<Mode> mode;
  int64_t feature = 0;
  double split = 0;
  std::set<double> members;
  bool missing_is_true = false;
  size_t on_true = 0;
  size_t on_false = 0;
  std::vector<Leaf> leaves;

  bool decide(double x) const {
    if (std::isnan(x) && missing_is_true) return true;
    switch (*mode) {
      case Mode::kLessOrEqual: return x <= split;
      case Mode::kLess: return x < split;
      case Mode::kGreaterOrEqual: return x >= split;
      case Mode::kGreater: return x > split;
      case Mode::kEqual: return x == split;
      case Mode::kNotEqual: return x != split;
      case Mode::kMember: return members.contains(x);
    }
    return false;
  }
};

enum class Aggregate { kAverage, kSum, kMin, kMax };

struct Ensemble {
  std::vector<TreeNode> nodes;
  std::vector<size_t> roots;
  int64_t targets = 1;
  Aggregate aggregate = Aggregate::kSum;
  std::vector<double> base;

  Status score(const OpCall& call, const double* row, float* out) const;
};

// Adds up what every tree says of one row.
Status Ensemble::score(const OpCall& call, const double* row, float* out) const {
  std::vector<double> sums(static_cast<size_t>(targets), 0);
  std::vector<bool> seen(static_cast<size_t>(targets), false);
  for (size_t at : roots) {
    size_t steps = 0;
    while (nodes[at].mode) {
      // A path longer than all nodes together goes in a circle.
      if (++steps > nodes.size()) return bad_input("{} has a tree with a circle", call.op);
      at = nodes[at].decide(row[nodes[at].feature]) ? nodes[at].on_true : nodes[at].on_false;
    }
    for (const Leaf& leaf : nodes[at].leaves) {
      const auto t = static_cast<size_t>(leaf.target);
      if (!seen[t] || aggregate == Aggregate::kSum || aggregate == Aggregate::kAverage) {
        sums[t] += leaf.weight;
      } else {
        sums[t] = aggregate == Aggregate::kMin ? std::min(sums[t], leaf.weight)
                                               : std::max(sums[t], leaf.weight);
      }
      seen[t] = true;
    }
  }
  for (size_t t = 0; t < sums.size(); ++t) {
    if (aggregate == Aggregate::kAverage) sums[t] /= static_cast<double>(roots.size());
    out[t] = static_cast<float>(sums[t] + (t < base.size() ? base[t] : 0));
  }
  return {};
}

Status check_ensemble(const OpCall& call, const Ensemble& e, int64_t features) {
  for (const TreeNode& node : e.nodes) {
    const bool branch = node.mode.has_value();
    if (branch && (node.feature < 0 || node.feature >= features || node.on_true >= e.nodes.size() ||
                   node.on_false >= e.nodes.size())) {
      return bad_input("{} has a branch on feature {} of {} to nodes {} and {} of {}", call.op,
                       node.feature, features, node.on_true, node.on_false, e.nodes.size());
    }
    for (const Leaf& leaf : node.leaves) {
      if (leaf.target < 0 || leaf.target >= e.targets) {
        return bad_input("{} has a leaf of target {} of {}", call.op, leaf.target, e.targets);
      }
    }
  }
  return {};
}

// ---- Version 5: branches and leaves in separate lists. ----

struct Lists {
  Dims features, true_leaf, false_leaf, true_id, false_id, missing, leaf_target, roots;
  std::vector<double> modes, splits, leaf_weight, members;
};

Result<std::vector<double>> tensor_values(const OpCall& call, std::string_view name) {
  const Tensor* tensor = call.attributes->get_tensor(name);
  if (tensor == nullptr) return std::vector<double>();
  if (tensor->dtype() == DType::kString) return bad_input("{}: {} of strings", call.op, name);
  return tensor->to_doubles();
}

Result<Lists> read_lists(const OpCall& call) {
  const Attributes& a = *call.attributes;
  Lists lists{a.get_ints("nodes_featureids"),   a.get_ints("nodes_trueleafs"),
              a.get_ints("nodes_falseleafs"),   a.get_ints("nodes_truenodeids"),
              a.get_ints("nodes_falsenodeids"), a.get_ints("nodes_missing_value_tracks_true"),
              a.get_ints("leaf_targetids"),     a.get_ints("tree_roots")};
  EDGEWRIGHT_ASSIGN(lists.modes, tensor_values(call, "nodes_modes"));
  EDGEWRIGHT_ASSIGN(lists.splits, tensor_values(call, "nodes_splits"));
  EDGEWRIGHT_ASSIGN(lists.leaf_weight, tensor_values(call, "leaf_weights"));
  EDGEWRIGHT_ASSIGN(lists.members, tensor_values(call, "membership_values"));
  const size_t count = lists.features.size();
  const bool fits = lists.true_leaf.size() == count && lists.false_leaf.size() == count &&
                    lists.true_id.size() == count && lists.false_id.size() == count &&
                    lists.modes.size() == count && lists.splits.size() == count &&
                    (lists.missing.empty() || lists.missing.size() == count) &&
                    lists.leaf_target.size() == lists.leaf_weight.size();
  if (!fits) return bad_input("{} has lists of different lengths", call.op);
  return lists;
}

// Nodes first, then leaves; an id out of range becomes one that check_ensemble refuses.
Result<Ensemble> read_ensemble(const OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Lists lists, read_lists(call));
  Ensemble e;
  e.targets = call.attributes->get_int("n_targets", 1);
  const size_t branches = lists.features.size();
  const size_t leaves = lists.leaf_weight.size();
  if (e.targets < 1 || e.targets > (int64_t{1} << 31)) {
    return bad_input("{} has {} targets", call.op, e.targets);
  }
  const auto child = [&](int64_t id, bool leaf) {
    const size_t limit = leaf ? leaves : branches;
    if (id < 0 || static_cast<size_t>(id) >= limit) return branches + leaves;
    return static_cast<size_t>(id) + (leaf ? branches : 0);
  };
  size_t member = 0;
  for (size_t i = 0; i < branches; ++i) {
    TreeNode node;
    if (!(lists.modes[i] >= 0 && lists.modes[i] <= 6)) {
      return bad_input("{} has node mode {}", call.op, lists.modes[i]);
    }
    node.mode = static_cast<Mode>(lists.modes[i]);
    node.feature = lists.features[i];
    node.split = lists.splits[i];
    node.missing_is_true = !lists.missing.empty() && lists.missing[i] != 0;
    node.on_true = child(lists.true_id[i], lists.true_leaf[i] != 0);
    node.on_false = child(lists.false_id[i], lists.false_leaf[i] != 0);
    if (node.mode == Mode::kMember) {
      // NaN ends the set of a node.
      while (member < lists.members.size() && !std::isnan(lists.members[member])) {
        node.members.insert(lists.members[member++]);
      }
      ++member;
    }
    e.nodes.push_back(std::move(node));
  }
  for (size_t i = 0; i < leaves; ++i) {
    TreeNode node;
    node.leaves.push_back({lists.leaf_target[i], lists.leaf_weight[i]});
    e.nodes.push_back(std::move(node));
  }
  for (const int64_t root : lists.roots) {
    if (root < 0 || static_cast<size_t>(root) >= branches) {
      return bad_input("{} has root {} of {} nodes", call.op, root, branches);
    }
    e.roots.push_back(static_cast<size_t>(root));
  }
  return e;
}

Status tree_ensemble(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<double> x, operand<double>(call, 0));
  EDGEWRIGHT_ASSIGN(const Rows rows, rows_of(call, *x.tensor));
  EDGEWRIGHT_ASSIGN(Ensemble e, read_ensemble(call));
  const int64_t aggregate = call.attributes->get_int("aggregate_function", 1);
  const int64_t transform = call.attributes->get_int("post_transform", 0);
  if (aggregate < 0 || aggregate > 3 || transform < 0 || transform > 4) {
    return bad_input("{} has aggregate_function {} and post_transform {}", call.op, aggregate,
                     transform);
  }
  e.aggregate = static_cast<Aggregate>(aggregate);
  EDGEWRIGHT_TRY(check_ensemble(call, e, rows.width));
  EDGEWRIGHT_ASSIGN(const Computed<float> y,
                    computed<float>(call, 0, x.dtype(), {rows.count, e.targets}));
  for (int64_t i = 0; i < rows.count; ++i) {
    float* out = y.data + i * e.targets;
    EDGEWRIGHT_TRY(e.score(call, x.data + i * rows.width, out));
    apply_post_transform(static_cast<PostTransform>(transform), out, e.targets);
  }
  return y.finish();
}

// ---- Older versions: nodes named by tree and id, leaves in a list of their own. ----

std::vector<double> values_of(const OpCall& call, const std::string& name) {
  std::vector<double> values;
  for (const float value : call.attributes->get_floats(name)) values.push_back(value);
  if (const Tensor* tensor = call.attributes->get_tensor(name + "_as_tensor")) {
    if (auto read = tensor->to_doubles(); read.ok()) values = *std::move(read);
  }
  return values;
}

Result<std::optional<Mode>> named_mode(const OpCall& call, const std::string& name) {
  constexpr std::string_view kNames[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                         "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return std::optional(static_cast<Mode>(i));
  }
  if (name == "LEAF") return std::optional<Mode>();
  return bad_input("{} has node mode '{}'", call.op, name);
}

using NodeId = std::pair<int64_t, int64_t>;

// `prefix` is "target" (regressor) or "class" (classifier).
Status read_leaves(const OpCall& call, const std::string& prefix,
                   const std::map<NodeId, size_t>& index, Ensemble& e) {
  const Dims trees = call.attributes->get_ints(prefix + "_treeids");
  const Dims nodes = call.attributes->get_ints(prefix + "_nodeids");
  const Dims targets = call.attributes->get_ints(prefix + "_ids");
  const std::vector<double> weights = values_of(call, prefix + "_weights");
  if (nodes.size() != trees.size() || targets.size() != trees.size() ||
      weights.size() != trees.size()) {
    return bad_input("{} has {} lists of different lengths", call.op, prefix);
  }
  for (size_t i = 0; i < trees.size(); ++i) {
    const auto found = index.find({trees[i], nodes[i]});
    if (found == index.end()) {
      return bad_input("{} has a leaf for node {} of tree {}, which is not there", call.op,
                       nodes[i], trees[i]);
    }
    e.nodes[found->second].leaves.push_back({targets[i], weights[i]});
  }
  return {};
}

Result<Ensemble> read_named_ensemble(const OpCall& call, const std::string& prefix) {
  const Attributes& a = *call.attributes;
  const Dims trees = a.get_ints("nodes_treeids");
  const Dims ids = a.get_ints("nodes_nodeids");
  const Dims features = a.get_ints("nodes_featureids");
  const Dims on_true = a.get_ints("nodes_truenodeids");
  const Dims on_false = a.get_ints("nodes_falsenodeids");
  const Dims missing = a.get_ints("nodes_missing_value_tracks_true");
  const std::vector<std::string> modes = a.get_strings("nodes_modes");
  const std::vector<double> splits = values_of(call, "nodes_values");
  const size_t count = trees.size();
  if (ids.size() != count || features.size() != count || on_true.size() != count ||
      on_false.size() != count || modes.size() != count || splits.size() != count ||
      (!missing.empty() && missing.size() != count)) {
    return bad_input("{} has node lists of different lengths", call.op);
  }
  Ensemble e;
  std::map<NodeId, size_t> index;
  for (size_t i = 0; i < count; ++i) {
    if (!index.emplace(NodeId(trees[i], ids[i]), i).second) {
      return bad_input("{} has node {} of tree {} twice", call.op, ids[i], trees[i]);
    }
  }
  std::vector<bool> is_child(count, false);
  for (size_t i = 0; i < count; ++i) {
    TreeNode node;
    EDGEWRIGHT_ASSIGN(node.mode, named_mode(call, modes[i]));
    node.feature = features[i];
    node.split = splits[i];
    node.missing_is_true = !missing.empty() && missing[i] != 0;
    for (const auto& [id, slot] :
         {std::pair(on_true[i], &node.on_true), std::pair(on_false[i], &node.on_false)}) {
      if (!node.mode) break;
      const auto found = index.find({trees[i], id});
      *slot = found == index.end() ? count : found->second;
      if (*slot < count) is_child[*slot] = true;
    }
    e.nodes.push_back(std::move(node));
  }
  for (size_t i = 0; i < count; ++i) {
    if (!is_child[i]) e.roots.push_back(i);
  }
  EDGEWRIGHT_TRY(read_leaves(call, prefix, index, e));
  e.base = values_of(call, "base_values");
  return e;
}

Status tree_ensemble_regressor(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<double> x, operand<double>(call, 0));
  EDGEWRIGHT_ASSIGN(const Rows rows, rows_of(call, *x.tensor));
  EDGEWRIGHT_ASSIGN(const PostTransform transform, post_transform_of(call));
  EDGEWRIGHT_ASSIGN(Ensemble e, read_named_ensemble(call, "target"));
  constexpr std::string_view kNames[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  const std::string name = call.attributes->get_string("aggregate_function", "SUM");
  const auto* found = std::find(std::begin(kNames), std::end(kNames), name);
  e.targets = call.attributes->get_int("n_targets", 1);
  if (found == std::end(kNames) || e.targets < 1 || e.targets > (int64_t{1} << 31)) {
    return bad_input("{} has aggregate_function '{}' and {} targets", call.op, name, e.targets);
  }
  e.aggregate = static_cast<Aggregate>(found - std::begin(kNames));
  EDGEWRIGHT_TRY(check_ensemble(call, e, rows.width));
  EDGEWRIGHT_ASSIGN(const Computed<float> y,
                    computed<float>(call, 0, DType::kFloat32, {rows.count, e.targets}));
  for (int64_t i = 0; i < rows.count; ++i) {
    float* out = y.data + i * e.targets;
    EDGEWRIGHT_TRY(e.score(call, x.data + i * rows.width, out));
    apply_post_transform(transform, out, e.targets);
  }
  return y.finish();
}

// Two classes of which the leaves only speak of one: its score decides, and makes both scores.
struct Binary {
  bool applies = false;
  bool positive = true;  // all weights are: scores are probabilities, decided at 1/2

  int64_t winner(float score) const { return score > (positive ? 0.5f : 0.0f) ? 1 : 0; }
  void scores(float score, PostTransform transform, float* out) const {
    out[0] = positive ? 1 - score : -score;
    out[1] = score;
    if (!positive && transform == PostTransform::kLogistic) {
      apply_post_transform(transform, out, 2);
    }
  }
};

Binary binary_of(const Ensemble& e) {
  Binary binary;
  std::set<int64_t> named;
  for (const TreeNode& node : e.nodes) {
    for (const Leaf& leaf : node.leaves) {
      named.insert(leaf.target);
      binary.positive = binary.positive && leaf.weight >= 0;
    }
  }
  binary.applies = e.targets == 2 && named.size() == 1;
  return binary;
}

Status tree_ensemble_classifier(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<double> x, operand<double>(call, 0));
  EDGEWRIGHT_ASSIGN(const Rows rows, rows_of(call, *x.tensor));
  EDGEWRIGHT_ASSIGN(const PostTransform transform, post_transform_of(call));
  EDGEWRIGHT_ASSIGN(const ClassLabels labels,
                    class_labels(call, "classlabels_strings", "classlabels_int64s"));
  EDGEWRIGHT_ASSIGN(Ensemble e, read_named_ensemble(call, "class"));
  e.targets = labels.count();
  if (e.targets < 1) return bad_input("{} has no class labels", call.op);
  EDGEWRIGHT_TRY(check_ensemble(call, e, rows.width));
  const Binary binary = binary_of(e);
  EDGEWRIGHT_ASSIGN(const Computed<float> y,
                    computed<float>(call, 1, DType::kFloat32, {rows.count, e.targets}));
  std::vector<int64_t> winners;
  for (int64_t i = 0; i < rows.count; ++i) {
    float* out = y.data + i * e.targets;
    EDGEWRIGHT_TRY(e.score(call, x.data + i * rows.width, out));
    if (binary.applies) {
      const float score = out[0] + out[1];  // one of the two was never named
      winners.push_back(binary.winner(score));
      binary.scores(score, transform, out);
    } else {
      winners.push_back(std::max_element(out, out + e.targets) - out);
      apply_post_transform(transform, out, e.targets);
    }
  }
  EDGEWRIGHT_TRY(give_labels(call, labels, winners));
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"ai.onnx.ml", "TreeEnsemble", tree_ensemble},
    {"ai.onnx.ml", "TreeEnsembleRegressor", tree_ensemble_regressor},
    {"ai.onnx.ml", "TreeEnsembleClassifier", tree_ensemble_classifier},
};

}  // namespace

std::span<const ReferenceKernel> tree_reference_kernels() { return kKernels; }

}  // namespace edgewright
