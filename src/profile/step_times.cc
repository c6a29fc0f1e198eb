#include "profile/step_times.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <numeric>

#include "profile/pace.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPacePeriod{10};
constexpr double kPatience = 2;  // of the time for runs

struct ProfiledRun {
  double plain_us = 0;  // the run beside it
  double wall_us = 0, before_us = 0, after_us = 0;
  double pace_us = 0, slower_pace_us = 0;  // before and after it: their mean, the slower one
  std::vector<double> step_us, start_us;
};

Result<ProfiledRun> profiled_run(Session& session, std::span<const Datum> inputs) {
  std::vector<Clock::time_point> moments;
  moments.reserve(session.plan().steps.size() + 1);
  RunHooks hooks;
  hooks.moments = &moments;
  const auto begin = Clock::now();
  EDGEWRIGHT_TRY(session.run(inputs, &hooks));
  const auto end = Clock::now();
  ProfiledRun run;
  run.wall_us = microseconds(begin, end);
  run.before_us = microseconds(begin, moments.front());
  run.after_us = microseconds(moments.back(), end);
  for (size_t i = 0; i + 1 < moments.size(); ++i) {
    run.start_us.push_back(microseconds(begin, moments[i]));
    run.step_us.push_back(microseconds(moments[i], moments[i + 1]));
  }
  return run;
}

double spread_of(const std::vector<double>& values, double center) {
  return center > 0 ? (quantile(values, 0.9) - quantile(values, 0.1)) / center : 0;
}

StepTimes summarise(const std::vector<ProfiledRun>& profiled) {
  StepTimes times;
  times.pairs = static_cast<int>(profiled.size());
  std::vector<double> plain, walls;
  for (const ProfiledRun& run : profiled) {
    plain.push_back(run.plain_us);
    walls.push_back(run.wall_us);
  }
  const auto quiet_plain = quiet_runs(plain);
  times.wall_us = mean_at(quiet_plain, plain);
  times.wall_spread = spread_of(plain, times.wall_us);
  times.wall_samples_us.assign(plain.begin(), plain.end());
  const auto quiet = quiet_runs(walls);
  times.profiled_wall_us = mean_at(quiet, walls);
  times.before_us = mean_of(quiet, [&](size_t r) { return profiled[r].before_us; });
  times.after_us = mean_of(quiet, [&](size_t r) { return profiled[r].after_us; });
  std::vector<double> paces;
  paces.reserve(quiet.size());
  for (const size_t run : quiet) paces.push_back(profiled[run].pace_us);
  times.pace_us = quantile(std::move(paces), 0.5);
  const size_t steps = profiled.front().step_us.size();
  for (size_t step = 0; step < steps; ++step) {
    std::vector<double> samples;
    samples.reserve(profiled.size());
    for (const ProfiledRun& run : profiled) samples.push_back(run.step_us[step]);
    times.step_us.push_back(mean_at(quiet, samples));
    times.start_us.push_back(mean_of(quiet, [&](size_t r) { return profiled[r].start_us[step]; }));
    times.step_spread.push_back(spread_of(samples, times.step_us.back()));
    times.samples_us.emplace_back(samples.begin(), samples.end());
  }
  return times;
}

// The machine's pace between runs.
class PacedRuns {
 public:
  explicit PacedRuns(const StepTimeOptions& options)
      : watch_(options.pace_us, options.quick_pace_us, kPatience * options.seconds * 1e6) {}

  bool is_due() const { return Clock::now() - asked_ > kPacePeriod; }
  // Ends what runs there were since the last reading, and waits until the machine is quick.
  void next(std::span<ProfiledRun> runs) {
    end(runs);
    pace_us_ = watch_.wait_us(pace_us_);
    asked_ = Clock::now();
  }
  void end(std::span<ProfiledRun> runs) {
    const double after_us = watch_.read_us();
    for (ProfiledRun& run : runs.subspan(ended_)) {
      run.pace_us = (pace_us_ + after_us) / 2;
      run.slower_pace_us = std::max(pace_us_, after_us);
    }
    pace_us_ = after_us;
    ended_ = runs.size();
  }
  double waited_us() const { return watch_.waited_us(); }

