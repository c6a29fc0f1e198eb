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

// What a request notes of itself while it runs: as little as can be, into memory that earlier
// requests have used, because what that takes is part of the time. (Lists that grew with every
// request cost 0.2 to 0.4 us a part, two to four hundredths of a small model's time.)
class Recording {
 public:
  void begin() {
    calls_.clear();
    moments_.clear();
    begin_ = Clock::now();
  }
  void call(const LanguageCall& call) { calls_.push_back({call, moments_.size()}); }
  void done(std::string_view part, int layer) { moments_.push_back({part, layer, Clock::now()}); }

  // The parts of each call, one after the other: every part begins where the one before ended.
  std::vector<CallTimes> times() const {
    std::vector<CallTimes> calls;
    double last_us = 0;
    for (size_t c = 0; c < calls_.size(); ++c) {
      const size_t end = c + 1 < calls_.size() ? calls_[c + 1].first_moment : moments_.size();
      CallTimes times{calls_[c].call, last_us, 0, {}};
      for (size_t i = calls_[c].first_moment; i < end; ++i) {
        const Moment& moment = moments_[i];
        const double now_us = microseconds(begin_, moment.time);
        times.parts.push_back({moment.part, moment.layer, last_us, now_us - last_us});
        last_us = now_us;
      }
      times.time_us = last_us - times.start_us;
      calls.push_back(std::move(times));
    }
    return calls;
  }

 private:
  struct Call {
    LanguageCall call;
    size_t first_moment = 0;
  };
  struct Moment {
    std::string_view part;
    int layer = -1;
    Clock::time_point time;
  };
  std::vector<Call> calls_;
  std::vector<Moment> moments_;
  Clock::time_point begin_;
};

enum class Watched { kCalls, kParts };

// Runs one request.
class Request {
 public:
  Request(Decoder& decoder, KvCache& cache, const LanguageTimeOptions& options)
      : decoder_(decoder),
        sequence_(cache),
        options_(options),
        logits_(static_cast<size_t>(decoder.config().vocabulary)) {}

  // Its calls; where only these are watched each has one part.
  Result<std::vector<CallTimes>> run(Watched watched, Recording& recording) {
    const int length = options_.prompt_tokens + options_.new_tokens;
    if (length > decoder_.config().context || !sequence_.reserve(length)) {
      return usage_error("{} tokens of prompt and {} new ones do not fit the context of {}",
                         options_.prompt_tokens, options_.new_tokens, decoder_.config().context);
    }
    std::vector<int> tokens = prompt_of(options_, decoder_.config().vocabulary);
    if (watched == Watched::kParts) {
      decoder_.set_part_observer(
          [&recording](std::string_view part, int layer) { recording.done(part, layer); });
    }
    recording.begin();
    call(tokens, true, recording);
    for (int i = 0; i < options_.new_tokens; ++i) {
      tokens = {likeliest_};
      call(tokens, false, recording);
    }
    decoder_.set_part_observer(nullptr);
    return recording.times();
  }

 private:
  void call(const std::vector<int>& tokens, bool is_prefill, Recording& recording) {
    recording.call({is_prefill, static_cast<int>(tokens.size()), sequence_.length()});
    const DecoderRun run{&sequence_, tokens, 1};
    decoder_.run({&run, 1}, is_prefill ? language::Phase::kPrefill : language::Phase::kDecode,
                 logits_);
    likeliest_ = likeliest(logits_);
    recording.done("sampling", -1);
  }

  Decoder& decoder_;
  SequenceCache sequence_;
  const LanguageTimeOptions& options_;
  std::vector<float> logits_;
  int likeliest_ = 0;
};

using Requests = std::vector<std::vector<CallTimes>>;

// Means over requests, which have the same calls, one call after the other: of each the quieter
// half. What disturbs a machine for a millisecond then disturbs one call and no whole request.
std::vector<CallTimes> mean_calls(const Requests& requests) {
  std::vector<CallTimes> mean = requests.front();
  double now_us = 0;
  for (size_t c = 0; c < mean.size(); ++c) {
    std::vector<double> times;
    times.reserve(requests.size());
    for (const auto& calls : requests) times.push_back(calls[c].time_us);
    const auto quiet = quiet_runs(times);
    mean[c].start_us = now_us;
    mean[c].time_us = mean_at(quiet, times);
    for (size_t p = 0; p < mean[c].parts.size(); ++p) {
      PartTime& part = mean[c].parts[p];
      part.start_us = now_us;
      part.time_us = mean_of(quiet, [&](size_t r) { return requests[r][c].parts[p].time_us; });
      now_us += part.time_us;
    }
  }
  return mean;
}

// Takes what timing adds to each part off.
void take_off(double each_us, std::vector<CallTimes>& calls) {
  for (CallTimes& call : calls) {
    for (PartTime& part : call.parts) {
      const double taken_us = std::min(part.time_us, each_us);
      part.time_us -= taken_us;
      call.time_us -= taken_us;
    }
  }
}

double total_us(std::span<const CallTimes> calls) {
  double sum = 0;
  for (const CallTimes& call : calls) sum += call.time_us;
  return sum;
}

}  // namespace

Result<LanguageTimes> measure_language(Decoder& decoder, KvCache& cache,
                                       const LanguageTimeOptions& options) {
  LanguageTimes times;
  Recording recording;
  EDGEWRIGHT_ASSIGN(const auto first,
                    Request(decoder, cache, options).run(Watched::kCalls, recording));
  times.first_us = total_us(first);
  Requests plain, profiled;
  const auto begin = Clock::now();
  const double limit_us = options.seconds * 1e6;
  while (times.pairs < options.min_pairs ||
         (times.pairs < options.max_pairs && microseconds(begin, Clock::now()) < limit_us)) {
    EDGEWRIGHT_ASSIGN(auto calls, Request(decoder, cache, options).run(Watched::kCalls, recording));
    plain.push_back(std::move(calls));
    EDGEWRIGHT_ASSIGN(auto parts, Request(decoder, cache, options).run(Watched::kParts, recording));
    profiled.push_back(std::move(parts));
    ++times.pairs;
    if (options.progress) {
      options.progress("profile", static_cast<size_t>(microseconds(begin, Clock::now())),
                       static_cast<size_t>(limit_us));
    }
  }
  times.calls = mean_calls(profiled);
  times.profiled_wall_us = total_us(times.calls);
  times.wall_us = total_us(mean_calls(plain));
  size_t parts = 0;
  for (const CallTimes& call : times.calls) parts += call.parts.size();
  take_off(reading_cost_us(times.profiled_wall_us, times.wall_us, parts), times.calls);
  std::vector<double> walls;
  walls.reserve(plain.size());
  for (const auto& calls : plain) walls.push_back(total_us(calls));
  times.wall_spread = (quantile(walls, 0.9) - quantile(walls, 0.1)) / times.wall_us;
  times.wall_samples_us.assign(walls.begin(), walls.end());
  return times;
}

Result<std::vector<CallTimes>> timed_request(Decoder& decoder, KvCache& cache,
                                             const LanguageTimeOptions& options) {
  Recording recording;
  return Request(decoder, cache, options).run(Watched::kParts, recording);
}

}  // namespace edgewright
