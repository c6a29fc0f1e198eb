#pragma once

#include <memory>
#include <vector>

#include "llm/answer.h"
#include "llm/decoder.h"

namespace edgewright {

inline constexpr int kMaxDraft = 8;

// Guesses the tokens that come next.
class Proposer {
 public:
  virtual ~Proposer() = default;
  // At most `count` tokens to follow the sequence. `index`: of the first among the answer's tokens.
  virtual std::vector<int> propose(const std::vector<int>& sequence, int count,
                                   const Sampling& sampling, uint64_t index) = 0;
  // Bytes of weights that a proposed token reads: what it costs before it was seen.
  virtual int64_t bytes_per_token() const { return 0; }
};

// What followed the last place where the sequence's end stood before (Saxena 2023).
std::unique_ptr<Proposer> prompt_lookup();
// A smaller model of the same vocabulary. It draws with the numbers that the target will draw with,
// so that equal distributions propose equal tokens.
std::unique_ptr<Proposer> draft_model(std::shared_ptr<const PackedModel> draft, ThreadPool& pool,
                                      int context);

// Computes the tokens of a sequence that a cache does not hold yet, but for the last `keep`.
void catch_up(Decoder& decoder, SequenceCache& cache, std::span<const int> sequence, size_t keep,
              language::Phase phase);

// What is learnt on line: how often proposals are right and what things cost, in units of a plain
// step of the target.
class DraftPolicy {
 public:
  // `relative_bytes`: what a proposed token reads over what a step of the target does. Above 1 it
  // cannot gain, whatever is accepted, and is never tried.
  explicit DraftPolicy(double relative_bytes = 0) : may_pay_(relative_bytes <= 1) {}

  // Times in microseconds. rows: 1 for the pending token alone.
  void saw_target(int rows, double time_us);
  void saw_proposal(int tokens, double time_us);
  void saw_acceptance(int proposed, int accepted);

  // Tokens per second with drafts of that length over those without, by what was seen.
  double predicted_speedup(int draft) const;
  // The length of the next draft; 0: none. Now and then a draft is tried where none pays (twice as
  // many rounds later each time), and none where one does, so that neither figure grows stale.
  int next_draft(int64_t round);
  double acceptance() const { return acceptance_; }
  double plain_step_us() const { return target_us_[1]; }

 private:
  double target_us(int rows) const;
  bool may_pay_;
  int64_t pause_ = 0, next_trial_ = 0;    // rounds
  double target_us_[kMaxDraft + 2] = {};  // by rows; 0: not seen
  double proposal_us_ = 0;                // per token
  double acceptance_ = 0.6;               // of one token, given that those before it were right
  int64_t trials_ = 0;
};

struct SpeculationFigures {
  int64_t rounds = 0, proposed = 0, accepted = 0;
  double acceptance = 0;         // per token, as learnt
  double predicted_speedup = 1;  // of what was done, from acceptance and costs
  double measured_speedup = 1;   // from the time taken and that of plain steps
};

// Runs one request on a target model with proposals. The tokens are those of the target alone with
// the same seed, whatever is proposed: each is chosen from the target's own logits, and proposals
// only save steps. The context does not slide.
TextResult run_speculative(Decoder& target, KvCache& cache, Proposer& proposer, TextRequest request,
                           const Tokenizer& tokenizer, int context, SpeculationFigures& figures);

}  // namespace edgewright
