#include "profile/language_times.h"

#include <algorithm>
#include <chrono>

#include "llm/sampler.h"
#include "profile/step_times.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

std::vector<int> prompt_of(const LanguageTimeOptions& options, int vocabulary) {
  std::vector<int> tokens;
  tokens.reserve(static_cast<size_t>(options.prompt_tokens));
  for (int i = 0; i < options.prompt_tokens; ++i) {
    tokens.push_back(
        static_cast<int>(uniform(options.seed, static_cast<uint64_t>(i), 1) * vocabulary));
  }
  return tokens;
}

// Runs one request; with `calls`, times its parts.
class Request {
 public:
  Request(Decoder& decoder, KvCache& cache, const LanguageTimeOptions& options)
      : decoder_(decoder),
        sequence_(cache),
        options_(options),
        logits_(static_cast<size_t>(decoder.config().vocabulary)) {}

  Result<double> run(std::vector<CallTimes>* calls) {
    const int length = options_.prompt_tokens + options_.new_tokens;
    if (length > decoder_.config().context || !sequence_.reserve(length)) {
      return usage_error("{} tokens of prompt and {} new ones do not fit the context of {}",
                         options_.prompt_tokens, options_.new_tokens, decoder_.config().context);
    }
    std::vector<int> tokens = prompt_of(options_, decoder_.config().vocabulary);
    calls_ = calls;
    begin_ = Clock::now();
    call(tokens, true);
    for (int i = 0; i < options_.new_tokens; ++i) {
      tokens = {likeliest_};
      call(tokens, false);
    }
    return microseconds(begin_, Clock::now());
  }

 private:
  void call(const std::vector<int>& tokens, bool is_prefill) {
    if (calls_ != nullptr) {
      last_us_ = microseconds(begin_, Clock::now());
      const LanguageCall call{is_prefill, static_cast<int>(tokens.size()), sequence_.length()};
      calls_->push_back({call, last_us_, 0, {}});
      decoder_.set_part_observer([this](std::string_view part, int layer) { done(part, layer); });
    }
    const DecoderRun run{&sequence_, tokens, 1};
    decoder_.run({&run, 1}, is_prefill ? language::Phase::kPrefill : language::Phase::kDecode,
                 logits_);
    likeliest_ = likeliest(logits_);
    if (calls_ == nullptr) return;
    done("sampling", -1);
    decoder_.set_part_observer(nullptr);
    calls_->back().time_us = last_us_ - calls_->back().start_us;
  }

  void done(std::string_view part, int layer) {
    const double now_us = microseconds(begin_, Clock::now());
    calls_->back().parts.push_back({part, layer, last_us_, now_us - last_us_});
    last_us_ = now_us;
  }

  Decoder& decoder_;
  SequenceCache sequence_;
  const LanguageTimeOptions& options_;
  std::vector<float> logits_;
  std::vector<CallTimes>* calls_ = nullptr;
  Clock::time_point begin_;
  double last_us_ = 0;
  int likeliest_ = 0;
};

// Means over some requests, which have the same calls.
std::vector<CallTimes> mean_calls(const std::vector<std::vector<CallTimes>>& requests,
                                  const std::vector<size_t>& chosen) {
  std::vector<CallTimes> mean = requests[chosen.front()];
  const auto average = [&](const auto& value) {
    return mean_of(chosen, [&](size_t request) { return value(requests[request]); });
  };
  for (size_t c = 0; c < mean.size(); ++c) {
    mean[c].start_us = average([&](const auto& calls) { return calls[c].start_us; });
    mean[c].time_us = average([&](const auto& calls) { return calls[c].time_us; });
    for (size_t p = 0; p < mean[c].parts.size(); ++p) {
      PartTime& part = mean[c].parts[p];
      part.start_us = average([&](const auto& calls) { return calls[c].parts[p].start_us; });
      part.time_us = average([&](const auto& calls) { return calls[c].parts[p].time_us; });
    }
  }
  return mean;
}

}  // namespace

Result<LanguageTimes> measure_language(Decoder& decoder, KvCache& cache,
                                       const LanguageTimeOptions& options) {
  LanguageTimes times;
  EDGEWRIGHT_ASSIGN(times.first_us, Request(decoder, cache, options).run(nullptr));
  std::vector<double> plain, profiled;
  std::vector<std::vector<CallTimes>> requests;
  const auto begin = Clock::now();
  const double limit_us = options.seconds * 1e6;
  while (times.pairs < options.min_pairs ||
         (times.pairs < options.max_pairs && microseconds(begin, Clock::now()) < limit_us)) {
    EDGEWRIGHT_ASSIGN(const double wall_us, Request(decoder, cache, options).run(nullptr));
    plain.push_back(wall_us);
    requests.emplace_back();
    EDGEWRIGHT_ASSIGN(const double timed_us,
                      Request(decoder, cache, options).run(&requests.back()));
    profiled.push_back(timed_us);
    ++times.pairs;
    if (options.progress) {
      options.progress("profile", static_cast<size_t>(microseconds(begin, Clock::now())),
                       static_cast<size_t>(limit_us));
    }
  }
  const auto quiet = quiet_runs(profiled);
  times.calls = mean_calls(requests, quiet);
  times.profiled_wall_us = mean_at(quiet, profiled);
  times.wall_us = mean_at(quiet_runs(plain), plain);
  times.wall_spread = (quantile(plain, 0.9) - quantile(plain, 0.1)) / times.wall_us;
  times.wall_samples_us.assign(plain.begin(), plain.end());
  return times;
}

Result<std::vector<CallTimes>> timed_request(Decoder& decoder, KvCache& cache,
                                             const LanguageTimeOptions& options) {
  std::vector<CallTimes> calls;
  EDGEWRIGHT_TRY(Request(decoder, cache, options).run(&calls));
  return calls;
}

}  // namespace edgewright
