#include "split/offload/simulate.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace edgewright {
namespace {

// How a transfer went: the time is drawn from a trace or a generated rate.
struct Transfer {
  double input_ms = 0, cut_ms = 0;              // what it took
  double recent_mbit_s = 0, latest_mbit_s = 0;  // what was known before
  // Of the way back.
  double input_answer_ms = 0, cut_answer_ms = 0;
  double recent_down_mbit_s = 0, latest_down_mbit_s = 0;
};

double slowdown_at(const OffloadScenario& scenario, size_t step) {
  double factor = 1;
  for (const auto& [from, slowdown] : scenario.slowdowns) {
    if (step >= from) factor = slowdown;
  }
  return factor;
}

// An answer after `latency_ms`, for which the device works and the radio sends so long.
double cost_of(const OffloadWorkload& work, double latency_ms, double device_ms, double radio_ms) {
  const double energy_mj =
      (device_ms * work.device_power_mw + radio_ms * work.radio_power_mw) / 1e3;
  return weighted_cost(work.weights, {latency_ms, energy_mj, 0, device_ms});
}

// What is known before a request is served.
OffloadContext context_of(const OffloadWorkload& work, const Transfer& transfer) {
  const double all = cost_of(work, work.local_ms, work.local_ms, 0);
  const double head = cost_of(work, work.head_ms, work.head_ms, 0);
  const double per_ms = work.weights.per_latency_ms;
  OffloadContext context;
  // Of a race all that the device does is known, but not when the answer comes.
  context.known_cost = {all, 0, head, all - per_ms * work.local_ms,
                        all - per_ms * (work.local_ms - work.head_ms)};
  const bool has_answer = transfer.input_answer_ms > 0;
  const auto expected = [&](double bytes, double mbit_s, double down_mbit_s) {
    const double up_ms = bytes * 8e-3 / std::max(0.01, mbit_s);
    const double down_ms = has_answer ? work.answer_bytes * 8e-3 / std::max(0.01, down_mbit_s) : 0;
    return up_ms + down_ms;
  };
  // Features near one condition the least squares well. `most_ms` of the exchange, `other_ms` of
  // which no link changes.
  const auto features = [&](double bytes, double other_ms, double most_ms) -> std::vector<double> {
    const auto of = [&](double mbit_s, double down_mbit_s) {
      return std::min(most_ms, expected(bytes, mbit_s, down_mbit_s) + other_ms) / 100;
    };
    return {1, of(transfer.recent_mbit_s, transfer.recent_down_mbit_s),
            of(transfer.latest_mbit_s, transfer.latest_down_mbit_s)};
  };
  context.features = {
      {0, 0, 0},
      features(work.input_bytes, 0, work.patience_ms),
      features(work.cut_bytes, 0, work.patience_ms),
      features(work.input_bytes, work.round_trip_ms + work.server_ms, work.local_ms),
      features(work.cut_bytes, work.round_trip_ms + work.tail_ms, work.local_ms - work.head_ms)};
  return context;
}

OffloadStep step_of(const OffloadScenario& scenario, const Transfer& transfer, size_t step,
                    std::mt19937_64& random) {
  const OffloadWorkload& work = scenario.workload;
  std::normal_distribution<double> jitter(1, 0.03);
  const double slowdown = slowdown_at(scenario, step);
  const double local_ms = work.local_ms * jitter(random), head_ms = work.head_ms * jitter(random);
  const double server_ms = work.server_ms * slowdown * jitter(random);
  const double tail_ms = work.tail_ms * slowdown * jitter(random);
  const auto cost = [&](double device_ms, double radio_ms, double waiting_ms) {
    return cost_of(work, device_ms + radio_ms + waiting_ms, device_ms, radio_ms);
  };
  // The exchange takes `transfer_ms`, of which the radio is on, and `other_ms`.
  const auto alone = [&](double head, double rest, double transfer_ms, double other_ms) {
    if (transfer_ms + other_ms <= work.patience_ms) return cost(head, transfer_ms, other_ms);
    const double radio_ms = std::min(transfer_ms, work.patience_ms);
    return cost(head + rest, radio_ms, work.patience_ms - radio_ms);
  };
  // The device does the rest in any case: nobody stops it.
  const auto raced = [&](double head, double rest, double transfer_ms, double other_ms) {
    const double exchange_ms = std::min(rest, transfer_ms + other_ms);
    const double radio_ms = std::min(transfer_ms, work.patience_ms);
    return cost_of(work, head + exchange_ms, head + rest, radio_ms);
  };
  const double rest_ms = std::max(0.0, local_ms - head_ms);
  const double remote_ms = work.round_trip_ms + server_ms + transfer.input_answer_ms;
  const double split_ms = work.round_trip_ms + tail_ms + transfer.cut_answer_ms;
  OffloadStep result{context_of(work, transfer), {}};
  result.costs = {cost(local_ms, 0, 0), alone(0, local_ms, transfer.input_ms, remote_ms),
                  alone(head_ms, rest_ms, transfer.cut_ms, split_ms),
                  raced(0, local_ms, transfer.input_ms, remote_ms),
                  raced(head_ms, rest_ms, transfer.cut_ms, split_ms)};
  return result;
}

}  // namespace

