#include <algorithm>
#include <cmath>

#include "power/policy.h"

namespace edgewright {
namespace {

// What was measured of one setting, old measurements counting less and less.
struct Arm {
  Setting setting;
  double weight = 0, cost = 0;  // sums
  double quickest_s = HUGE_VAL;
};

// One bandit for each phase: what is best for prompts is not for tokens.
class Bandit {
 public:
  explicit Bandit(const Machine& machine) {
    for (size_t i = 0; i < machine.clusters(); ++i) add_cluster(machine, i);
    add_all(machine);
  }

  // The setting of least bound; settings never tried come first.
  const Setting& choose() {
    double all = 0, mean = 0;
    for (const Arm& arm : arms_) {
      all += arm.weight;
      mean += arm.cost;
    }
    mean = all > 0 ? mean / all : 1;
    double least = HUGE_VAL;
    for (size_t i = 0; i < arms_.size(); ++i) {
      const Arm& arm = arms_[i];
      constexpr double kExploration = 0.1;  // of the mean cost
      const double bound =
          arm.weight < 1e-3
              ? -HUGE_VAL
              : arm.cost / arm.weight -
                    kExploration * mean * std::sqrt(std::log(std::max(all, 2.0)) / arm.weight);
      if (bound < least || i == 0) {
        least = bound;
        chosen_ = i;
      }
      if (arm.weight < 1e-3) break;
    }
    return arms_[chosen_].setting;
  }

  // `token_j`, `token_s`: of the chosen setting. Delay beyond what the slack allows is charged.
  void learn(double token_j, double token_s, double slack) {
    quickest_s_ = std::min(quickest_s_, token_s);
    const double late = std::max(0.0, token_s / (quickest_s_ * slack) - 1);
    constexpr double kKept = 0.998, kPenalty = 10;
    for (Arm& arm : arms_) {
      arm.weight *= kKept;
      arm.cost *= kKept;
    }
    arms_[chosen_].weight += 1;
    arms_[chosen_].cost += token_j * (1 + kPenalty * late);
  }

 private:
  static Setting none(const Machine& machine) {
    return {.clusters = std::vector<ClusterSetting>(machine.clusters())};
  }
  // One core, half of them, all; at a third of the way, two thirds and the top.
  void add_cluster(const Machine& machine, size_t cluster) {
    for (const int cores : {1, (machine.cores(cluster) + 1) / 2, machine.cores(cluster)}) {
      for (const size_t third : {size_t{1}, size_t{2}, size_t{3}}) {
        Setting setting = none(machine);
        setting.clusters[cluster] = {cores, (machine.points(cluster) - 1) * third / 3};
        add(setting);
      }
    }
  }
  void add_all(const Machine& machine) {
    for (const size_t third : {size_t{0}, size_t{1}, size_t{2}, size_t{3}}) {
      Setting big = machine.big_cores(), all = none(machine);
      for (size_t i = 0; i < machine.clusters(); ++i) {
        const size_t point = (machine.points(i) - 1) * third / 3;
        big.clusters[i].point = point;
        all.clusters[i] = {machine.cores(i), point};
      }
      add(big);
      add(all);
    }
  }
  void add(const Setting& setting) {
    if (std::ranges::find(arms_, setting, &Arm::setting) == arms_.end()) {
      arms_.push_back({.setting = setting});
    }
  }

  std::vector<Arm> arms_;
  size_t chosen_ = 0;
  double quickest_s_ = HUGE_VAL;
};

class Learning : public Policy {
 public:
  Learning(const PolicyContext& context, double slack)
      : machine_(*context.machine), slack_(std::max(slack, 1.05)), decode_(machine_) {
    last_.setting = machine_.big_cores();
  }
  std::string_view name() const override { return "learned"; }

  Decision decide(const Observation& seen) override {
    // Prompts are short beside the tokens that follow them and take the big cores.
    if (seen.phase != Phase::kDecode) {
      learn(seen);
      trying_ = false;
      last_.setting = machine_.big_cores();
      if (seen.phase == Phase::kIdle) {
        for (ClusterSetting& used : last_.setting.clusters) used.point = 0;
      }
      return last_;
    }
    const double tried_s = seen.now_s - since_s_, tokens = seen.tokens - since_tokens_;
    const bool enough = tried_s >= kTrialS && tokens >= kTrialTokens;
    if (trying_ && !enough && tried_s < kLongestTrialS) return last_;
    learn(seen);
    last_.setting = decode_.choose();
    since_s_ = seen.now_s;
    since_j_ = seen.energy_j;
    since_tokens_ = seen.tokens;
    batch_ = seen.batch;
    trying_ = true;
    return last_;
  }

 private:
  static constexpr double kTrialS = 0.25;  // long against what a change costs
  static constexpr double kTrialTokens = 2, kLongestTrialS = 5;

  void learn(const Observation& seen) {
    if (!trying_ || batch_ < 1 || seen.now_s - since_s_ < kTrialS / 4) return;
    // A setting that made next to nothing of its trial has failed it.
    const double tokens = std::max(0.1, seen.tokens - since_tokens_);
    decode_.learn((seen.energy_j - since_j_) / tokens, (seen.now_s - since_s_) * batch_ / tokens,
                  slack_);
  }

  const Machine& machine_;
  const double slack_;
  Bandit decode_;
  Decision last_;
  bool trying_ = false;
  double since_s_ = 0, since_j_ = 0, since_tokens_ = 0;
  int batch_ = 0;
};

}  // namespace

std::unique_ptr<Policy> learning_policy(const PolicyContext& context, double slack) {
  return std::make_unique<Learning>(context, slack);
}

}  // namespace edgewright
