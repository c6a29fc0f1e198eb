#include <algorithm>
#include <cmath>
#include <set>

#include "api/server_connection.h"
#include "api/server_half.h"
#include "api/split_parts.h"
#include "api/split_run_policy.h"
#include "api/split_run_privacy.h"
#include "edgewright/serve.h"
#include "power/early_stopping.h"
#include "serve/link_probe.h"
#include "serve/protocol/datatype.h"

namespace edgewright {
namespace {

// Each takes memory for three plans; more than these would seldom be taken.
constexpr size_t kMostCuts = 8;
constexpr double kSetUpUs = 30e6;  // that a question before the run may take

double at_share(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return at_share(values, 0.5);
}

// A cut by name, the model that the server has for it, and those for forms of the activations.
struct CutNames {
  std::string cut, model;
  std::vector<std::pair<SentForm, std::string>> variants;
};

// What is sealed travels as bytes of our own, also where no codec was asked for.
Result<std::vector<SentForm>> forms_of(const SplitRunOptions& options) {
  const bool is_sealed = !options.privacy.sealed.empty();
  std::vector<SentForm> forms;
  for (const std::string& name : options.codecs) {
    EDGEWRIGHT_ASSIGN(const SentForm form, parse_sent_form(name));
    if (!is_sealed || form.is_coded()) {
      forms.push_back(form);
      continue;
    }
    EDGEWRIGHT_ASSIGN(const ActivationCodec codec, parse_codec(name));
    forms.push_back({WireForm::kCoded, codec});
  }
  if (forms.empty() && is_sealed) forms.push_back({WireForm::kCoded, {}});
  return forms;
}

CutNames names_of(const std::string& cut, const HalfNames& names,
                  const std::vector<SentForm>& forms, const std::set<std::string>* ready) {
  CutNames found{cut, names.at(cut), {}};
  for (const SentForm& form : forms) {
    const std::string model = names.at(cut, form.form);
    if (ready == nullptr || ready->contains(model)) found.variants.emplace_back(form, model);
  }
  return found;
}

Result<std::vector<CutNames>> cuts_of_server(InferenceClient& client, const HalfNames& names,
                                             const std::vector<std::string>& layers,
                                             const SplitRunOptions& options) {
  EDGEWRIGHT_ASSIGN(const auto forms, forms_of(options));
  auto listed = client.ready_models(deadline_in(kSetUpUs));
  if (!listed.ok()) {
    if (!options.cut.empty()) return std::vector{names_of(options.cut, names, forms, nullptr)};
    return std::move(listed).error().at(
        "without a list of the server's models a cut must be "
        "named with --cut");
  }
  const std::set<std::string> ready(listed->begin(), listed->end());
  if (!options.cut.empty()) return std::vector{names_of(options.cut, names, forms, &ready)};
  std::vector<CutNames> cuts;
  for (const std::string& layer : layers) {
    if (ready.contains(names.at(layer)) && cuts.size() < kMostCuts) {
      cuts.push_back(names_of(layer, names, forms, &ready));
    }
  }
  if (cuts.empty()) {
    return unsupported(
        "the server has none of the halves {}* of this model; write them with split plan "
        "--output and put them into its repository",
        names.prefix());
  }
  return cuts;
}

// The server's half must take what the device's half sends: name, type and shape.
Status check_half(InferenceClient& client, const RunnableCut& cut) {
  EDGEWRIGHT_ASSIGN(const oip::ModelMetadata metadata,
                    client.model(cut.server_model, "", deadline_in(kSetUpUs)));
  EDGEWRIGHT_ASSIGN(const oip::InferRequest request, request_for(cut, cut.sample, true));
  for (const auto& [name, tensor, parameters, binary] : request.inputs) {
    const std::string_view datatype = oip::datatype_name(tensor.dtype());
    const auto it = std::ranges::find(metadata.inputs, name, &oip::TensorMetadata::name);
    if (it == metadata.inputs.end()) {
      return unsupported(
          "{}: the server's half takes no input '{}'; it is of another cut or "
          "version of the model",
          cut.server_model, name);
    }
    bool fits = it->datatype == datatype && it->shape.size() == tensor.dims().size();
    for (size_t i = 0; fits && i < it->shape.size(); ++i) {
      fits = it->shape[i] < 0 || it->shape[i] == tensor.dims()[i];
    }
    if (!fits) {
      return unsupported("{}: input '{}' is {} [{}] at the server and {} [{}] here",
                         cut.server_model, name, it->datatype, fmt::join(it->shape, ","), datatype,
                         fmt::join(tensor.dims(), ","));
    }
  }
  return {};
}

// Everything that is ready before the first request.
struct Ready {
  RunPrivacy privacy;
  std::unique_ptr<SplitParts> parts;
  CutSamples samples;
  LinkEstimate link;
  RunnerOptions runner;
  std::string server;
  std::vector<std::string> warnings;
};

// The forms in which the server takes the activations of the cut that was added last.
Status add_variants(InferenceClient& client, const SplitRunOptions& options, const CutNames& names,
                    Ready& ready) {
  for (const auto& [form, model] : names.variants) {
    auto sender =
        form.is_coded() ? std::make_shared<CodedSender>(form.codec, ready.privacy.seal()) : nullptr;
    EDGEWRIGHT_ASSIGN(const bool is_kept,
                      ready.parts->add_variant(form, std::move(sender), model, ready.samples.inputs,
                                               options.floor));
    if (!is_kept) {
      ready.warnings.push_back(
          fmt::format("{} after {} keeps fewer than {:g} % of the top answers and is not used",
                      sent_form_name(form), names.cut, 100 * options.floor));
      continue;
    }
    const auto& cuts = ready.parts->cuts();
    EDGEWRIGHT_TRY(check_half(client, cuts[cuts.size() - 2]));
  }
  return {};
}

Status protect(const SplitRunOptions& options, Ready& ready) {
  EDGEWRIGHT_TRY(ready.privacy.check(ready.parts->cuts().back()));
  if (!ready.privacy.has_noise()) return {};
  EDGEWRIGHT_TRY(ready.parts->set_noise(
      [&ready](const RunnableCut& cut, std::span<const NamedTensors> sent) {
        return ready.privacy.noise_for(cut, sent);
      },
      ready.samples.inputs));
  const WireAccuracy& accuracy = ready.parts->accuracies().back();
  if (accuracy.samples > 0 && accuracy.agreement < options.floor) {
    ready.warnings.push_back(fmt::format("after {} the noise leaves {:.1f} % of the top answers",
                                         ready.parts->cuts().back().cut, 100 * accuracy.agreement));
  }
  return {};
}

// Where values are sealed only the forms that seal them may be used.
Status drop_unsealed(const CutNames& names, Ready& ready) {
  if (!ready.privacy.has_seal()) return {};
  if (names.variants.empty()) {
    return unsupported(
        "the server has no half that opens sealed activations after {}; write it with split plan "
        "--codec fp32+zstd -o and serve it with edgewright",
        names.cut);
  }
  ready.parts->drop_plain();
  return {};
}

Status add_cuts(InferenceClient& client, const SplitRunOptions& options, Ready& ready) {
  const NamedValues& first = ready.samples.inputs[0];
  if (options.cut != "output") {
    EDGEWRIGHT_ASSIGN(const HalfNames names, HalfNames::of(options.model));
    EDGEWRIGHT_ASSIGN(const auto cuts,
                      cuts_of_server(client, names, ready.parts->layers(), options));
    for (const CutNames& cut : cuts) {
      EDGEWRIGHT_TRY(ready.parts->add_cut(cut.cut, cut.model, first));
      EDGEWRIGHT_TRY(check_half(client, ready.parts->cuts().back()));
      EDGEWRIGHT_TRY(protect(options, ready));
      EDGEWRIGHT_TRY(add_variants(client, options, cut, ready));
      EDGEWRIGHT_TRY(drop_unsealed(cut, ready));
    }
  }
  if (options.fallback || options.cut == "output") {
    EDGEWRIGHT_TRY(ready.parts->add_cut("output", "", first));
  }
  return {};
}

// A cut that was asked for is kept to, in the form that is quickest on the link as it is.
void fix_cut(const SplitRunOptions& options, Ready& ready) {
  const auto& cuts = ready.parts->cuts();
  if (options.cut.empty()) return;
  size_t best = cuts.size();
  for (size_t i = 0; i < cuts.size(); ++i) {
    if (cuts[i].cut != options.cut) continue;
    if (best == cuts.size() || goal_us(ready.runner.goal, cuts[i].times, ready.link) <
                                   goal_us(ready.runner.goal, cuts[best].times, ready.link)) {
      best = i;
    }
  }
  ready.runner.fixed_cut = best;
}

// So many under way that the slowest step never waits; two where answers one by one are wanted.
void fix_in_flight(const SplitRunOptions& options, Ready& ready) {
  constexpr size_t kPlain = 2, kMost = 16;
  size_t wanted = kPlain;
  if (ready.runner.goal == CutGoal::kThroughput) {
    for (const RunnableCut& cut : ready.parts->cuts()) {
      const double steps =
          latency_us(cut.times, ready.link) / std::max(1.0, bottleneck_us(cut.times, ready.link));
      wanted = std::max(wanted, static_cast<size_t>(std::ceil(steps)) + 1);
    }
  }
  ready.runner.schedule.in_flight =
      options.in_flight > 0 ? static_cast<size_t>(options.in_flight) : std::min(wanted, kMost);
}

// How long the idle server takes for its half: what an exchange takes beyond the link.
Status measure_server(InferenceClient& client, Ready& ready) {
  constexpr int kRepeats = 7;
  for (RunnableCut& cut : ready.parts->cuts()) {
    if (cut.times.is_local) continue;
    std::vector<double> times;
    for (int i = 0; i < kRepeats; ++i) {
      EDGEWRIGHT_ASSIGN(oip::InferRequest request,
                        request_for(cut, cut.sample, ready.runner.binary));
      RemoteAnswer answer = client.infer(request, deadline_in(kSetUpUs));
      // A server without the extension for binary data gets numbers as text.
      if (!answer.ok() && answer.outcome == RemoteOutcome::kRefused && ready.runner.binary) {
        ready.runner.binary = false;
        EDGEWRIGHT_ASSIGN(request, request_for(cut, cut.sample, false));
        answer = client.infer(request, deadline_in(kSetUpUs));
      }
      if (!answer.ok()) return check_failed("{}", answer.message);
      times.push_back(answer.elapsed_us);
      cut.times.result_bytes = 0;
      for (const auto& output : answer.response.outputs) {
        cut.times.result_bytes += static_cast<double>(output.tensor.size_bytes());
      }
    }
    cut.times.server_us = 0;
    // The first one warms the server up.
    times.erase(times.begin());
    cut.times.server_us = std::max(1.0, median(times) - exchange_us(cut.times, ready.link));
  }
  return {};
}

Result<LinkEstimate> measure_link(InferenceClient& client, const SplitRunOptions& options) {
  constexpr size_t kRepeats = 7, kLargestBytes = 1 << 20;
  const auto deadline = deadline_in(kSetUpUs);
  LinkProbe probe(client, deadline);
  EDGEWRIGHT_ASSIGN(const LinkMeasurement found,
                    probe.measure(kRepeats, kLargestBytes, options.seed, deadline));
  // So quick that nothing can be told counts as 10 Gbit/s.
  constexpr double kMost = 10000;
  LinkEstimate link;
  link.uplink_mbit_s = std::min(kMost, found.uplink.mbit_s.value);
  link.downlink_mbit_s = std::min(
      kMost, found.downlink_mbit_s ? found.downlink_mbit_s->value : found.uplink.mbit_s.value);
  link.round_trip_us = found.round_trip_us.value;
  return link;
}

Result<Ready> make_ready(const SplitRunOptions& options, const ServerConnection& server) {
  Ready ready;
  EDGEWRIGHT_ASSIGN(ready.privacy, RunPrivacy::of(options.privacy));
  EDGEWRIGHT_ASSIGN(ready.runner.goal, cut_goal(options.choice));
  const bool also_rest = options.fallback || !options.codecs.empty() || ready.privacy.has_noise() ||
                         ready.privacy.has_seal();
  EDGEWRIGHT_ASSIGN(ready.parts,
                    SplitParts::open(options.model, {options.shapes, options.threads, also_rest}));
  EDGEWRIGHT_ASSIGN(ready.samples,
                    input_samples(ready.parts->inputs(), ready.parts->input_dims(), options.data,
                                  static_cast<size_t>(options.requests), options.seed));
  ready.runner.seed = options.seed;
  ready.runner.schedule.has_fallback = options.fallback;
  EDGEWRIGHT_ASSIGN(const auto client, server.open());
  if (options.cut == "output") {
    ready.link = {1, 1, 1, 1};
    EDGEWRIGHT_TRY(add_cuts(*client, options, ready));
    fix_cut(options, ready);
    fix_in_flight(options, ready);
    return ready;
  }
  EDGEWRIGHT_ASSIGN(const auto facts, client->server(deadline_in(kSetUpUs)));
  ready.server = facts.name + " " + facts.version;
  EDGEWRIGHT_TRY(add_cuts(*client, options, ready));
  if (ready.privacy.has_noise() || ready.privacy.has_seal()) {
    EDGEWRIGHT_TRY(ready.parts->hide_samples(options.seed));
  }
  EDGEWRIGHT_ASSIGN(ready.link, measure_link(*client, options));
  EDGEWRIGHT_TRY(measure_server(*client, ready));
  fix_cut(options, ready);
  fix_in_flight(options, ready);
  std::vector<ReadyCut> cuts;
  for (const RunnableCut& cut : ready.parts->cuts()) cuts.push_back(cut.times);
  EDGEWRIGHT_ASSIGN(ready.runner.ways, way_choice(options, cuts));
  return ready;
}

void count_answers(const RunnerResult& result, SplitRunReport& report) {
  std::set<std::string> failures;
  for (const SplitAnswer& answer : result.answers) {
    report.answered_by_server += answer.by == AnsweredBy::kServer ? 1 : 0;
    report.answered_by_device += answer.by == AnsweredBy::kDevice ? 1 : 0;
    report.resumed_on_device += answer.by == AnsweredBy::kDeviceAfterServer ? 1 : 0;
    report.failed += answer.by == AnsweredBy::kNobody ? 1 : 0;
    report.late += answer.is_late ? 1 : 0;
    report.retried += answer.attempts > 1 ? answer.attempts - 1 : 0;
    constexpr size_t kMostFailures = 10;
    if (!answer.failure.empty() && failures.size() < kMostFailures) failures.insert(answer.failure);
  }
  report.failures.assign(failures.begin(), failures.end());
  report.dropped_answers = static_cast<int64_t>(result.dropped_answers);
  report.passed = report.failed == 0 && report.late == 0;
}

const char* who(AnsweredBy by) {
  switch (by) {
    case AnsweredBy::kNobody: return "nobody";
    case AnsweredBy::kDevice: return "device";
    case AnsweredBy::kServer: return "server";
    case AnsweredBy::kDeviceAfterServer: return "resumed";
  }
  return "";
}

void fill_timeline(const RunnerResult& result, SplitRunReport& report) {
  constexpr size_t kMostRows = 10000;
  for (const SplitAnswer& answer : result.answers) {
    if (report.timeline.size() == kMostRows) return;
    report.timeline.push_back({answer.arrived_us / 1e3, answer.latency_us / 1e3, who(answer.by)});
  }
}

std::string codec_text(const RunnableCut& cut) { return sent_form_name(cut.form); }

void fill_times(const RunnerResult& result, double total_us, const Ready& ready,
                SplitRunReport& report) {
  std::vector<double> latencies;
  std::vector<std::vector<double>> by_cut(ready.parts->cuts().size());
  for (const SplitAnswer& answer : result.answers) {
    if (answer.by == AnsweredBy::kNobody) continue;
    latencies.push_back(answer.latency_us);
    if (answer.by != AnsweredBy::kDeviceAfterServer) {
      by_cut[answer.cut].push_back(answer.latency_us);
    }
  }
  std::ranges::sort(latencies);
  report.latency_us = at_share(latencies, 0.5);
  report.p90_us = claimed_latency(latencies, 0.9);
  report.p99_us = claimed_latency(latencies, 0.99);
  report.throughput_per_s = static_cast<double>(latencies.size()) / total_us * 1e6;
  for (size_t i = 0; i < by_cut.size(); ++i) {
    const RunnableCut& cut = ready.parts->cuts()[i];
    SplitRunCut& row = report.cuts.emplace_back();
    row.cut = cut.cut;
    row.codec = codec_text(cut);
    const WireAccuracy& accuracy = ready.parts->accuracies()[i];
    row.agreement = accuracy.agreement;
    row.relative_l2 = accuracy.relative_l2;
    row.output_relative_l2 = accuracy.output_relative_l2;
    row.measured_samples = accuracy.samples;
    row.server_model = cut.server_model;
    row.device_us = cut.times.device_us;
    row.rest_us = cut.times.rest_us;
    row.server_us = cut.times.server_us;
    row.sent_bytes = cut.times.sent_bytes;
    row.result_bytes = cut.times.result_bytes;
    row.planned_us = latency_us(cut.times, ready.link);
    row.planned_per_s = 1e6 / std::max(1.0, bottleneck_us(cut.times, ready.link));
    row.requests = std::ssize(by_cut[i]);
    if (!by_cut[i].empty()) row.measured_us = median(by_cut[i]);
  }
  report.uplink_mbit_s = result.link.uplink_mbit_s;
  report.downlink_mbit_s = result.link.downlink_mbit_s;
  report.round_trip_ms = result.link.round_trip_us / 1e3;
  report.server_slowdown = result.link.server_slowdown;
}

void fill_accuracy(const RunnerResult& result, const CutSamples& samples, SplitRunReport& report) {
  if (samples.labels.empty()) return;
  double right = 0;
  for (size_t i = 0; i < result.answers.size(); ++i) {
    for (const auto& [name, tensor] : result.answers[i].outputs) {
      if (tensor.dtype() != DType::kFloat32 || tensor.element_count() == 0) continue;
      const auto values = tensor.elements<float>();
      const auto top = std::ranges::max_element(values) - values.begin();
      right += top == samples.labels[i % samples.labels.size()] ? 1 : 0;
      break;
    }
  }
  report.accuracy = right / static_cast<double>(result.answers.size());
}

Status write_outputs(const NamedValues& outputs, const std::string& folder,
                     SplitRunReport& report) {
  if (folder.empty()) return {};
  for (const auto& [name, tensor] : outputs) {
    EDGEWRIGHT_ASSIGN(const std::string file, save_output(folder, name, tensor));
    report.outputs.push_back({name, std::string(dtype_name(tensor.dtype())), file, tensor.dims()});
  }
  return {};
}

Status check(const SplitRunOptions& options) {
  if (options.requests < 1 || options.requests > 1000000 || !(options.interval_ms >= 0) ||
      !(options.deadline_ms > 0) || options.in_flight < 0 || options.in_flight > 64 ||
      !(options.floor >= 0) || options.floor > 1) {
    return usage_error(
        "found {} requests every {} ms with deadlines of {} ms and {} in flight; expected 1 to "
        "1000000 requests, deadlines above 0, at most 64 in flight, and a floor of 0 to 1",
        options.requests, options.interval_ms, options.deadline_ms, options.in_flight);
  }
  return {};
}

}  // namespace

Result<SplitRunReport> run_split(const SplitRunOptions& options) {
  EDGEWRIGHT_TRY(check(options));
  EDGEWRIGHT_ASSIGN(const ServerConnection server, ServerConnection::of(options.server));
  EDGEWRIGHT_ASSIGN(Ready ready, make_ready(options, server));
  const auto& cuts = ready.parts->cuts();
  if (ready.privacy.has_noise()) {
    ready.runner.guard = [&ready](const RunnableCut& cut, const NamedValues& values) {
      return ready.privacy.guard(cut, values);
    };
  }
  SplitRunner runner(
      *ready.parts, cuts, [&server] { return server.open(); }, ready.link, ready.runner);
  if (options.progress) options.progress("ready");
  const auto start = std::chrono::steady_clock::now();
  EDGEWRIGHT_ASSIGN(const RunnerResult result,
                    runner.run(static_cast<size_t>(options.requests), 1e3 * options.interval_ms,
                               1e3 * options.deadline_ms, [&ready](size_t request) -> NamedValues {
                                 return ready.samples.inputs[request % ready.samples.inputs.size()];
                               }));
  const double total_us =
      std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  SplitRunReport report;
  report.server = ready.server;
  report.requests = options.requests;
  const RunnableCut& last = cuts[result.answers.back().cut];
  report.cut = last.cut;
  report.codec = codec_text(last);
  report.warnings = ready.warnings;
  count_answers(result, report);
  fill_times(result, total_us, ready, report);
  fill_timeline(result, report);
  fill_accuracy(result, ready.samples, report);
  for (const RunnerEvent& event : result.events) {
    report.events.push_back({event.time_us / 1e3, event.what, event.from, event.to, event.why});
  }
  if (ready.privacy.has_noise()) {
    report.privacy = ready.privacy.report();
    report.privacy->kept_here = static_cast<int64_t>(result.kept_here);
  }
  EDGEWRIGHT_TRY(keep_ways(options.choice, ready.runner.ways.get(), report));
  if (!ready.runner.binary) {
    report.warnings.emplace_back("the server takes no binary tensors; numbers travel as text");
  }
  EDGEWRIGHT_TRY(write_outputs(result.answers.back().outputs, options.output, report));
  return report;
}

}  // namespace edgewright