 private:
  PaceWatch watch_;
  double pace_us_ = 0;
  size_t ended_ = 0;
  Clock::time_point asked_;
};

}  // namespace

std::vector<size_t> undisturbed_runs(std::span<const double> paces, size_t fewest) {
  const double limit = slowest_undisturbed_us(paces);
  std::vector<size_t> runs(paces.size());
  std::iota(runs.begin(), runs.end(), size_t{0});
  std::vector<size_t> kept;
  std::ranges::copy_if(runs, std::back_inserter(kept), [&](size_t i) { return paces[i] <= limit; });
  return kept.size() < fewest ? runs : kept;
}

std::vector<size_t> quiet_runs(std::span<const double> times) {
  std::vector<size_t> order(times.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return times[i]; });
  const size_t from = times.size() / 10;
  const size_t to = std::max(from + 1, (times.size() + 1) / 2);
  return {order.begin() + static_cast<std::ptrdiff_t>(from),
          order.begin() + static_cast<std::ptrdiff_t>(to)};
}

double mean_at(std::span<const size_t> indices, std::span<const double> values) {
  return mean_of(indices, [&](size_t index) { return values[index]; });
}

double clock_pair_us() {
  constexpr int kPairs = 2000;
  const auto begin = Clock::now();
  auto last = begin;
  for (int i = 0; i < 2 * kPairs; ++i) last = Clock::now();
  return microseconds(begin, last) / kPairs;
}

double reading_cost_us(double timed_us, double plain_us, size_t readings) {
  const double each_us = (timed_us - plain_us) / std::max(1.0, static_cast<double>(readings));
  return std::clamp(each_us, 0.0, clock_pair_us());
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  const size_t index = std::clamp<size_t>(rank, 1, values.size()) - 1;
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(index));
  return values[index];
}

Result<StepTimes> measure_steps(Session& session, std::span<const Datum> inputs,
                                const StepTimeOptions& options) {
  for (int i = 0; i < options.warmup; ++i) EDGEWRIGHT_TRY(session.run(inputs));
  EDGEWRIGHT_TRY(profiled_run(session, inputs));
  std::vector<ProfiledRun> profiled;
  PacedRuns paced(options);
  const auto begin = Clock::now();
  const double limit_us = options.seconds * 1e6;
  const auto spent_us = [&] { return microseconds(begin, Clock::now()) - paced.waited_us(); };
  const auto wanted = [&] {
    const auto pairs = static_cast<int>(profiled.size());
    if (pairs < options.min_pairs) return true;
    return pairs < options.max_pairs && spent_us() < limit_us;
  };
  while (wanted()) {
    // Rarely, because the runs after it find the caches full of other data.
    if (paced.is_due()) {
      paced.next(profiled);
      EDGEWRIGHT_TRY(session.run(inputs));
    }
    const auto start = Clock::now();
    EDGEWRIGHT_TRY(session.run(inputs));
    const double plain_us = microseconds(start, Clock::now());
    EDGEWRIGHT_ASSIGN(ProfiledRun run, profiled_run(session, inputs));
    if (!profiled.empty() && run.step_us.size() != profiled.front().step_us.size()) {
      return internal_error("the plan changed between two runs on the same inputs");
    }
    run.plain_us = plain_us;
    profiled.push_back(std::move(run));
    if (options.progress && profiled.size() % 16 == 0) {
      options.progress("profile", static_cast<size_t>(std::min(spent_us(), limit_us)),
                       static_cast<size_t>(limit_us));
    }
  }
  paced.end(profiled);
  std::vector<double> paces;
  paces.reserve(profiled.size());
  for (const ProfiledRun& run : profiled) paces.push_back(run.slower_pace_us);
  std::vector<ProfiledRun> kept;
  for (const size_t i : undisturbed_runs(paces, static_cast<size_t>(options.min_pairs))) {
    kept.push_back(std::move(profiled[i]));
  }
  StepTimes times = summarise(kept);
  times.disturbed_pairs = static_cast<int>(profiled.size() - kept.size());
  const double each_us =
      reading_cost_us(times.profiled_wall_us, times.wall_us, times.step_us.size());
  for (double& step_us : times.step_us) step_us -= std::min(step_us, each_us);
  return times;
}

}  // namespace edgewright
