#include "llm/beginning.h"

namespace edgewright {

void add_beginning(const PackedModel& model, const Tokenizer& tokenizer, std::vector<int>& tokens) {
  if (model.config.bos >= 0 && model.tokenizer.add_bos.value_or(tokenizer.adds_bos())) {
    tokens.insert(tokens.begin(), model.config.bos);
  }
}

}  // namespace edgewright
