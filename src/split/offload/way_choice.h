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
// there, or cut somewhere; where the device could do the rest too, also both at once, and the first
// answer counts. What is known of a way is the device's part; the features that the rest is thought
// to be proportional to are 1, the exchange as the link's estimate has it, and the same corrected
// by how the latest exchanges went (in a race no longer than the device's rest).
class WayChoice {
 public:
  static constexpr size_t kFeatures = 3;

  // The policy has count() actions.
  WayChoice(std::unique_ptr<OffloadPolicy> policy, const WayCosts& costs, bool can_race = false)
      : policy_(std::move(policy)), costs_(costs), can_race_(can_race) {}
  static size_t count(std::span<const ReadyCut> cuts, bool can_race);

  // What was chosen, and what it was chosen by.
  struct Choice {
    size_t way = 0;  // the cut
    bool is_raced = false;
    size_t action = 0;  // of the policy
    OffloadContext context;
  };
  Choice choose(std::span<const ReadyCut> cuts, const LinkEstimate& link);
  // The answer came (from whomever) after this time. `tried`: the exchange itself, where there was
  // one that ended well.
  void learn(const Choice& choice, std::span<const ReadyCut> cuts, const LinkEstimate& link,
             double latency_us, std::optional<double> exchange_us);

  // How long a raced request would have taken had the device waited for the server.
  void learn_unraced(const Choice& choice, std::span<const ReadyCut> cuts, const LinkEstimate& link,
                     double latency_us);

  double mean_cost() const { return learned_ > 0 ? total_cost_ / learned_ : 0; }
  OffloadPolicy& policy() { return *policy_; }

 private:
  OffloadOutcome known(const ReadyCut& cut, const LinkEstimate& link, bool is_raced) const;
  void add_way(const ReadyCut& cut, const LinkEstimate& link, bool is_raced,
               OffloadContext& context) const;
  double cost(const ReadyCut& cut, const LinkEstimate& link, bool is_raced,
              double latency_us) const;

  std::unique_ptr<OffloadPolicy> policy_;
  WayCosts costs_;
  bool can_race_;
  double ratio_ = 1;  // of exchanges to what the estimate says, forgetting
  double total_cost_ = 0, learned_ = 0;
};

}  // namespace edgewright
