#include "api/verify.h"

#include <algorithm>
#include <filesystem>

#include "api/engine.h"
#include "api/open_backend.h"
#include "api/subjects.h"
#include "edgewright/profile.h"
#include "formats/npy/npy.h"
#include "graph/fix_shapes.h"
#include "runtime/plan_file.h"
#include "verify/adversarial.h"
#include "verify/bisect.h"
#include "verify/pareto.h"
#include "verify/task.h"

namespace edgewright {
namespace {

constexpr size_t kLayerSamples = 8;
constexpr int kDirections = 4;
constexpr double kParetoSeconds = 0.3;

MomentSummary summarise(const Moments& moments) {
  return {moments.mean(), moments.variance(), moments.skewness(), moments.kurtosis()};
}

ValueDifference describe(const NamedDifference& entry, const Tolerance& tolerance, bool details) {
  ValueDifference value{entry.name,
                        entry.difference.relative_l2,
                        entry.difference.max_abs,
                        entry.difference.cosine,
                        entry.problem,
                        entry.problem.empty() && tolerance.accepts(entry.difference)};
  if (!details || !entry.problem.empty()) return value;
  const DistributionShift& shift = entry.shift;
  const auto list = [](const auto& array) {
    return std::vector<double>(array.begin(), array.end());
  };
  value.distribution = {summarise(shift.reference),
                        summarise(shift.candidate),
                        list(DistributionShift::kQuantiles),
                        list(shift.reference_quantiles),
                        list(shift.candidate_quantiles),
                        shift.kl,
                        shift.js,
                        shift.wasserstein_1};
  const ErrorProfile& errors = entry.errors;
  value.errors = {errors.exact        ? "exact"
                  : errors.systematic ? "systematic bias"
                                      : "random error",
                  errors.mean,
                  errors.mean_square,
                  errors.bias_share,
                  errors.low,
                  errors.high,
                  {errors.histogram.begin(), errors.histogram.end()}};
  return value;
}

// One of the two models: a graph, a plan, or recorded outputs.
struct Side {
  std::unique_ptr<Graph> graph;  // of an ONNX model
  NamedTensors recorded;
  std::unique_ptr<Graph> ports;  // inputs only, where there is no graph
  std::unique_ptr<Subject> exact, quick;

  bool is_recorded() const { return interface() == nullptr; }
  const Graph* interface() const { return graph ? graph.get() : ports.get(); }
};

Result<std::unique_ptr<Subject>> open_session_subject(const Graph& graph,
                                                      const InferenceOptions& session) {
  EDGEWRIGHT_ASSIGN(auto opened, open_backend(clone(graph), session));
  std::unique_ptr<Subject> subject = std::make_unique<BackendSubject>(std::move(opened));
  return subject;
}

Result<std::unique_ptr<Subject>> open_subject(const Graph& graph, const std::string& backend,
                                              const VerifyOptions& options) {
  InferenceOptions session;
  session.threads = options.threads;
  session.optimise = false;
  session.backend = backend;
  session.openvino_library = options.openvino_library;
  EDGEWRIGHT_ASSIGN(auto subject, open_session_subject(graph, session));
  if (backend == "openvino") {
    const auto open = [session](const Graph& shown) {
      return open_session_subject(shown, session);
    };
    subject = std::make_unique<ShownValuesSubject>(std::move(subject), clone(graph), open);
  }
  return std::unique_ptr<Subject>(
      std::make_unique<RealValuesSubject>(std::move(subject), rounded_values(graph)));
}

Result<Side> open_plan_side(const std::string& path, const std::string& backend,
                            const VerifyOptions& options) {
  // The reference kernels, on which references run where nothing else was asked for, run no plans.
  if (backend != "native" && backend != "reference") {
    return usage_error("{} is a plan of the native backend; '{}' cannot run it", path, backend);
  }
  EDGEWRIGHT_ASSIGN(auto plan, read_plan(path));
  RoundedValues rounded = rounded_values(*plan);
  SessionOptions session;
  session.threads = options.threads;
  OpenedModel opened;
  EDGEWRIGHT_ASSIGN(opened.session, open_plan(std::move(plan), session));
  Side side;
  side.ports = std::make_unique<Graph>();
  for (const auto& port : opened->inputs()) side.ports->add_input(port.name, port.type);
  side.exact = std::make_unique<RealValuesSubject>(
      std::make_unique<BackendSubject>(std::move(opened)), std::move(rounded));
  return side;
}

Result<Side> open_side(const std::string& path, const std::string& backend,
                       const VerifyOptions& options) {
  Side side;
  if (path.ends_with(".npz")) {
    EDGEWRIGHT_ASSIGN(side.recorded, read_npz(path));
    return side;
  }
  if (path.ends_with(".ewplan")) return open_plan_side(path, backend, options);
  EDGEWRIGHT_ASSIGN(Model model, load_model(path));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, options.shapes));
  EDGEWRIGHT_ASSIGN(side.exact, open_subject(*model.graph, backend, options));
  side.graph = std::move(model.graph);
  return side;
}

