#pragma once

#include <memory>
#include <optional>
#include <span>

#include "split/cut_choice.h"
#include "split/offload/policy.h"

namespace edgewright {

// What ready cuts cost beside latency.
struct WayCosts {
  OffloadWeights weights;
  double device_power_mw = 3000, radio_power_mw = 1500;
  double price_per_byte = 0, price_per_server_us = 0;
};

// Lets a policy choose for each request among cuts that are ready: everything here, everything
// there, or cut somewhere. What is known of a way is the device's part; the features that the rest
// is thought to be proportional to are 1, the exchange as the link's estimate has it, and the same
// corrected by how the latest exchanges went.
class WayChoice {
 public:
  static constexpr size_t kFeatures = 3;

  WayChoice(std::unique_ptr<OffloadPolicy> policy, const WayCosts& costs)
      : policy_(std::move(policy)), costs_(costs) {}

  // What was chosen, and what it was chosen by.
  struct Choice {
    size_t way = 0;
    OffloadContext context;
  };
  Choice choose(std::span<const ReadyCut> cuts, const LinkEstimate& link);
  // The answer came (from whomever) after this time. `tried`: the exchange itself, where there was
  // one that ended well.
  void learn(const Choice& choice, std::span<const ReadyCut> cuts, const LinkEstimate& link,
             double latency_us, std::optional<double> exchange_us);

  double mean_cost() const { return learned_ > 0 ? total_cost_ / learned_ : 0; }
  OffloadPolicy& policy() { return *policy_; }

 private:
  OffloadOutcome known(const ReadyCut& cut, const LinkEstimate& link) const;

  std::unique_ptr<OffloadPolicy> policy_;
  WayCosts costs_;
  double ratio_ = 1;  // of exchanges to what the estimate says, forgetting
  double total_cost_ = 0, learned_ = 0;
};

}  // namespace edgewright
