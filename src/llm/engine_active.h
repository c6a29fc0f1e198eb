#pragma once

#include "llm/difficulty.h"
#include "llm/engine.h"

namespace edgewright {

// A request under way.
struct Engine::Active {
  Active(TextRequest request, KvCache& kv, const Tokenizer& tokenizer, const std::vector<int>& ends,
         double easy_below)
      : cache(kv), answer(std::move(request), tokenizer, ends), difficulty(easy_below) {}

  SequenceCache cache;
  Answer answer;  // its sequence is what the cache stands for, and the tokens still to compute
  Difficulty difficulty;
  bool prompt_done = false;
  bool cancelled = false;  // as soon as the pipeline has no piece of it
  std::shared_ptr<EnergyLedger::Account> account = std::make_shared<EnergyLedger::Account>();
};

}  // namespace edgewright
