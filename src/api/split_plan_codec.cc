#include "api/split_plan_codec.h"

#include <algorithm>

#include "api/cut_model.h"
#include "api/wire_accuracy.h"

namespace edgewright {
namespace {

constexpr double kDefaultFloor = 0.99;
constexpr size_t kSamples = 100;
constexpr double kEnoughUs = 5e6;

// The problem with every float that is sent taking this share of its bytes.
SplitProblem sent_as(const SplitSubject& subject, double share, bool also_input) {
  SplitProblem problem = subject.problem;
  for (SplitTensor& tensor : problem.tensors) {
    if (tensor.producer == 0 && !also_input) continue;
    const Value* value = subject.model ? subject.model->graph->find_value(tensor.name) : nullptr;
    if (value != nullptr && value->type.dtype != DType::kFloat32) continue;
    tensor.size_bytes *= share;
  }
  return problem;
}

Result<WireAccuracy> measured_at(const SplitOptions& options, const std::string& cut,
                                 const SentForm& form) {
  EDGEWRIGHT_ASSIGN(CutModel model, CutModel::open(options.model, options.shapes, cut, 1));
  EDGEWRIGHT_ASSIGN(const CutSamples samples,
                    cut_samples(model, options.data, kSamples, options.seed));
  std::vector<NamedTensors> sent;
  for (const TensorMap& inputs : samples.inputs) {
    EDGEWRIGHT_ASSIGN(sent.emplace_back(), model.run_device(inputs));
  }
  return wire_accuracy(
      form, sent, [&model](const NamedTensors& values) { return model.run_server(values); },
      kEnoughUs);
}

bool can_be_measured(const SplitSubject& subject, const std::string& cut, const SentForm& form) {
  // A model that is only known by its shape has no answers.
  return cut != "output" && form.form != WireForm::kPlain && subject.model &&
         subject.problem.tiers() == 2;
}

// The best cut with a form, and what the form does there. The share of bytes that a code leaves is
// known only where it was measured: it is taken to be the same everywhere, and measured anew at the
// cut that comes out of that, until it stays.
struct FormPlan {
  SplitProblem problem;
  SplitChoice choice;
  std::optional<WireAccuracy> accuracy;
};
Result<FormPlan> plan_form(const SplitOptions& options, const SplitGoal& goal,
                           const SplitSubject& subject, const SentForm& form) {
  constexpr int kMostRounds = 4;
  const bool also_input = options.input_as == "tensor";
  double share = wire_bits(form.form) / 32.0;
  std::string measured;
  FormPlan plan;
  for (int round = 0; round < kMostRounds; ++round) {
    plan.problem = sent_as(subject, share, also_input);
    EDGEWRIGHT_ASSIGN(plan.choice, choose_split(plan.problem, goal));
    const std::string& cut = plan.choice.best.cut;
    if (!can_be_measured(subject, cut, form)) {
      plan.accuracy.reset();
      return plan;
    }
    if (cut == measured) return plan;
    EDGEWRIGHT_ASSIGN(plan.accuracy, measured_at(options, cut, form));
    measured = cut;
    if (!form.is_coded()) return plan;
    share = plan.accuracy->sent_bytes / std::max(1.0, plan.accuracy->plain_bytes);
  }
  return plan;
}

SplitCodecFigures row_of(const FormPlan& plan, const SentForm& form, double floor) {
  SplitCodecFigures row;
  row.codec = sent_form_name(form);
  row.cut = plan.choice.best.cut;
  row.latency_us = plan.choice.best.cost.latency_us;
  row.sent_bytes = plan.choice.best.cost.sent_bytes.at(0);
  if (row.cut == "output" || form.form == WireForm::kPlain) row.agreement = 1;
  if (!plan.accuracy) return row;
  row.agreement = plan.accuracy->agreement;
  row.relative_l2 = plan.accuracy->relative_l2;
  row.output_relative_l2 = plan.accuracy->output_relative_l2;
  row.samples = plan.accuracy->samples;
  row.keeps_floor = plan.accuracy->agreement >= floor;
  return row;
}

}  // namespace

Status choose_sent_form(const SplitOptions& options, const SplitGoal& goal, SplitSubject& subject,
                        SplitReport& report) {
  if (options.codecs.empty()) return {};
  if (options.sent_bits > 0) {
    return usage_error("found codecs and a number of bits, expected one of them");
  }
  const auto limit = options.limits.find("agreement");
  const double floor = limit == options.limits.end() ? kDefaultFloor : limit->second;
  std::vector<SentForm> forms(1);
  for (const std::string& name : options.codecs) {
    EDGEWRIGHT_ASSIGN(forms.emplace_back(), parse_sent_form(name));
  }
  std::optional<SplitProblem> best;
  double best_us = 0;
  for (const SentForm& form : forms) {
    EDGEWRIGHT_ASSIGN(FormPlan plan, plan_form(options, goal, subject, form));
    const SplitCodecFigures& row = report.codecs.emplace_back(row_of(plan, form, floor));
    const double found_us = objective_us(goal.objective, plan.choice.best.cost);
    if (!row.keeps_floor || (best && found_us >= best_us)) continue;
    best = std::move(plan.problem);
    best_us = found_us;
    report.codec = row.codec;
  }
  if (best) subject.problem = *std::move(best);
  subject.assumptions.push_back(fmt::format(
      "activations sent as {} (best of those that keep {:g} % of the top answers; coding takes no "
      "time)",
      report.codec == "none" ? "float32" : report.codec, 100 * floor));
  if (!subject.model) {
    report.warnings.emplace_back(
        "what codecs do to the answers was not measured: it takes a model");
  } else if (options.data.empty()) {
    report.warnings.emplace_back(
        "codecs were measured on random inputs; real ones may fare better or worse, see --data");
  }
  return {};
}

}  // namespace edgewright
