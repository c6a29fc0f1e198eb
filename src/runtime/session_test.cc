#include "runtime/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "runtime/interpreter.h"
#include "runtime/place_values.h"

namespace edgewright {
namespace {

ValueType floats(Dims dims) { return ValueType::tensor(DType::kFloat32, to_shape(dims)); }

Value* add(Graph& graph, std::string op, std::vector<Value*> inputs, std::string name, Dims dims) {
  Node* node = graph.add_node(std::move(op), std::move(inputs), {std::move(name)});
  node->outputs[0]->type = floats(std::move(dims));
  return node->outputs[0];
}

Tensor random_tensor(Dims dims, uint32_t seed) {
  std::minstd_rand random(seed + 1);
  auto tensor = Tensor::allocate(DType::kFloat32, std::move(dims));
  EDGEWRIGHT_CHECK(tensor.ok());
  for (int64_t i = 0; i < tensor->element_count(); ++i) {
    tensor->mutable_data<float>()[i] = static_cast<float>(random() % 2000) / 1000.0f - 1.0f;
  }
  return *std::move(tensor);
}

std::unique_ptr<Session> open(const Graph& graph, SessionOptions options = {}) {
  auto session = Session::open(clone(graph), std::move(options));
  EXPECT_TRUE(session.ok()) << session.error().message;
  return session.ok() ? *std::move(session) : nullptr;
}

void expect_same_as_interpreter(const Graph& graph, std::span<const Datum> inputs,
                                Session& session) {
  auto expected = Interpreter().run(graph, inputs);
  ASSERT_TRUE(expected.ok()) << expected.error().message;
  auto found = session.run(inputs);
  ASSERT_TRUE(found.ok()) << found.error().message;
  ASSERT_EQ(found->size(), expected->size());
  for (size_t i = 0; i < found->size(); ++i) {
    EXPECT_TRUE(identical((*found)[i].tensor(), (*expected)[i].tensor())) << "output " << i;
  }
}

const Dims kPart = {4, 16}, kPair = {8, 16}, kFlat = {64};

// A random graph of sums, copies, reshapes, joins and splits, some values being outputs, some never
// read, some joined twice.
std::unique_ptr<Graph> random_graph(uint32_t seed) {
  std::minstd_rand random(seed + 1);
  auto graph = std::make_unique<Graph>();
  std::vector<Value*> values = {graph->add_input("x", floats(kPart)),
                                graph->add_input("y", floats(kPart)),
                                graph->add_constant("c", random_tensor(kPart, seed))};
  std::vector<Value*> flat, pairs;
  Value* shape = graph->add_constant("shape", Tensor::of<int64_t>({1}, {64}));
  const auto any_of = [&](const std::vector<Value*>& from) { return from[random() % from.size()]; };
  for (int i = 0; i < 30; ++i) {
    Value* a = any_of(values);
    Value* b = any_of(values);
    switch (random() % 8) {
      case 0: values.push_back(add(*graph, "Identity", {a}, "copy", kPart)); break;
      case 1: flat.push_back(add(*graph, "Reshape", {a, shape}, "flat", kFlat)); break;
      case 2:
      case 3:
        pairs.push_back(add(*graph, "Concat", {a, b}, "pair", kPair));
        pairs.back()->producer->attributes.set("axis", int64_t{0});
        break;
      case 4: {
        if (pairs.empty()) break;
        Node* split = graph->add_node("Split", {any_of(pairs)}, {"upper", "lower"});
        split->attributes.set("axis", int64_t{0});
        split->attributes.set("num_outputs", int64_t{2});
        for (Value* half : split->outputs) {
          half->type = floats(kPart);
          values.push_back(half);
        }
        break;
      }
      case 5:
        if (!pairs.empty()) {
          pairs.push_back(add(*graph, "Add", {pairs.back(), any_of(pairs)}, "pairs", kPair));
        }
        break;
      default: values.push_back(add(*graph, "Add", {a, b}, "sum", kPart));
    }
  }
  for (int i = 0; i < 3; ++i) graph->add_output(any_of(values));
  for (int i = 0; i < 2 && !pairs.empty(); ++i) graph->add_output(any_of(pairs));
  if (flat.size() > 1) {
    graph->add_output(add(*graph, "Add", {flat[0], flat.back()}, "flat_sum", kFlat));
    graph->add_output(any_of(flat));
  }
  return graph;
}

TEST(Session, RandomGraphsGiveWhatTheInterpreterGives) {
  int in_place = 0;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    const auto graph = random_graph(seed);
    ASSERT_TRUE(violations(*graph).empty()) << violations(*graph)[0];
    auto session = open(*graph);
    ASSERT_NE(session, nullptr);
    EXPECT_GE(session->figures().arena_bytes, session->figures().live_set_bytes);
    for (const PlanStep& step : session->plan().steps) {
      in_place += parts_lie_in_place(session->plan(), step);
    }
    for (uint32_t run = 0; run < 3; ++run) {
      const std::vector<Datum> inputs = {random_tensor(kPart, seed + run),
                                         random_tensor(kPart, seed + run + 50)};
      expect_same_as_interpreter(*graph, inputs, *session);
      ASSERT_FALSE(HasFailure()) << "seed " << seed;
    }
  }
  EXPECT_GT(in_place, 200);
}

// Two results joined, each made where it belongs: no copy, and no memory beside the whole.
TEST(Session, PartsOfAConcatAreMadeInIt) {
  Graph graph;
  Value* x = graph.add_input("x", floats(kPart));
  Value* a = add(graph, "Add", {x, x}, "a", kPart);
  Value* b = add(graph, "Neg", {x}, "b", kPart);
  Value* pair = add(graph, "Concat", {a, b}, "pair", kPair);
  pair->producer->attributes.set("axis", int64_t{0});
  graph.add_output(add(graph, "Add", {pair, pair}, "y", kPair));
  auto session = open(graph);
  ASSERT_NE(session, nullptr);
  EXPECT_TRUE(parts_lie_in_place(session->plan(), session->plan().steps[2]));
  const std::vector<Datum> inputs = {random_tensor(kPart, 1)};
  expect_same_as_interpreter(graph, inputs, *session);
}

TEST(Session, ReshapesCostNoStep) {
  Graph graph;
  Value* x = graph.add_input("x", floats({2, 3}));
  Value* shape = graph.add_constant("shape", Tensor::of<int64_t>({1}, {6}));
  Value* sum = add(graph, "Add", {x, x}, "sum", {2, 3});
  Value* flat = add(graph, "Reshape", {sum, shape}, "flat", {6});
  graph.add_output(add(graph, "Add", {flat, flat}, "twice", {6}));
  auto session = open(graph);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->plan().steps.size(), 2u);
}

