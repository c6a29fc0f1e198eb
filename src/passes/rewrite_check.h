#pragma once

#include <gtest/gtest.h>

#include "graph/text.h"
#include "passes/pass.h"

// What tests of single passes share: a graph as text goes in, a graph as text comes out.
namespace edgewright {

// Knows no operator: the texts carry the types that a pass asks for.
class NoTypes : public TypeInferer {
 public:
  Status infer(Node&) const override { return {}; }
  Status infer(Graph&) const override { return {}; }
};

class NoEvaluator : public Evaluator {
 public:
  Result<std::vector<Tensor>> evaluate(const Node& node, std::span<const Tensor* const>) override {
    return unsupported("no kernel for {}", node.op);
  }
};

// The text after the pass (run until nothing changes), without what is dead.
inline std::string rewritten(PassFunction pass, std::string_view before, PassOptions options = {}) {
  auto graph = parse_graph(before);
  if (!graph.ok()) return "before: " + graph.error().message;
  const NoTypes types;
  NoEvaluator evaluator;
  PassContext context{types, evaluator, options};
  for (int round = 0; round < 4; ++round) {
    auto changed = pass(**graph, context);
    if (!changed.ok()) return changed.error().message;
    (*graph)->remove_dead();
    if (const auto broken = violations(**graph); !broken.empty()) return broken[0];
    if (!*changed) break;
  }
  return print(**graph);
}

// The canonical text of a graph, without what is dead.
inline std::string canonical(std::string_view text) {
  auto graph = parse_graph(text);
  if (!graph.ok()) return "after: " + graph.error().message;
  (*graph)->remove_dead();
  return print(**graph);
}

inline PassOptions ort_options(int opset = 12) {
  PassOptions options;
  options.dialect = Dialect::kOrt;
  options.target_opset = opset;
  return options;
}
inline PassOptions standard_options(int opset = kCanonicalOpset) {
  PassOptions options;
  options.target_opset = opset;
  return options;
}

inline void expect_rewrite(PassFunction pass, std::string_view before, std::string_view after,
                           PassOptions options = {}) {
  EXPECT_EQ(rewritten(pass, before, options), canonical(after));
}
inline void expect_unchanged(PassFunction pass, std::string_view text, PassOptions options = {}) {
  EXPECT_EQ(rewritten(pass, text, options), canonical(text));
}

}  // namespace edgewright
