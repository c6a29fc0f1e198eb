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

// The least of the last times of one kind. Whatever else runs on the machine makes times longer and
// never shorter, often many times: averages would tell of that.
class LeastOfLast {
 public:
  void add(double time_us) { times_us_[static_cast<size_t>(count_++ % kKept)] = time_us; }
  bool any() const { return count_ > 0; }
  double time_us() const;  // 0: none

 private:
  static constexpr int64_t kKept = 12;
  double times_us_[kKept] = {};
  int64_t count_ = 0;
};

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
  // Of the plain steps but the first ones, which are slow; whatever disturbed them is in it, as it
  // is in the time of the whole.
  double mean_plain_step_us() const {
    return plain_steps_ > 0 ? plain_us_ / static_cast<double>(plain_steps_) : 0;
  }

 private:
  double target_us(int rows) const;
  bool believes(double time_us, double most_us);
  bool may_pay_;
  int64_t pause_ = 0, next_trial_ = 0;    // rounds
  LeastOfLast target_us_[kMaxDraft + 2];  // by rows
  LeastOfLast proposal_us_;               // per token
  double plain_us_ = 0;                   // of all plain steps that count
  int64_t plain_seen_ = 0, plain_steps_ = 0;
  int doubted_ = 0;          // times in a row that were not believed
  double acceptance_ = 0.6;  // of one token, given that those before it were right
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
