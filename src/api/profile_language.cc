#include "api/profile_language.h"

#include <chrono>
#include <cmath>

#include "api/host_roofs.h"
#include "api/language_open.h"
#include "base/cpu.h"
#include "edgewright/language.h"
#include "profile/advice.h"
#include "profile/analysis.h"
#include "profile/language_analysis.h"
#include "profile/thread_tracks.h"
#include "profile/timeline.h"

namespace edgewright {
namespace {

constexpr double kLargestUnattributed = 0.02;

Status check(const ProfileOptions& options) {
  if (options.device.empty() && !options.confirm && !options.apply && options.batches.empty()) {
    return {};
  }
  return unsupported(
      "--device, --confirm, --apply and --batches work on graphs: profile the model's ONNX form");
}

void add_times(const LanguageTimes& times, ProfileReport& report) {
  report.runs = times.pairs;
  report.wall_us = times.wall_us;
  report.wall_spread = times.wall_spread;
  report.wall_samples_us = times.wall_samples_us;
  report.profiled_wall_us = times.profiled_wall_us;
  report.first_inference_us = times.first_us;
  for (const ProfiledOperator& op : report.operators) {
    report.operators_us += op.time_us;
    report.predicted_us += op.predicted_us;
    report.multiply_adds += op.multiply_adds;
    report.flops += op.flops;
  }
  report.unattributed_us = report.wall_us - report.operators_us;
  if (std::abs(report.unattributed_us) > kLargestUnattributed * report.wall_us) {
    report.warnings.push_back(
        fmt::format("{:.1f} % of the time is not accounted for: the machine was busy",
                    report.unattributed_us / report.wall_us * 100));
  }
}

void add_phases(const LanguageTimes& times, ProfileReport& report) {
  report.phases = {{"load", report.load_us, 0, 1}};
  double sampling = 0;
  for (size_t i = 0; i < times.calls.size(); ++i) {
    const CallTimes& call = times.calls[i];
    report.phases.push_back({call.call.is_prefill ? "prefill" : fmt::format("decode {}", i),
                             call.time_us, call.time_us / report.wall_us, 1});
    if (!call.parts.empty()) sampling += call.parts.back().time_us;
  }
  report.phases.push_back({"choosing tokens (in the above)", sampling, sampling / report.wall_us,
                           static_cast<int64_t>(times.calls.size())});
}

// What bounds each phase, by its own operators.
std::string verdict(const ProfileReport& report) {
  std::string text;
  for (const char* phase : {"prefill", "decode"}) {
    ProfileReport part;
    for (const ProfiledOperator& op : report.operators) {
      if (op.phase == phase) part.operators.push_back(op);
    }
    add_shares(part.operators);
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", phase, verdict_of(part));
  }
  return text;
}

void add_memory(const PackedModel& model, const KvCache& cache, ProfileReport& report) {
  report.parameter_bytes = model.weight_bytes();
  report.peak_step = "decode";
  report.peak_holders = {
      {"weights", "the model", model.weight_bytes()},
      {"keys and values", "the request", static_cast<int64_t>(cache.held_bytes())}};
  for (const MemoryHolder& holder : report.peak_holders) report.peak_bytes += holder.size_bytes;
}

Status add_threads(Decoder& decoder, KvCache& cache, const LanguageTimeOptions& options,
                   ProfileReport& report) {
  const PoolTrace trace;
  const auto begin = PoolTrace::Clock::now();
  EDGEWRIGHT_ASSIGN(const auto calls, timed_request(decoder, cache, options));
  std::vector<TrackSlice> parts;
  for (const CallTimes& call : calls) {
    for (const PartTime& part : call.parts) {
      parts.push_back(
          {std::string(part.part), std::string(part.part), part.start_us, part.time_us});
    }
  }
  for (ProfileTrack& track : worker_tracks(trace.slices(), begin, parts)) {
    report.tracks.push_back(std::move(track));
  }
  return {};
}

}  // namespace

Result<ProfileReport> profile_language_model(const std::string& path,
                                             const ProfileOptions& options) {
  EDGEWRIGHT_TRY(check(options));
  EDGEWRIGHT_ASSIGN(const Roofs roofs, host_roofs(options.roofs_cache));
  const Roofline roofline{&roofs, options.session.threads};
  ProfileReport report;
  report.model = path;
  report.device = roofs.device;
  report.cpu = host_cpu().model;
  report.threads = options.session.threads;
  ThreadPool pool(options.session.threads);
  LanguageOptions language;
  language.threads = options.session.threads;
  const auto start = std::chrono::steady_clock::now();
  EDGEWRIGHT_ASSIGN(PackedModel packed, open_packed_model(path, language, pool));
  const auto model = std::make_shared<const PackedModel>(std::move(packed));
  const auto load = std::chrono::steady_clock::now() - start;
  report.load_us = std::chrono::duration<double, std::micro>(load).count();
  Decoder decoder(model, pool);
  const int pages = (options.prompt_tokens + options.new_tokens) / kPageTokens + 1;
  KvCache cache(model->config, language::CacheType::kF16, pages);
  LanguageTimeOptions time_options;
  time_options.prompt_tokens = options.prompt_tokens;
  time_options.new_tokens = options.new_tokens;
  time_options.seconds = options.seconds;
  time_options.seed = options.seed;
  time_options.progress = options.progress;
  EDGEWRIGHT_ASSIGN(const LanguageTimes times, measure_language(decoder, cache, time_options));
  report.operators = analyse_language(*model, cache.shape(), roofline, times.calls);
  add_times(times, report);
  report.roofs = roof_figures(roofline);
  report.ridge = roofline.ridge(DType::kFloat32);
  report.by_kind = breakdown(report.operators, &ProfiledOperator::kind);
  report.by_role = breakdown(report.operators, &ProfiledOperator::role);
  report.by_part = by_part(report.operators);
  report.tracks = language_tracks(times.calls);
  if (report.threads > 1) EDGEWRIGHT_TRY(add_threads(decoder, cache, time_options, report));
  report.verdict = verdict(report);
  report.counters = "absent: not read for language models";
  add_memory(*model, cache, report);
  add_phases(times, report);
  report.advice = advise(report, roofs);
  EDGEWRIGHT_TRY(write_exports(options.exports, report));
  return report;
}

}  // namespace edgewright
