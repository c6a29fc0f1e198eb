#pragma once

#include <vector>

#include "llm/packed_model.h"
#include "llm/tokenizer.h"

namespace edgewright {

// Puts the beginning-of-text token before these where the model wants one.
void add_beginning(const PackedModel& model, const Tokenizer& tokenizer, std::vector<int>& tokens);

}  // namespace edgewright