class Verification {
 public:
  Verification(Side reference, Side candidate, const VerifyOptions& options)
      : options_(options), reference_(std::move(reference)), candidate_(std::move(candidate)) {}

  Result<VerifyReport> run() {
    EDGEWRIGHT_TRY(load_samples());
    EDGEWRIGHT_TRY(bind_recorded(reference_, candidate_));
    EDGEWRIGHT_TRY(bind_recorded(candidate_, reference_));
    EDGEWRIGHT_TRY(compare_samples());
    if (options_.boundary) EDGEWRIGHT_TRY(add_boundary());
    if (options_.derivatives) EDGEWRIGHT_TRY(add_derivatives());
    if (options_.bisect) EDGEWRIGHT_TRY(add_bisection());
    return std::move(report_);
  }

 private:
  Status load_samples() {
    interface_ =
        reference_.interface() != nullptr ? reference_.interface() : candidate_.interface();
    if (interface_ == nullptr) return bind_two_recordings();
    if (!options_.data.empty()) {
      EDGEWRIGHT_ASSIGN(data_, read_samples(*interface_, options_.data, options_.samples));
    } else {
      EDGEWRIGHT_ASSIGN(data_.samples, seeded_samples(*interface_, options_));
    }
    return {};
  }

  // Two recordings: the arrays that both have are the outputs; of the data only labels count.
  Status bind_two_recordings() {
    std::vector<std::string> names;
    for (const auto& [name, array] : reference_.recorded) {
      if (candidate_.recorded.contains(name)) names.push_back(name);
    }
    if (names.empty()) return bad_input("the two recordings have no array of the same name");
    // A task is judged by the first output: scores have fewer axes than the images before them.
    std::ranges::stable_sort(
        names, {}, [&](const std::string& name) { return reference_.recorded.at(name).rank(); });
    std::vector<int64_t> counts;
    for (Side* side : {&reference_, &candidate_}) {
      EDGEWRIGHT_ASSIGN(auto subject, RecordedSubject::create(std::move(side->recorded), names));
      counts.push_back(subject.samples());
      side->exact = std::make_unique<RecordedSubject>(std::move(subject));
    }
    if (counts[0] != counts[1]) {
      return bad_input("{} and {} samples were recorded, expected as many", counts[0], counts[1]);
    }
    const int64_t count =
        options_.samples > 0 ? std::min<int64_t>(options_.samples, counts[0]) : counts[0];
    data_.samples.resize(static_cast<size_t>(count));
    if (options_.data.empty()) return {};
    EDGEWRIGHT_ASSIGN(data_.labels, read_sample_labels(options_.data, count));
    return {};
  }

  // Recorded arrays are told apart as outputs and inner values by the names of the other side.
  Status bind_recorded(Side& side, const Side& other) {
    if (!side.is_recorded() || side.exact != nullptr) return {};
    EDGEWRIGHT_ASSIGN(auto subject, RecordedSubject::create(std::move(side.recorded),
                                                            other.exact->output_names()));
    const auto recorded = static_cast<size_t>(subject.samples());
    if (recorded < data_.samples.size()) {
      return bad_input("{} samples were recorded, the data have {}; see --samples", recorded,
                       data_.samples.size());
    }
    side.exact = std::make_unique<RecordedSubject>(std::move(subject));
    return {};
  }

