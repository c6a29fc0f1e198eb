#pragma once

#include <cstdint>
#include <vector>

namespace edgewright {

// Speculative decoding with the draft model on the device and the target model behind a link: each
// round the device drafts `length` tokens, the server checks them in one pass and adds one of its
// own. Only token ids travel. All times in milliseconds.
struct SpeculationCosts {
  double draft_ms = 0;   // of the draft model, per token
  double target_ms = 0;  // of the target model, per pass of one token
  double check_ms = 0;   // more for each further token of a pass
  double round_trip_ms = 0;
};

// Tokens of one round when each drafted one is accepted with this probability on its own:
// (1 - a^(length + 1)) / (1 - a) (Leviathan et al., "Fast inference from transformers via
// speculative decoding", ICML 2023, equation 1).
double expected_tokens(double acceptance, int length);
// length x draft + round trip + target + length x check.
double round_ms(const SpeculationCosts& costs, int length);

struct SpeculationPlan {
  int length = 0;           // 0: off
  double ms_per_token = 0;  // of the plan
  double plain_ms = 0;      // of the target model alone, streaming: the link only delays the first
  double speedup = 1;       // plain_ms / ms_per_token; 1 when it is off
  double best_speedup = 0;  // of the best length above 0, whether it is used or not
  int best_length = 0;
};
// The length from 1 to `longest` with the least time per token; off when even that is not quicker
// than the target model alone.
SpeculationPlan plan_speculation(const SpeculationCosts& costs, double acceptance,
                                 int longest = 64);

// Watches rounds and keeps the length; changes it only when that gains a twentieth or more, so that
// noise does not make it flutter.
class SpeculationControl {
 public:
  SpeculationControl(const SpeculationCosts& costs, double acceptance);
  int length() const { return length_; }
  double acceptance() const { return acceptance_; }
  // A round of `drafted` tokens of which the first `accepted` were kept.
  void observe(int drafted, int accepted);
  void set_costs(const SpeculationCosts& costs);

 private:
  void update();
  SpeculationCosts costs_;
  double acceptance_;
  // Of a forgetting count of checks and acceptances; begins as if 20 had been seen.
  double checks_ = 20, accepted_;
  int length_ = 0;
};

}  // namespace edgewright
