#include "api/profile_trials.h"

#include <algorithm>
#include <memory>

#include "api/engine.h"
#include "api/open_backend.h"
#include "api/session_inputs.h"
#include "kernels/probe/probe_kernels.h"
#include "profile/batch_model.h"
#include "profile/scaling.h"
#include "profile/turns.h"

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

// Each side of a trial runs for this share of the time, and for so many rounds at least.
constexpr double kTrialShare = 0.25;
constexpr int kTrialRounds = 10;

Turns::Run run_of(Session& session, const std::vector<Datum>& inputs) {
  return [&session, &inputs]() -> Status {
    EDGEWRIGHT_TRY(session.run(inputs));
    return {};
  };
}

// The model with other shapes or threads, open for as long as it takes its turns.
struct Contender {
  OpenedSession opened;
  std::vector<Datum> inputs;

  int64_t arena_bytes() const {
    return static_cast<int64_t>(opened.session->figures().arena_bytes);
  }
};

Result<std::unique_ptr<Contender>> open_contender(const std::string& path,
                                                  const ProfileOptions& options,
                                                  const InferenceOptions& session_options) {
  auto contender = std::make_unique<Contender>();
  EDGEWRIGHT_ASSIGN(contender->opened, open_session(path, session_options));
  EDGEWRIGHT_ASSIGN(contender->inputs, session_inputs(contender->opened.session->inputs(), {},
                                                      session_options, options.seed));
  return contender;
}

// The wall time of the model with other shapes or threads, beside that of the model as it is.
Result<double> try_run(const std::string& path, const ProfileOptions& options,
                       const InferenceOptions& session_options, const TrialBase& base) {
  EDGEWRIGHT_ASSIGN(const auto contender, open_contender(path, options, session_options));
  Turns turns;
  turns.add(run_of(*base.session, *base.inputs));
  turns.add(run_of(*contender->opened.session, contender->inputs));
  EDGEWRIGHT_TRY(turns.run_rounds(kTrialShare * options.seconds, kTrialRounds));
  const std::vector<double> typical = turns.typical_us();
  return base.wall_us * typical[1] / typical[0];
}

// The batch sizes that are measured, all in turn with each other and with the model as it is: two
// sizes next to each other differ by less than the machine changes between two measurements.
class BatchSweep {
 public:
  BatchSweep(const std::string& path, const ProfileOptions& options, const TrialBase& base)
      : path_(path), options_(options), base_(base) {
    turns_.add(run_of(*base.session, *base.inputs));
  }

  Status add(int64_t batch) {
    InferenceOptions session = options_.session;
    EDGEWRIGHT_ASSIGN(session.shapes, batch_shapes(path_, options_, batch));
    EDGEWRIGHT_ASSIGN(auto contender, open_contender(path_, options_, session));
    turns_.add(run_of(*contender->opened.session, contender->inputs));
    contenders_.emplace_back(batch, std::move(contender));
    return {};
  }
  // In parts, so that progress can be told.
  Status measure() {
    for (int part = 0; part < kTrialRounds; ++part) {
      if (options_.progress) options_.progress("batches", static_cast<size_t>(part), kTrialRounds);
      EDGEWRIGHT_TRY(turns_.run_rounds(kTrialShare * options_.seconds / kTrialRounds, 1));
    }
    return {};
  }
  bool has(int64_t batch) const {
    return std::ranges::find(contenders_, batch, &Entry::first) != contenders_.end();
  }
  Result<BatchModel> model() const {
    const std::vector<double> typical = turns_.typical_us();
    std::vector<BatchPoint> points;
    for (size_t i = 0; i < contenders_.size(); ++i) {
      const auto& [batch, contender] = contenders_[i];
      points.push_back(
          {batch, base_.wall_us * typical[i + 1] / typical[0], contender->arena_bytes()});
    }
    return BatchModel::fit(std::move(points));
  }

 private:
  using Entry = std::pair<int64_t, std::unique_ptr<Contender>>;

  const std::string& path_;
  const ProfileOptions& options_;
  const TrialBase& base_;
  Turns turns_;
  std::vector<Entry> contenders_;
};

// Sizes between those asked for that are measured because the model finds them best.
constexpr int kMostChecked = 4;

}  // namespace

Status check_batch_options(const ProfileOptions& options) {
  const bool weighs = options.latency_cost != 0 || options.throughput_cost != 1 ||
                      options.memory_limit_bytes != 0 || !options.lengths.empty();
  if (weighs && options.batches.empty()) {
    return usage_error(
        "costs, a memory limit and lengths are about batches: expected --batches 1,2,4 with them");
  }
  if (!(options.latency_cost >= 0) || !(options.throughput_cost >= 0) ||
      options.latency_cost + options.throughput_cost <= 0) {
    return usage_error("found batch costs {} and {}, expected none below zero and one above",
                       options.latency_cost, options.throughput_cost);
  }
  if (options.memory_limit_bytes < 0) {
    return usage_error("found a memory limit of {} bytes, expected more than zero",
                       options.memory_limit_bytes);
  }
  for (const int64_t length : options.lengths) {
    if (length < 1) return usage_error("found a length of {}, expected 1 or more", length);
  }
  return {};
}

Status measure_batches(const std::string& path, const ProfileOptions& options,
                       const TrialBase& base, ProfileReport& report) {
  BatchSweep sweep(path, options, base);
  for (const int64_t batch : options.batches) EDGEWRIGHT_TRY(sweep.add(batch));
  EDGEWRIGHT_TRY(sweep.measure());
  EDGEWRIGHT_ASSIGN(BatchModel model, sweep.model());
  BatchGoal goal;
  goal.latency_cost = options.latency_cost;
  goal.throughput_cost = options.throughput_cost;
  goal.memory_limit_bytes = options.memory_limit_bytes;
  goal.lengths = options.lengths;
  // Kernels take rows in blocks, which a straight line between two sizes does not know: what it
  // finds best is measured, until the best is one that was.
  for (int i = 0; i < kMostChecked && !sweep.has(model.best(goal)); ++i) {
    EDGEWRIGHT_TRY(sweep.add(model.best(goal)));
    EDGEWRIGHT_TRY(sweep.measure());
    EDGEWRIGHT_ASSIGN(model, sweep.model());
  }
  report.best_batch = model.best(goal);
  if (goal.memory_limit_bytes > 0 && model.memory_bytes(1) > goal.memory_limit_bytes) {
    report.warnings.push_back(fmt::format("no batch keeps to {} bytes: batch 1 takes {}",
                                          goal.memory_limit_bytes, model.memory_bytes(1)));
  }
  const int64_t largest = model.largest();
  for (int64_t batch = 1; batch <= largest; ++batch) {
    report.batches.push_back({batch, model.latency_us(batch), sweep.has(batch),
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
  const KnownRun known{report.operators,
                       report.overhead_us,
                       static_cast<double>(report.parameter_bytes),
                       static_cast<double>(report.arena_bytes),
                       base.pace,
                       base.pace_us};
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
        predict_change(plan, known, step.change, {probe_read, probe_write}, kTriedShare));
    EDGEWRIGHT_ASSIGN(const double achieved_us, try_run(path, options, session, base));
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
    row.achieved_us = achieved_us / per;
    report.advice.push_back(std::move(row));
  }
  return {};
}

}  // namespace edgewright
