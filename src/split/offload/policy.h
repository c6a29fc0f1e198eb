#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace edgewright {

// What one request costs, in one number: each weight turns its unit into that of the sum.
struct OffloadWeights {
  double per_latency_ms = 1;
  double per_energy_mj = 0;
  double per_price = 0;
  // Opportunity: what a millisecond of the device's processor is worth to whoever waits for it.
  double per_device_ms = 0;
};
struct OffloadOutcome {
  double latency_ms = 0, energy_mj = 0, price = 0, device_ms = 0;
};
double weighted_cost(const OffloadWeights& weights, const OffloadOutcome& outcome);

// What is known before a request is served. Every action (local, remote, split, ...) has the part
// of its cost that is known in advance and features to which the rest is thought to be
// proportional; all actions have as many features.
struct OffloadContext {
  std::vector<double> known_cost;
  std::vector<std::vector<double>> features;

  size_t actions() const { return known_cost.size(); }
};

// Chooses where a request runs, and learns from what that cost; several requests may be under way.
// Not for several threads at once.
class OffloadPolicy {
 public:
  virtual ~OffloadPolicy() = default;
  virtual std::string_view name() const = 0;
  virtual size_t choose(const OffloadContext& context) = 0;
  // The cost of the action that was chosen; of the others nothing is known.
  virtual void learn(const OffloadContext& context, size_t action, double cost) = 0;
  // What an action that was not chosen would have cost, where that is known all the same.
  virtual void observe(const OffloadContext& context, size_t action, double cost) = 0;
  // All that was learned, as a JSON document, and back. kBadInput when it is of another policy or
  // malformed; the policy is then unchanged.
  virtual std::string save() const = 0;
  virtual Status load(std::string_view text) = 0;
};

struct LinUcbOptions {
  // How many standard errors of hope an action gets.
  double optimism = 0.3;
  // Observations lose this share of their weight with each new one of the same action.
  double forgetting = 0.005;
  // An action that was not tried for this many requests is tried again; after each trial that
  // loses the wait doubles, up to 16 times; 0: never.
  int forced_period = 24;
  // Forced trials may cost this share of everything so far, and no more.
  double exploration_share = 0.015;
};
// Linear contextual bandit, one model an action (Li et al., "A contextual-bandit approach to
// personalized news article recommendation", WWW 2010), with forced sampling as in Zhang et al.,
// "Autodidactic neurosurgeon", WWW 2021: an action without features to learn from, such as running
// locally, would otherwise be chosen for ever once the others have looked bad.
std::unique_ptr<OffloadPolicy> make_lin_ucb(size_t actions, size_t features,
                                            const LinUcbOptions& options = {});
// A table of mean costs over intervals of the features, with a falling share of random choices.
std::unique_ptr<OffloadPolicy> make_tabular(size_t actions, uint64_t seed);
// A network of one hidden layer that predicts the cost of an action from its features, trained on
// replayed requests, with a falling share of random choices.
std::unique_ptr<OffloadPolicy> make_dqn(size_t actions, size_t features, uint64_t seed);
// Whether a saved state is one of this policy.
bool is_state_of(std::string_view policy, const Json& json);
// Always the same action.
std::unique_ptr<OffloadPolicy> make_fixed(size_t action, std::string name);

}  // namespace edgewright
