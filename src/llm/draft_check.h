#pragma once

#include <list>
#include <memory>
#include <span>
#include <vector>

#include "llm/decoder.h"
#include "llm/sampler.h"

namespace edgewright {

// One question to a target model: which of these drafted tokens would it have chosen itself?
struct DraftQuestion {
  std::vector<int> tokens;  // the prompt, the answer so far, and the drafted tokens
  int prompt = 1;           // of them, the first so many
  int drafted = 0;          // of them, the last so many
  int more = 0;             // tokens that the target goes on by itself after the first of its own
  Sampling sampling;
};

// The target's side of speculative decoding when drafts are made elsewhere. It keeps keys and
// values of the latest sequences, so that a question costs the tokens that are new in it. Not
// thread-safe.
class DraftChecker {
 public:
  // `context`: of the longest sequence; `sequences`: how many are kept.
  DraftChecker(std::shared_ptr<const PackedModel> model, ThreadPool& pool, int context,
               int sequences = 4);

  // The tokens that the target chooses: those of the draft up to the first that it would not have
  // chosen, its own in that place (or after the last), and `more` others. The same as those of the
  // target alone with the same sampling. Ends after an end token. Errors: usage (no prompt, counts
  // that do not add up, tokens out of range, a sequence that does not fit the context).
  Result<std::vector<int>> check(const DraftQuestion& question);

  int context() const { return context_; }

 private:
  struct Kept {
    std::vector<int> tokens;
    SequenceCache cache;
  };
  Status validate(const DraftQuestion& question) const;
  Kept& sequence_for(const DraftQuestion& question);
  // The target's choice after each of `rows`, up to the first that the next row is not.
  void choose(Kept& kept, const DraftQuestion& question, std::span<const int> rows,
              language::Phase phase, std::vector<int>& chosen);

  KvCache cache_;
  Decoder decoder_;
  int context_;
  size_t most_kept_;
  std::list<Kept> kept_;  // the last used first
  std::vector<float> logits_, scratch_;
};

}  // namespace edgewright