  Status compare_samples() {
    CompareOptions options = compare_options(options_);
    options.distributions = true;
    options.progress = options_.progress;
    options.layer_samples = kLayerSamples;
    std::unique_ptr<TaskScorer> scorer;
    if (data_.labels) {
      EDGEWRIGHT_ASSIGN(scorer, make_task_scorer(*data_.labels, reference_.exact->output_names()));
      options.on_outputs = [&](size_t index, std::span<const Datum> expected,
                               std::span<const Datum> found) -> Status {
        EDGEWRIGHT_ASSIGN(const Tensor label,
                          slice_sample(*data_.labels, static_cast<int64_t>(index), false));
        return scorer->add(expected, found, label);
      };
    }
    // Reference kernels are slow; beyond the samples whose layers are watched the native engine,
    // which those samples have just vouched for, runs the reference as well.
    const bool long_work =
        data_.samples.size() > kLayerSamples || options_.boundary || options_.derivatives;
    if (long_work && reference_.graph && options_.reference_backend == "reference") {
      EDGEWRIGHT_ASSIGN(reference_.quick, open_subject(*reference_.graph, "native", options_));
    }
    WatchedSubject left(*reference_.exact, quickest(reference_));
    EDGEWRIGHT_ASSIGN(const Comparison comparison,
                      compare(left, *candidate_.exact, data_.samples, options));
    add_comparison(comparison, options, report_);
    report_.layer_samples = static_cast<int64_t>(std::min(kLayerSamples, data_.samples.size()));
    report_.decided_by = "differences";
    if (scorer) add_task(scorer->finish(options_.max_loss));
    return {};
  }

  void add_task(const TaskResult& task) {
    report_.decided_by = "task";
    report_.passed = std::ranges::all_of(
        report_.outputs, [](const ValueDifference& output) { return output.problem.empty(); });
    for (const TaskMetric& metric : task.metrics) {
      report_.task.push_back({metric.name, metric.reference, metric.candidate, metric.loss,
                              metric.p_value, metric.relative, metric.passed});
      report_.passed = report_.passed && metric.passed;
    }
    if (!task.metrics.empty() && task.metrics.front().name == "top1") {
      report_.agreement = task.agreement;
    }
    report_.reference_confusion = task.reference_confusion;
    report_.candidate_confusion = task.candidate_confusion;
  }

  static Subject& quickest(Side& side) { return side.quick ? *side.quick : *side.exact; }

  // Where a task decides, differences on made-up inputs are told and not judged.
  void judge(bool passed) {
    report_.passed = report_.passed && (passed || report_.decided_by == "task");
  }

  Status both_must_run(std::string_view what) const {
    if (!reference_.is_recorded() && !candidate_.is_recorded()) return {};
    return usage_error("{} needs two models that can run, found recorded outputs", what);
  }

  Status add_boundary() {
    EDGEWRIGHT_TRY(both_must_run("--boundary"));
    CompareOptions outputs_only = compare_options(options_);
    outputs_only.layers = false;
    for (const InputKind kind : kBoundaryKinds) {
      EDGEWRIGHT_ASSIGN(auto sample, sample_of_kind(*interface_, options_, kind, options_.seed));
      EDGEWRIGHT_ASSIGN(const Comparison comparison, compare(*reference_.exact, *candidate_.exact,
                                                             {std::move(sample)}, outputs_only));
      double worst = 0;
      for (const auto& output : comparison.outputs) {
        worst = std::max(worst, output.difference.relative_l2);
      }
      report_.boundary.emplace_back(input_kind_name(kind), worst);
      judge(!is_finite_kind(kind) || comparison.passed);
    }
    AdversarialOptions adversarial;
    adversarial.seed = options_.seed;
    EDGEWRIGHT_ASSIGN(const auto found, search_adversarial(*reference_.exact, *candidate_.exact,
                                                           data_.samples.front(), adversarial));
    report_.boundary.emplace_back("adversarial", found.relative_l2);
    report_.passed = report_.passed &&
                     (found.relative_l2 <= options_.relative_l2 || report_.decided_by == "task");
    std::ranges::stable_sort(report_.boundary, std::greater(),
                             &std::pair<std::string, double>::second);
    return {};
  }

  Status add_derivatives() {
    EDGEWRIGHT_TRY(both_must_run("--derivatives"));
    EDGEWRIGHT_ASSIGN(const Difference difference,
                      compare_derivatives(quickest(reference_), *candidate_.exact,
                                          data_.samples.front(), kDirections, options_.seed));
    report_.derivative_relative_l2 = difference.relative_l2;
    return {};
  }

  Status add_bisection() {
    if (!reference_.graph || !candidate_.graph) {
      return usage_error("--bisect exchanges layers between two graphs; give two ONNX models");
    }
    const GraphRunner runner = [this](std::unique_ptr<Graph> graph, const Sample& inputs) {
      return run_graph(std::move(graph), inputs);
    };
    BisectOptions options;
    options.tolerance = {options_.relative_l2, options_.max_abs};
    options.progress = options_.progress;
    EDGEWRIGHT_ASSIGN(const BisectResult found, bisect(*reference_.graph, *candidate_.graph,
                                                       data_.samples.front(), runner, options));
    BisectReport& report = report_.bisect.emplace();
    for (const BisectedLayer& layer : found.layers) {
      report.layers.push_back({layer.name, layer.node, layer.op, layer.local.relative_l2});
    }
    report.layers_compared = found.layers_compared;
    report.model_runs = found.model_runs;
    report.restored = found.restored;
    return {};
  }

