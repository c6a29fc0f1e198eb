// Whole models on the native engine: compiles one, times it, prints where the time goes, or answers
// timing requests of compare_models.py on standard input.
//
//   bench_models MODEL [shape:NAME=1x3x32x32]... [fill:NAME=16000]... [threads:N] [tune:CACHE.json]
//                [plan:OUT.ewplan] [without:PASS]... [check] [table] [text] [serve]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <set>

#include "formats/onnx/onnx.h"
#include "formats/onnx/schema_functions.h"
#include "formats/onnx/type_inference.h"
#include "graph/fix_shapes.h"
#include "graph/text.h"
#include "passes/lowering.h"
#include "passes/pipeline.h"
#include "runtime/autotune.h"
#include "runtime/plan_file.h"
#include "runtime/session.h"
#include "tensor/dtype.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string model, plan, tune;
  std::map<std::string, Dims> shapes;
  std::map<std::string, double> fills;
  std::set<std::string> without;
  int threads = 1;
  bool check = false, table = false, text = false, serve = false;
};

Dims parse_dims(const std::string& text) {
  Dims dims;
  for (size_t at = 0; at < text.size();) {
    dims.push_back(std::stoll(text.substr(at)));
    const size_t next = text.find('x', at);
    at = next == std::string::npos ? text.size() : next + 1;
  }
  return dims;
}

Arguments parse_arguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string key = word.substr(0, word.find(':'));
    const std::string value = word.size() > key.size() ? word.substr(key.size() + 1) : "";
    const size_t equals = value.find('=');
    const std::string name = value.substr(0, equals);
    const std::string given = equals == std::string::npos ? "" : value.substr(equals + 1);
    if (key == "shape")
      arguments.shapes[name] = parse_dims(given);
    else if (key == "fill")
      arguments.fills[name] = std::stod(given);
    else if (key == "threads")
      arguments.threads = std::stoi(value);
    else if (key == "tune")
      arguments.tune = value;
    else if (key == "plan")
      arguments.plan = value;
    else if (key == "without")
      arguments.without.insert(value);
    else if (word == "check")
      arguments.check = true;
    else if (word == "table")
      arguments.table = true;
    else if (word == "text")
      arguments.text = true;
    else if (word == "serve")
      arguments.serve = true;
    else
      arguments.model = word;
  }
  return arguments;
}

// Optimises and lowers in place.
Status prepare(Model& model, const Arguments& arguments) {
  const TypeInferer& types = onnx_type_inferer();
  Interpreter interpreter(expand_function);
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, arguments.shapes));
  PipelineOptions options;
  options.pass.dialect = Dialect::kPlan;
  auto report = optimise(model, options, types, interpreter);
  if (!report.ok()) return std::move(report).error();
  PassContext context{types, interpreter, options.pass};
  for (const Pass& pass : lowering_passes()) {
    if (arguments.without.contains(std::string(pass.name))) continue;
    EDGEWRIGHT_ASSIGN(const bool changed, pass.run(*model.graph, context));
    if (changed) model.graph->remove_dead();
    for (const std::string& broken : violations(*model.graph)) return internal_error("{}", broken);
  }
  return {};
}

Result<std::vector<Datum>> made_up_inputs(const Graph& graph, const Arguments& arguments) {
  std::vector<Datum> inputs;
  uint32_t state = 1;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    const auto dims = input->type.shape ? known_dims(*input->type.shape) : std::nullopt;
    if (!dims) return usage_error("input '{}' has an open shape: give shape:", input->name);
    EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(input->type.dtype, *dims));
    const auto fill = arguments.fills.find(input->name);
    for (int64_t i = 0; i < tensor.element_count(); ++i) {
      state = state * 1664525 + 1013904223;
      double number = static_cast<double>(state >> 8) / (1 << 23) - 1.0;
      if (fill != arguments.fills.end()) number = fill->second;
      if (tensor.dtype() == DType::kFloat32) {
        tensor.mutable_data<float>()[i] = static_cast<float>(number);
      } else if (tensor.dtype() == DType::kInt64) {
        tensor.mutable_data<int64_t>()[i] =
            fill == arguments.fills.end() ? i % 7 : static_cast<int64_t>(number);
      }
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

double relative_l2(const Tensor& found, const Tensor& expected) {
  const auto a = found.to_doubles(), b = expected.to_doubles();
  if (!a.ok() || !b.ok() || a->size() != b->size()) return -1;
  double difference = 0, total = 1e-30;
  for (size_t i = 0; i < a->size(); ++i) {
    difference += ((*a)[i] - (*b)[i]) * ((*a)[i] - (*b)[i]);
    total += (*b)[i] * (*b)[i];
  }
  return std::sqrt(difference / total);
}

Status check(const Graph& original, std::span<const Datum> inputs, Session& session) {
  std::vector<Datum> all;
  size_t next = 0;
  for (const Value* input : original.inputs()) {
    all.push_back(input->is_constant() ? Datum() : inputs[next++]);
  }
  EDGEWRIGHT_ASSIGN(const auto expected, Interpreter(expand_function).run(original, all));
  EDGEWRIGHT_ASSIGN(const auto found, session.run(inputs));
  for (size_t i = 0; i < found.size(); ++i) {
    std::printf("output %s: relative L2 %.3g\n", session.outputs()[i].name.c_str(),
                relative_l2(found[i].tensor(), expected[i].tensor()));
  }
  return {};
}

Status print_table(Session& session, std::span<const Datum> inputs) {
  const Plan& plan = session.plan();
  std::vector<std::vector<double>> times(plan.steps.size());
  std::vector<std::chrono::steady_clock::time_point> moments;
  RunHooks hooks;
  hooks.moments = &moments;
  for (int i = 0; i < 50; ++i) {
    moments.clear();
    EDGEWRIGHT_TRY([&]() -> Status {
      auto outputs = session.run(inputs, &hooks);
      return outputs.ok() ? Status() : std::move(outputs).error();
    }());
    for (size_t step = 0; step + 1 < moments.size(); ++step) {
      const std::chrono::duration<double, std::micro> took = moments[step + 1] - moments[step];
      times[step].push_back(took.count());
    }
  }
  std::map<std::string, double> sums;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    std::ranges::nth_element(times[i], times[i].begin() + 25);
    const std::string how = step.implementation ? std::string(step.implementation->name)
                            : step.reference    ? "reference " + step.op
                                                : step.op;
    sums[how] += times[i][25];
    std::string shapes;
    for (const auto* list : {&step.inputs, &step.outputs}) {
      shapes += list == &step.outputs ? " ->" : "";
      for (const int32_t value : *list) {
        if (value < 0) continue;
        const PlanValue& v = plan.values[static_cast<size_t>(value)];
        shapes += " " + dims_text(v.dims) + (v.layout == Layout::kPlain ? "" : "b");
      }
    }
    std::printf("%9.2f us  %-34s%s  %s\n", times[i][25], how.c_str(), shapes.c_str(),
                step.attributes.get_string("program", step.attributes.get_string("activation", ""))
                    .c_str());
  }
  std::vector<std::pair<double, std::string>> order;
  order.reserve(sums.size());
  for (const auto& [how, time] : sums) order.emplace_back(-time, how);
  std::ranges::sort(order);
  for (const auto& [time, how] : order) std::printf("%9.2f us in all: %s\n", -time, how.c_str());
  return {};
}

