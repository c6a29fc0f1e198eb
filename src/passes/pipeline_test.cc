// The wrapper around passes: choice, order, reports, and what happens when a pass is wrong.
#include "passes/pipeline.h"

#include <gmock/gmock.h>

#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/rewrite_check.h"

namespace edgewright {
namespace {

constexpr std::string_view kText = R"(graph %g(%x: float32[3]) -> (%y) {
  %a: float32[3] = Identity(%x) "first"
  %b: float32[3] = Exp(%a) "second"
  %c: float32[3] = Exp(%b) "third"
  %d: float32[3] = Exp(%c) "fourth"
  %y: float32[3] = Neg(%d) "fifth"
})";

// Wrong on purpose: makes every Exp a Log.
Result<bool> rewrite_exp(Graph& graph, PassContext& context) {
  return rewrite_nodes(graph, "Exp", [&](Graph&, Node& node) -> Result<bool> {
    if (!context.allow(node)) return false;
    node.op = "Log";
    return true;
  });
}

// Wrong in a way that no single rewrite is to blame for.
Result<bool> rewrite_everything(Graph& graph, PassContext&) {
  for (Node& node : graph.nodes()) node.op = "Log";
  return true;
}

Result<bool> break_graph(Graph& graph, PassContext&) {
  graph.nodes().back().outputs[0]->uses.push_back({&graph.nodes().front(), 5});
  return true;
}

Result<bool> fail(Graph&, PassContext&) { return unsupported("no such thing"); }

// Stands for a comparison of numbers: right as long as the node named "third" is an Exp.
Status third_is_exp(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    if (node.name == "third" && node.op != "Exp") return check_failed("output 'y' differs");
  }
  return {};
}

struct Outcome {
  Result<PipelineReport> report;
  std::string text;
};

Outcome run(const PipelineOptions& options) {
  Model model;
  model.graph = *parse_graph(kText);
  const NoTypes types;
  NoEvaluator evaluator;
  auto report = optimise(model, options, types, evaluator);
  return {std::move(report), print(*model.graph)};
}

const PassReport* find(const PipelineReport& report, std::string_view name) {
  const auto it = std::ranges::find(report.passes, name, &PassReport::name);
  return it == report.passes.end() ? nullptr : &*it;
}

TEST(Pipeline, ReportsWhatPassesDid) {
  const auto outcome = run({});
  ASSERT_TRUE(outcome.report.ok());
  EXPECT_EQ(outcome.report->nodes_before, 5u);
  EXPECT_EQ(outcome.report->nodes_after, 4u);
  const PassReport* identity = find(*outcome.report, "eliminate_identity");
  ASSERT_NE(identity, nullptr);
  EXPECT_TRUE(identity->changed);
  EXPECT_FALSE(identity->verified);
  EXPECT_EQ(identity->nodes_before, 5u);
}

TEST(Pipeline, NamesAreUniqueAndInHouseStyle) {
  std::set<std::string_view> names;
  for (const Pass& pass : listed_passes()) {
    EXPECT_TRUE(names.insert(pass.name).second) << pass.name;
    EXPECT_FALSE(pass.summary.empty()) << pass.name;
    EXPECT_THAT(
        std::string(pass.name),
        testing::MatchesRegex("(eliminate|fuse|fold|split|rewrite|lower|annotate)_[a-z_]+"));
  }
}

TEST(Pipeline, DisabledPassDoesNotRun) {
  const auto outcome = run({.disabled = {"eliminate_identity"}});
  ASSERT_TRUE(outcome.report.ok());
  EXPECT_EQ(outcome.report->nodes_after, 5u);
  EXPECT_EQ(find(*outcome.report, "eliminate_identity"), nullptr);
}

TEST(Pipeline, StopsAfterTheNamedPass) {
  const auto outcome = run({.stop_after = "eliminate_identity"});
  ASSERT_TRUE(outcome.report.ok());
  EXPECT_EQ(outcome.report->passes.size(), 1u);
}