  Result<std::vector<Datum>> run_graph(std::unique_ptr<Graph> graph, const Sample& inputs) const {
    EDGEWRIGHT_ASSIGN(auto subject, open_subject(*graph, options_.candidate_backend, options_));
    return subject->run(inputs, nullptr);
  }

  const VerifyOptions& options_;
  Side reference_, candidate_;
  const Graph* interface_ = nullptr;
  LabelledSamples data_;
  VerifyReport report_;
};

Result<VerifyReport> verify_pair(const std::string& reference, const std::string& candidate,
                                 const VerifyOptions& options) {
  EDGEWRIGHT_ASSIGN(Side left, open_side(reference, options.reference_backend, options));
  EDGEWRIGHT_ASSIGN(Side right, open_side(candidate, options.candidate_backend, options));
  return Verification(std::move(left), std::move(right), options).run();
}

// What a candidate costs: its time, its size and its error.
Result<TradeOffPoint> weigh(const std::string& file, const VerifyReport& report,
                            const VerifyOptions& options) {
  BenchOptions bench_options;
  bench_options.session.threads = options.threads;
  bench_options.session.shapes = options.shapes;
  bench_options.seconds = kParetoSeconds;
  EDGEWRIGHT_ASSIGN(const BenchReport measured, bench(file, bench_options));
  TradeOffPoint point;
  point.file = file;
  point.latency_us = measured.latency_us.median;
  std::error_code error;
  point.size_bytes = static_cast<int64_t>(std::filesystem::file_size(file, error));
  if (!report.task.empty()) {
    point.error = std::max(0.0, report.task.front().loss);
  } else {
    for (const ValueDifference& output : report.outputs) {
      point.error = std::max(point.error, output.relative_l2);
    }
  }
  return point;
}

Status add_pareto(const std::string& reference, const std::string& candidate,
                  const VerifyOptions& options, VerifyReport& report) {
  EDGEWRIGHT_ASSIGN(TradeOffPoint first, weigh(candidate, report, options));
  report.pareto.push_back(std::move(first));
  VerifyOptions others = options;
  others.boundary = others.derivatives = others.bisect = false;
  for (const std::string& file : options.pareto) {
    EDGEWRIGHT_ASSIGN(const VerifyReport other, verify_pair(reference, file, others));
    EDGEWRIGHT_ASSIGN(TradeOffPoint point, weigh(file, other, options));
    report.pareto.push_back(std::move(point));
  }
  std::vector<Costs> costs;
  costs.reserve(report.pareto.size());
  for (const TradeOffPoint& point : report.pareto) {
    costs.push_back({point.latency_us, static_cast<double>(point.size_bytes), point.error});
  }
  const auto front = pareto_front(costs);
  for (const size_t index : front) report.pareto[index].on_front = true;
  report.pareto[knee_point(costs, front)].knee = true;
  return {};
}

}  // namespace

CompareOptions compare_options(const VerifyOptions& options) {
  CompareOptions result;
  result.tolerance = {options.relative_l2, options.max_abs};
  result.layer_tolerance = {options.relative_l2 * 10, options.max_abs * 10};
  result.layers = options.layers;
  return result;
}

void add_comparison(const Comparison& comparison, const CompareOptions& options,
                    VerifyReport& report) {
  for (const auto& entry : comparison.outputs) {
    report.outputs.push_back(describe(entry, options.tolerance, options.distributions));
  }
  for (const auto& entry : comparison.layers) {
    report.layers.push_back(describe(entry, options.layer_tolerance, options.distributions));
  }
  report.first_divergence = comparison.first_divergence;
  report.samples = static_cast<int64_t>(comparison.samples);
  report.passed = comparison.passed;
}

Result<VerifyReport> verify(const std::string& reference, const std::string& candidate,
                            const VerifyOptions& options) {
  EDGEWRIGHT_ASSIGN(VerifyReport report, verify_pair(reference, candidate, options));
  if (!options.pareto.empty()) {
    EDGEWRIGHT_TRY(add_pareto(reference, candidate, options, report));
  }
  return report;
}

}  // namespace edgewright