TEST(Session, OutputsStayWhenTheSessionRunsAgain) {
  Graph graph;
  Value* x = graph.add_input("x", floats({16}));
  graph.add_output(add(graph, "Add", {x, x}, "y", {16}));
  auto session = open(graph);
  ASSERT_NE(session, nullptr);
  const std::vector<Datum> first = {random_tensor({16}, 1)}, second = {random_tensor({16}, 2)};
  auto kept = session->run(first);
  ASSERT_TRUE(kept.ok());
  auto copy = clone((*kept)[0].tensor());
  ASSERT_TRUE(copy.ok());
  auto later = session->run(second);
  ASSERT_TRUE(later.ok());
  EXPECT_TRUE(identical((*kept)[0].tensor(), *copy));
  EXPECT_NE((*kept)[0].tensor().bytes(), (*later)[0].tensor().bytes());
}

TEST(Session, AnOutputServesAsTheNextInput) {
  Graph graph;
  Value* x = graph.add_input("x", floats({16}));
  graph.add_output(add(graph, "Add", {x, x}, "y", {16}));
  auto session = open(graph);
  ASSERT_NE(session, nullptr);
  std::vector<Datum> state = {Tensor::of<float>({16}, std::vector<float>(16, 1.0f))};
  for (int i = 0; i < 5; ++i) {
    auto outputs = session->run(state);
    ASSERT_TRUE(outputs.ok());
    state = *std::move(outputs);
  }
  EXPECT_EQ(state[0].tensor().data<float>()[7], 32.0f);
}

std::unique_ptr<Graph> branching_graph(bool open_shape) {
  auto graph = std::make_unique<Graph>();
  const ValueType type = open_shape ? ValueType::tensor(DType::kFloat32) : floats({4});
  Value* which = graph->add_input("which", ValueType::tensor(DType::kBool, Shape{}));
  Value* x = graph->add_input("x", type);
  Value* twice = graph->add_node("Add", {x, x}, {"twice"})->outputs[0];
  twice->type = type;
  Node* branch = graph->add_node("If", {which}, {"chosen"});
  branch->outputs[0]->type = type;
  Graph* then_body = graph->add_subgraph(branch, "then_branch");
  Value* sum = then_body->add_node("Add", {twice, x}, {"sum"})->outputs[0];
  sum->type = type;
  then_body->add_output(sum);
  // The other branch hands on a value of the outer graph as it is.
  graph->add_subgraph(branch, "else_branch")->add_output(twice);
  Value* last = graph->add_node("Add", {branch->outputs[0], x}, {"last"})->outputs[0];
  last->type = type;
  graph->add_output(last);
  graph->add_output(branch->outputs[0]);
  return graph;
}

TEST(Session, BranchesRunAsNestedPlans) {
  for (const bool open_shape : {false, true}) {
    const auto graph = branching_graph(open_shape);
    auto session = open(*graph);
    ASSERT_NE(session, nullptr);
    for (const bool which : {true, false, true}) {
      const std::vector<Datum> inputs = {Tensor::scalar<bool>(which), random_tensor({4}, which)};
      expect_same_as_interpreter(*graph, inputs, *session);
    }
  }
}

