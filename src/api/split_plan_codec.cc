#include "api/split_plan_codec.h"

#include "api/cut_model.h"
#include "api/wire_accuracy.h"

namespace edgewright {
namespace {

constexpr double kDefaultFloor = 0.99;
constexpr size_t kSamples = 100;
constexpr double kEnoughUs = 5e6;

// The problem with every float that is sent in the form.
SplitProblem sent_as(const SplitSubject& subject, WireForm form, bool also_input) {
  SplitProblem problem = subject.problem;
  for (SplitTensor& tensor : problem.tensors) {
    if (tensor.producer == 0 && !also_input) continue;
    const Value* value = subject.model ? subject.model->graph->find_value(tensor.name) : nullptr;
    if (value != nullptr && value->type.dtype != DType::kFloat32) continue;
    tensor.size_bytes *= wire_bits(form) / 32.0;
  }
  return problem;
}

Result<WireAccuracy> measured_at(const SplitOptions& options, const std::string& cut,
                                 WireForm form) {
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

Status measure(const SplitOptions& options, const SplitSubject& subject, WireForm form,
               double floor, SplitCodecFigures& row) {
  if (row.cut == "output" || form == WireForm::kPlain) {
    row.agreement = 1;
    return {};
  }
  // A model that is only known by its shape has no answers.
  if (!subject.model || subject.problem.tiers() > 2) return {};
  EDGEWRIGHT_ASSIGN(const WireAccuracy accuracy, measured_at(options, row.cut, form));
  row.agreement = accuracy.agreement;
  row.relative_l2 = accuracy.relative_l2;
  row.output_relative_l2 = accuracy.output_relative_l2;
  row.samples = accuracy.samples;
  row.keeps_floor = accuracy.agreement >= floor;
  return {};
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
  std::vector<WireForm> forms = {WireForm::kPlain};
  for (const std::string& name : options.codecs) {
    EDGEWRIGHT_ASSIGN(forms.emplace_back(), parse_wire_form(name));
  }
  std::optional<SplitProblem> best;
  double best_us = 0;
  for (const WireForm form : forms) {
    SplitProblem problem = sent_as(subject, form, options.input_as == "tensor");
    EDGEWRIGHT_ASSIGN(const SplitChoice choice, choose_split(problem, goal));
    SplitCodecFigures& row = report.codecs.emplace_back();
    row.codec = form == WireForm::kPlain ? "none" : std::string(wire_form_name(form));
    row.cut = choice.best.cut;
    row.latency_us = choice.best.cost.latency_us;
    row.sent_bytes = choice.best.cost.sent_bytes.at(0);
    EDGEWRIGHT_TRY(measure(options, subject, form, floor, row));
    const double found_us = objective_us(goal.objective, choice.best.cost);
    if (!row.keeps_floor || (best && found_us >= best_us)) continue;
    best = std::move(problem);
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
