#include "profile/step_times.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPacePeriod{20};

struct ProfiledRun {
  double wall_us = 0, before_us = 0, after_us = 0, pace_us = 0;
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

StepTimes summarise(const std::vector<double>& plain, const std::vector<ProfiledRun>& profiled) {
  StepTimes times;
  times.pairs = static_cast<int>(plain.size());
  const auto quiet_plain = quiet_runs(plain);
  times.wall_us = mean_at(quiet_plain, plain);
  times.wall_spread = spread_of(plain, times.wall_us);
  times.wall_samples_us.assign(plain.begin(), plain.end());
  std::vector<double> walls;
  walls.reserve(profiled.size());
  for (const ProfiledRun& run : profiled) walls.push_back(run.wall_us);
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

}  // namespace

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
  std::vector<double> plain;
  std::vector<ProfiledRun> profiled;
  const auto begin = Clock::now();
  const double limit_us = options.seconds * 1e6;
  const auto wanted = [&] {
    const auto pairs = static_cast<int>(plain.size());
    if (pairs < options.min_pairs) return true;
    return pairs < options.max_pairs && microseconds(begin, Clock::now()) < limit_us;
  };
  double pace_us = 0;
  auto paced = Clock::time_point();
  while (wanted()) {
    // Rarely, because the runs after it find the caches full of other data.
    if (options.pace_us && Clock::now() - paced > kPacePeriod) {
      pace_us = options.pace_us();
      paced = Clock::now();
      EDGEWRIGHT_TRY(session.run(inputs));
    }
    const auto start = Clock::now();
    EDGEWRIGHT_TRY(session.run(inputs));
    plain.push_back(microseconds(start, Clock::now()));
    EDGEWRIGHT_ASSIGN(ProfiledRun run, profiled_run(session, inputs));
    if (!profiled.empty() && run.step_us.size() != profiled.front().step_us.size()) {
      return internal_error("the plan changed between two runs on the same inputs");
    }
    run.pace_us = pace_us;
    profiled.push_back(std::move(run));
    if (options.progress && plain.size() % 16 == 0) {
      options.progress("profile", static_cast<size_t>(microseconds(begin, Clock::now())),
                       static_cast<size_t>(limit_us));
    }
  }
  StepTimes times = summarise(plain, profiled);
  const double each_us =
      reading_cost_us(times.profiled_wall_us, times.wall_us, times.step_us.size());
  for (double& step_us : times.step_us) step_us -= std::min(step_us, each_us);
  return times;
}

}  // namespace edgewright
