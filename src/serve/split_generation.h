#pragma once

#include <memory>
#include <string>

#include "llm/packed_model.h"
#include "llm/request.h"
#include "llm/tokenizer.h"
#include "serve/client.h"

namespace edgewright {

class ThreadPool;

// A language model on a device, part of whose work a server does (serve/language/partner_models.h).
struct SplitGenerationOptions {
  std::string target;  // the model at the server
  // Layers on the device for every token, the others at the server. 0: all of them, and the server
  // computes the prompt.
  int device_layers = 0;
  bool is_alone = false;      // the device does everything, and no server is asked
  double deadline_us = 30e6;  // of each question
  bool fallback = true;       // the device goes on alone when the server does not answer
  RetryPolicy retry;
};
struct SplitGenerationResult {
  TextResult text;
  std::string failure;  // why the device went on alone; empty: it did not
  int tokens_before_failure = 0;
  int64_t questions = 0, repeated_sequences = 0;  // the server had lost a sequence and got it anew
  double first_ms = 0, ms_per_token = 0;          // until the first token, and of the others
  double server_ms = 0;  // that it says to have worked, all questions together
  double sent_bytes = 0, received_bytes = 0;
};

// The tokens of the model alone with the same request. kCheckFailed when the server fails and there
// is no fallback.
Result<SplitGenerationResult> generate_split(InferenceClient& client,
                                             const std::shared_ptr<const PackedModel>& model,
                                             const Tokenizer& tokenizer, ThreadPool& pool,
                                             const TextRequest& request,
                                             const SplitGenerationOptions& options);

}  // namespace edgewright
