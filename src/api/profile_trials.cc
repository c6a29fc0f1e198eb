#include "api/profile_trials.h"

#include <algorithm>
#include <chrono>

#include "api/engine.h"
#include "api/open_backend.h"
#include "api/session_inputs.h"
#include "profile/batch_model.h"
#include "profile/scaling.h"
#include "profile/step_times.h"

namespace edgewright {
namespace {

// Operators that take less are taken to scale like their kind.
constexpr double kTriedShare = 0.002;

// The shapes of all inputs with another batch. kUnsupported when an input's first dimension is not
// open.
Result<InputShapes> batch_shapes(const std::string& path, const ProfileOptions& options,
                                 int64_t batch) {
  EDGEWRIGHT_ASSIGN(const Model model, load_model(path));
  InputShapes shapes = options.session.shapes;
  std::string symbol;
  for (const Value* input : model.graph->inputs()) {
    if (input->is_constant() || !input->type.shape || input->type.shape->empty()) continue;
    const Shape& shape = *input->type.shape;
    if (shape[0].is_known() || (!symbol.empty() && shape[0].symbol != symbol)) {
      return unsupported("input '{}' has shape {}: its first dimension is no open batch",
                         input->name, shape_text(shape));
    }
    symbol = shape[0].symbol;
    auto given = shapes.find(input->name);
    if (given == shapes.end()) {
      Dims dims;
      dims.reserve(shape.size());
      for (const Dim& dim : shape) dims.push_back(dim.is_known() ? dim.value : 1);
      given = shapes.emplace(input->name, std::move(dims)).first;
    }
    given->second[0] = batch;
  }
  return shapes;
}

struct TrialRun {
  double wall_us = 0;
  int64_t arena_bytes = 0;
};

// Rounds of a trial: both sides run in each, for so long.
constexpr int kTrialRounds = 10;

double trial_round_us(Session& session, const std::vector<Datum>& inputs, double seconds,
                      Status& status) {
  std::vector<double> walls;
  const auto begin = std::chrono::steady_clock::now();
  do {
    const auto start = std::chrono::steady_clock::now();
    if (auto outputs = session.run(inputs); !outputs.ok()) status = std::move(outputs).error();
    walls.push_back(microseconds(start, std::chrono::steady_clock::now()));
  } while (status.ok() && microseconds(begin, std::chrono::steady_clock::now()) < seconds * 1e6);
  return quantile(std::move(walls), 0.5);
}

// The wall time of the model with other shapes or threads. It runs in turn with the model as it is,
// and the middle of the ratios counts: a machine that changes its pace changes it for both.
Result<TrialRun> try_run(const std::string& path, const ProfileOptions& options,
                         const InferenceOptions& session_options, const TrialBase& base) {
  EDGEWRIGHT_ASSIGN(auto opened, open_session(path, session_options));
  EDGEWRIGHT_ASSIGN(const auto inputs,
                    session_inputs(opened.session->inputs(), {}, session_options, options.seed));
  const double round_s = options.seconds / 4 / kTrialRounds;
  Status status;
  std::vector<double> ratios;
  // The first round warms up.
  for (int round = 0; round <= kTrialRounds && status.ok(); ++round) {
    const double base_us = trial_round_us(*base.session, *base.inputs, round_s, status);
    const double trial_us = trial_round_us(*opened.session, inputs, round_s, status);
    if (round > 0) ratios.push_back(trial_us / base_us);
  }
  EDGEWRIGHT_TRY(status);
  return TrialRun{base.wall_us * quantile(std::move(ratios), 0.5),
                  static_cast<int64_t>(opened.session->figures().arena_bytes)};
}

Result<BatchPoint> measure_batch(const std::string& path, const ProfileOptions& options,
                                 int64_t batch, const TrialBase& base) {
  InferenceOptions session = options.session;
  EDGEWRIGHT_ASSIGN(session.shapes, batch_shapes(path, options, batch));
  EDGEWRIGHT_ASSIGN(const TrialRun run, try_run(path, options, session, base));
  return BatchPoint{batch, run.wall_us, run.arena_bytes};
}

// Sizes between those asked for that are measured because the model finds them best.
constexpr int kMostChecked = 4;

}  // namespace

Status measure_batches(const std::string& path, const ProfileOptions& options,
                       const TrialBase& base, ProfileReport& report) {
  std::vector<BatchPoint> points;
  for (const int64_t batch : options.batches) {
    if (options.progress) options.progress("batches", points.size(), options.batches.size());
    EDGEWRIGHT_ASSIGN(const BatchPoint point, measure_batch(path, options, batch, base));
    points.push_back(point);
  }
  EDGEWRIGHT_ASSIGN(BatchModel model, BatchModel::fit(points));
  BatchGoal goal;
  goal.latency_cost = options.latency_cost;
  goal.throughput_cost = options.throughput_cost;
  goal.memory_limit_bytes = options.memory_limit_bytes;
  const auto is_measured = [&](int64_t batch) {
    return std::ranges::find(points, batch, &BatchPoint::batch) != points.end();
  };
  // Kernels take rows in blocks, which a straight line between two sizes does not know: what it
  // finds best is measured, until the best is one that was.
  for (int i = 0; i < kMostChecked && !is_measured(model.best(goal)); ++i) {
    EDGEWRIGHT_ASSIGN(const BatchPoint point, measure_batch(path, options, model.best(goal), base));
    points.push_back(point);
    EDGEWRIGHT_ASSIGN(model, BatchModel::fit(points));
  }
  report.best_batch = model.best(goal);
  const int64_t largest = std::ranges::max(points, {}, &BatchPoint::batch).batch;
  for (int64_t batch = 1; batch <= largest; ++batch) {
    report.batches.push_back({batch, model.latency_us(batch), is_measured(batch),
                              model.efficiency(batch), model.cost(batch, goal),
                              model.memory_bytes(batch), padding_share(options.lengths, batch)});
  }
  return {};
}

namespace {

constexpr int64_t kTrialBatch = 8;

struct AppliedStep {
  const char* name;
  const char* why;
  Change change;
};

}  // namespace

Status apply_advice(const std::string& path, const ProfileOptions& options, const Roofs& roofs,
                    const TrialBase& base, ProfileReport& report) {
  const Plan& plan = base.session->plan();
  const AppliedStep steps[] = {
      {"all threads", "the same inference on every core", {roofs.cores, 1}},
      {"batch of 8, per sample", "samples share weights and launches", {0, kTrialBatch}},
  };
  for (const AppliedStep& step : steps) {
    if (step.change.threads > 0 && step.change.threads <= options.session.threads) continue;
    InferenceOptions session = options.session;
    if (step.change.threads > 0) session.threads = step.change.threads;
    if (step.change.batch > 1) {
      auto shapes = batch_shapes(path, options, step.change.batch);
      if (!shapes.ok()) {
        report.warnings.push_back(
            fmt::format("'{}' was not tried: {}", step.name, shapes.error().message));
        continue;
      }
      session.shapes = *std::move(shapes);
    }
    EDGEWRIGHT_ASSIGN(
        const double predicted,
        predict_change(plan, report.operators, report.overhead_us, step.change, kTriedShare));
    EDGEWRIGHT_ASSIGN(const TrialRun run, try_run(path, options, session, base));
    const auto per = static_cast<double>(step.change.batch);
    AdviceRow row;
    row.opportunity = step.name;
    row.why = step.why;
    row.share = 1;
    row.predicted_us = predicted / per;
    row.speedup = report.wall_us / row.predicted_us;
    row.command = step.change.threads > 0 ? fmt::format("--threads {}", step.change.threads)
                                          : "--shape with 8 in front";
    row.applied = true;
    row.achieved_us = run.wall_us / per;
    report.advice.push_back(std::move(row));
  }
  return {};
}

}  // namespace edgewright
