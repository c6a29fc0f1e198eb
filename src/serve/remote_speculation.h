#pragma once

#include <memory>
#include <string>
#include <vector>

#include "llm/draft_check.h"
#include "llm/speculate.h"
#include "serve/client.h"
#include "split/speculation.h"

namespace edgewright {

// A target model behind a link. Only token numbers travel.
class RemoteTarget {
 public:
  struct Reply {
    std::vector<int> tokens;  // as DraftChecker gives them
    double server_us = 0;     // that the model worked
    double elapsed_us = 0;    // from asking to having the answer
  };
  virtual ~RemoteTarget() = default;
  virtual Result<Reply> ask(const DraftQuestion& question) = 0;
};
// A language model that `serve` has in service, by the inputs `tokens`, `prompt`, `drafted`, `more`
// (int32), `sampling` (float32: temperature, top-k, top-p, min-p, repetition penalty) and `seed`
// (uint64), and the outputs `chosen` (int32) and `time_us` (float64).
std::unique_ptr<RemoteTarget> remote_target(std::unique_ptr<InferenceClient> client,
                                            std::string model, double deadline_us);
oip::InferRequest encode_question(const DraftQuestion& question);
Result<DraftQuestion> decode_question(const std::vector<oip::NamedTensor>& inputs);

struct RemoteSpeculationOptions {
  int max_tokens = 128;
  int length = -1;  // of every draft; -1: the best by acceptance and times, 0: none
  int chunk = 32;   // tokens that the target makes at once where nothing is drafted
  Sampling sampling;
};
struct RemoteSpeculationResult {
  std::vector<int> tokens;  // an end token not included
  bool has_ended = false;   // by one
  int rounds = 0, plain_rounds = 0, proposed = 0, accepted = 0;
  int length = 0;           // of the last draft that the control wanted
  SpeculationCosts costs;   // as measured
  double acceptance = 0;    // as learnt
  double first_ms = 0;      // until the first token
  double ms_per_token = 0;  // after it
  double predicted_speedup = 1;
};

// Drafts on the device, has them checked behind the link. The tokens are those of the target alone
// with the same sampling. `ends`: the target's end tokens.
Result<RemoteSpeculationResult> speculate_over_link(RemoteTarget& target, Proposer& proposer,
                                                    const std::vector<int>& prompt,
                                                    const std::vector<int>& ends,
                                                    const RemoteSpeculationOptions& options);

}  // namespace edgewright