TEST(Session, LoopsRunAsNestedPlans) {
  Graph graph;
  Value* trips = graph.add_input("trips", ValueType::tensor(DType::kInt64, Shape{}));
  Value* start = graph.add_input("start", floats({2}));
  Value* step = graph.add_constant("step", Tensor::of<float>({2}, {1, 10}));
  Node* loop = graph.add_node("Loop", {trips, nullptr, start}, {"last", "all"});
  loop->outputs[0]->type = floats({2});
  Graph* body = graph.add_subgraph(loop, "body");
  body->add_input("i", ValueType::tensor(DType::kInt64));
  Value* go_on = body->add_input("go_on", ValueType::tensor(DType::kBool));
  Value* state = body->add_input("state", floats({2}));
  Value* sum = add(*body, "Add", {state, step}, "sum", {2});
  Value* slice = add(*body, "Add", {sum, start}, "slice", {2});
  body->add_output(go_on);
  body->add_output(sum);
  body->add_output(slice);
  graph.add_output(loop->outputs[0]);
  graph.add_output(loop->outputs[1]);
  auto session = open(graph);
  ASSERT_NE(session, nullptr);
  for (const int64_t count : {0, 1, 5}) {
    const std::vector<Datum> inputs = {Tensor::scalar<int64_t>(count), random_tensor({2}, 3)};
    auto found = session->run(inputs);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ((*found)[1].tensor().dim(0), count);
    if (count > 0) expect_same_as_interpreter(graph, inputs, *session);
  }
}

TEST(Session, MakesAPlanPerShapeWithinTheProfiles) {
  Graph graph;
  const Shape open_batch = {Dim("batch"), Dim(3)};
  Value* x = graph.add_input("x", ValueType::tensor(DType::kFloat32, open_batch));
  Value* sum = graph.add_node("Add", {x, x}, {"sum"})->outputs[0];
  sum->type = x->type;
  graph.add_output(sum);
  SessionOptions options;
  options.cached_plans = 2;
  options.profiles = {{{{"x", {{1, 3}, {4, 3}, {8, 3}}}}}};
  options.specialise = [](const Graph& source, std::span<const Dims> shapes) {
    auto made = clone(source);
    for (Value& value : made->values()) value.type = floats(shapes[0]);
    return Result<std::unique_ptr<Graph>>(std::move(made));
  };
  auto session = open(graph, options);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->figures().plans, 1u);
  for (const int64_t batch : {4, 1, 8, 4}) {
    const std::vector<Datum> inputs = {random_tensor({batch, 3}, 1)};
    expect_same_as_interpreter(graph, inputs, *session);
    EXPECT_LE(session->figures().plans, 2u);
  }
  const std::vector<Datum> large = {random_tensor({9, 3}, 1)};
  auto refused = session->run(large);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(refused.error().message.find("x=9x3"), std::string::npos);
}

TEST(Session, ReportsStepsAndValues) {
  const auto graph = random_graph(3);
  auto session = open(*graph);
  ASSERT_NE(session, nullptr);
  std::vector<std::chrono::steady_clock::time_point> moments;
  std::vector<std::string> names;
  RunHooks hooks;
  hooks.moments = &moments;
  hooks.on_value = [&](const PlanValue& value, const Datum& datum) {
    EXPECT_EQ(datum.tensor().dims(), value.dims);
    names.push_back(value.name);
  };
  const std::vector<Datum> inputs = {random_tensor(kPart, 1), random_tensor(kPart, 2)};
  ASSERT_TRUE(session->run(inputs, &hooks).ok());
  EXPECT_EQ(moments.size(), session->plan().steps.size() + 1);
  EXPECT_TRUE(std::ranges::is_sorted(moments));
  size_t outputs = 0;
  for (const PlanStep& step : session->plan().steps) outputs += step.outputs.size();
  EXPECT_EQ(names.size(), outputs);
}

TEST(Session, RefusesWrongInputs) {
  Graph graph;
  Value* x = graph.add_input("x", floats({4}));
  graph.add_output(add(graph, "Add", {x, x}, "y", {4}));
  auto session = open(graph);
  ASSERT_NE(session, nullptr);
  const std::vector<Datum> wrong = {random_tensor({5}, 1)};
  auto refused = session->run(wrong);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kBadInput);
  EXPECT_FALSE(session->run({}).ok());
}

TEST(Session, NamesTheOperatorThatNothingRuns) {
  Graph graph;
  Value* x = graph.add_input("x", floats({4}));
  Node* node = graph.add_node("Frobnicate", {x}, {"y"}, {}, "com.example");
  node->name = "strange";
  graph.add_output(node->outputs[0]);
  auto session = Session::open(clone(graph), {});
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(session.error().message.find("strange"), std::string::npos);
  EXPECT_NE(session.error().message.find("Frobnicate"), std::string::npos);
}

}  // namespace
}  // namespace edgewright