Result<std::vector<double>> time_runs(Session& session, std::span<const Datum> inputs, int runs) {
  std::vector<double> times_us;
  for (int i = 0; i < runs; ++i) {
    const auto start = Clock::now();
    auto outputs = session.run(inputs);
    if (!outputs.ok()) return std::move(outputs).error();
    times_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  return times_us;
}

// "run N" on a line is answered with N times in microseconds on a line.
Status serve(Session& session, std::span<const Datum> inputs) {
  std::printf("ready\n");
  std::fflush(stdout);
  std::string word;
  for (int runs = 0; std::cin >> word >> runs;) {
    EDGEWRIGHT_ASSIGN(const auto times_us, time_runs(session, inputs, runs));
    for (const double time : times_us) std::printf("%.3f ", time);
    std::printf("\n");
    std::fflush(stdout);
  }
  return {};
}

Status print_summary(Session& session, std::span<const Datum> inputs) {
  EDGEWRIGHT_ASSIGN(auto times_us, time_runs(session, inputs, 200));
  std::ranges::sort(times_us);
  const SessionFigures& figures = session.figures();
  std::printf(
      "median %.1f us, min %.1f us; load %.0f us, first %.0f us; arena %zu, live %zu (%.3f)\n",
      times_us[100], times_us[0], figures.load_us, figures.first_inference_us, figures.arena_bytes,
      figures.live_set_bytes,
      static_cast<double>(figures.arena_bytes) /
          static_cast<double>(std::max<size_t>(figures.live_set_bytes, 1)));
  return {};
}

Result<std::unique_ptr<Session>> open_plan(Model& model, const Arguments& arguments) {
  TimingCache cache(arguments.tune);
  Autotuner tuner(cache);
  CompileOptions options;
  options.threads = arguments.threads;
  options.expander = expand_function;
  if (!arguments.tune.empty()) options.chooser = &tuner;
  EDGEWRIGHT_ASSIGN(auto plan, compile(*model.graph, options));
  EDGEWRIGHT_TRY(cache.save());
  if (!arguments.plan.empty()) {
    EDGEWRIGHT_TRY(write_plan(*plan, arguments.plan));
    SessionOptions session;
    session.threads = arguments.threads;
    const auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(plan, read_plan(arguments.plan));
    std::printf("opened the plan file in %.0f us\n",
                std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  SessionOptions session;
  session.threads = arguments.threads;
  return Session::open(std::move(plan), session);
}

Status run(const Arguments& arguments) {
  EDGEWRIGHT_ASSIGN(Model model, import_onnx(arguments.model));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, arguments.shapes));
  EDGEWRIGHT_TRY(onnx_type_inferer().infer(*model.graph));
  const auto original = clone(*model.graph);
  EDGEWRIGHT_TRY(prepare(model, arguments));
  EDGEWRIGHT_ASSIGN(const auto inputs, made_up_inputs(*model.graph, arguments));
  if (arguments.text) {
    TextOptions text;
    text.elide_large_constants = true;
    std::printf("%s\n", print(*model.graph, text).c_str());
  }
  EDGEWRIGHT_ASSIGN(auto session, open_plan(model, arguments));
  if (arguments.check) EDGEWRIGHT_TRY(check(*original, inputs, *session));
  if (arguments.table) EDGEWRIGHT_TRY(print_table(*session, inputs));
  if (arguments.serve) return serve(*session, inputs);
  return print_summary(*session, inputs);
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  const auto status = edgewright::run(edgewright::parse_arguments(argc, argv));
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.error().message.c_str());
  return static_cast<int>(status.error().kind);
}
