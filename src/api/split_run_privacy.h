#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "api/wire_accuracy.h"
#include "edgewright/serve.h"
#include "serve/split_runner.h"
#include "split/privacy/accountant.h"

namespace edgewright {

// What `split run` does to activations before they leave: Gaussian noise against a budget, and
// seals.
class RunPrivacy {
 public:
  // Reads key and budget. kUsage for options that do not go together.
  static Result<RunPrivacy> of(const SplitRunPrivacy& options);

  bool has_noise() const { return options_.epsilon > 0; }
  bool has_seal() const { return seal_.has_value(); }
  const std::optional<SealedTensors>& seal() const { return seal_; }
  // kUnsupported when the cut sends what cannot be protected as asked.
  Status check(const RunnableCut& cut) const;

  // Finds the bound of a cut's norm in what it sends of samples; from then on guard() knows it.
  Result<SentNoise> noise_for(const RunnableCut& cut, std::span<const NamedTensors> sent);
  // Values with noise, after the budget has paid for them. kCheckFailed when it is spent.
  Result<NamedValues> guard(const RunnableCut& cut, const NamedValues& values);

  SplitRunPrivacyReport report() const;

 private:
  struct Noise {
    double clip = 0, sigma = 0;
  };
  SplitRunPrivacy options_;
  std::optional<SealedTensors> seal_;
  std::optional<PrivacyBudget> budget_;
  PrivacyLoss loss_;                    // of this run
  std::map<std::string, Noise> noise_;  // by cut
  double last_sigma_ = 0;
};

}  // namespace edgewright