TEST(Pipeline, UnknownNamesAreRefused) {
  const auto outcome = run({.disabled = {"fuse_nothing"}});
  ASSERT_FALSE(outcome.report.ok());
  EXPECT_EQ(outcome.report.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(outcome.report.error().message, testing::HasSubstr("'fuse_nothing'"));
  EXPECT_FALSE(run({.stop_after = "nowhere"}).report.ok());
}

TEST(Pipeline, FindsTheWrongRewriteAndKeepsTheOthers) {
  PipelineOptions options;
  options.verify = third_is_exp;
  options.extra_passes = {{"rewrite_exp", "wrong", rewrite_exp}};
  const auto outcome = run(options);
  ASSERT_TRUE(outcome.report.ok()) << outcome.report.error().message;
  const PassReport* wrong = find(*outcome.report, "rewrite_exp");
  ASSERT_NE(wrong, nullptr);
  EXPECT_FALSE(wrong->dropped);
  EXPECT_TRUE(wrong->verified);
  EXPECT_THAT(wrong->faults, testing::ElementsAre("at node Exp 'third': output 'y' differs"));
  EXPECT_EQ(outcome.text, canonical(R"(graph %g(%x: float32[3]) -> (%y) {
  %b: float32[3] = Log(%x) "second"
  %c: float32[3] = Exp(%b) "third"
  %d: float32[3] = Log(%c) "fourth"
  %y: float32[3] = Neg(%d) "fifth"
})"));
}

TEST(Pipeline, DropsAPassThatIsWrongAsAWhole) {
  PipelineOptions options;
  options.verify = third_is_exp;
  options.extra_passes = {{"rewrite_everything", "wrong", rewrite_everything}};
  const auto outcome = run(options);
  ASSERT_TRUE(outcome.report.ok());
  const PassReport* wrong = find(*outcome.report, "rewrite_everything");
  EXPECT_TRUE(wrong->dropped);
  EXPECT_FALSE(wrong->changed);
  EXPECT_THAT(wrong->faults, testing::ElementsAre("output 'y' differs"));
  EXPECT_THAT(outcome.text, testing::Not(testing::HasSubstr("Log")));
}

TEST(Pipeline, AnUncheckableModelIsSaidSoAtOnce) {
  PipelineOptions options;
  options.verify = [](const Graph&) -> Status { return unsupported("no kernel for Odd"); };
  const auto outcome = run(options);
  ASSERT_FALSE(outcome.report.ok());
  EXPECT_EQ(outcome.report.error().kind, ErrorKind::kUnsupported);
}

TEST(Pipeline, AMalformedGraphNamesThePass) {
  PipelineOptions options;
  options.extra_passes = {{"break_graph", "wrong", break_graph}};
  const auto outcome = run(options);
  ASSERT_FALSE(outcome.report.ok());
  EXPECT_EQ(outcome.report.error().kind, ErrorKind::kInternal);
  EXPECT_THAT(outcome.report.error().message, testing::HasSubstr("break_graph"));
}

TEST(Pipeline, AFailingPassIsNamed) {
  PipelineOptions options;
  options.extra_passes = {{"fail", "wrong", fail}};
  EXPECT_THAT(run(options).report.error().message, testing::StartsWith("pass fail: no such thing"));
}

TEST(Pipeline, PassesOfAnotherDialectOrLossyOnesWait) {
  PipelineOptions options;
  options.extra_passes = {{"rewrite_exp", "wrong", rewrite_exp, Dialect::kOrt}};
  EXPECT_EQ(find(*run(options).report, "rewrite_exp"), nullptr);
  options.extra_passes = {{"rewrite_exp", "wrong", rewrite_exp, Dialect::kStandard, true}};
  EXPECT_EQ(find(*run(options).report, "rewrite_exp"), nullptr);
  options.pass.lossy = true;
  EXPECT_NE(find(*run(options).report, "rewrite_exp"), nullptr);
}

}  // namespace
}  // namespace edgewright