double weighted_cost(const OffloadWeights& weights, const OffloadOutcome& outcome) {
  return weights.per_latency_ms * outcome.latency_ms + weights.per_energy_mj * outcome.energy_mj +
         weights.per_price * outcome.price + weights.per_device_ms * outcome.device_ms;
}

std::vector<OffloadStep> steps_on_trace(const LinkTrace& uplink, const OffloadScenario& scenario,
                                        const LinkTrace* downlink) {
  constexpr double kRecentMs = 500, kLatestMs = 100;
  std::mt19937_64 random(scenario.seed);
  const OffloadWorkload& work = scenario.workload;
  const auto answer_ms = [&](double begun_ms) {
    return downlink == nullptr || work.answer_bytes <= 0
               ? 0
               : delivered_ms(*downlink, begun_ms, work.answer_bytes) - begun_ms;
  };
  std::vector<OffloadStep> steps;
  for (size_t i = 0; i < scenario.steps; ++i) {
    const double now_ms = kRecentMs + static_cast<double>(i) * scenario.interval_ms;
    const double cut_ms = now_ms + work.head_ms;
    Transfer transfer{delivered_ms(uplink, now_ms, work.input_bytes) - now_ms,
                      delivered_ms(uplink, cut_ms, work.cut_bytes) - cut_ms,
                      mbit_s_at(uplink, now_ms - kRecentMs, kRecentMs),
                      mbit_s_at(uplink, now_ms - kLatestMs, kLatestMs)};
    if (downlink != nullptr) {
      transfer.input_answer_ms =
          answer_ms(now_ms + transfer.input_ms + work.round_trip_ms + work.server_ms);
      transfer.cut_answer_ms =
          answer_ms(cut_ms + transfer.cut_ms + work.round_trip_ms + work.tail_ms);
      transfer.recent_down_mbit_s = mbit_s_at(*downlink, now_ms - kRecentMs, kRecentMs);
      transfer.latest_down_mbit_s = mbit_s_at(*downlink, now_ms - kLatestMs, kLatestMs);
    }
    steps.push_back(step_of(scenario, transfer, i, random));
  }
  return steps;
}

std::vector<OffloadStep> generated_steps(const OffloadScenario& scenario, double mean_mbit_s,
                                         double log_deviation, double correlation) {
  std::mt19937_64 random(scenario.seed);
  std::normal_distribution<double> normal;
  std::vector<OffloadStep> steps;
  double state = normal(random);
  for (size_t i = 0; i < scenario.steps; ++i) {
    const double before = mean_mbit_s * std::exp(log_deviation * state);
    state = correlation * state + std::sqrt(1 - correlation * correlation) * normal(random);
    const double rate = mean_mbit_s * std::exp(log_deviation * state);
    const Transfer transfer{scenario.workload.input_bytes * 8e-3 / rate,
                            scenario.workload.cut_bytes * 8e-3 / rate, before, before};
    steps.push_back(step_of(scenario, transfer, i, random));
  }
  return steps;
}

OffloadResult run_policy(const std::vector<OffloadStep>& steps, OffloadPolicy& policy,
                         size_t warm_up) {
  OffloadResult result{std::string(policy.name())};
  result.chosen.assign(kOffloadWays, 0);
  size_t counted = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const size_t action = policy.choose(steps[i].context);
    const double cost = steps[i].costs[action];
    policy.learn(steps[i].context, action, cost);
    // The exchange is seen to its end, whoever answers first.
    if (action != kLocal) {
      const size_t twin = action < kRacedRemote ? action + 2 : action - 2;
      policy.observe(steps[i].context, twin, steps[i].costs[twin]);
    }
    ++result.chosen[action];
    if (i < warm_up) continue;
    ++counted;
    result.mean_cost += cost;
    result.oracle_cost += std::ranges::min(steps[i].costs);
  }
  result.mean_cost /= static_cast<double>(std::max<size_t>(1, counted));
  result.oracle_cost /= static_cast<double>(std::max<size_t>(1, counted));
  result.regret_share = result.mean_cost / result.oracle_cost - 1;
  return result;
}

}  // namespace edgewright
