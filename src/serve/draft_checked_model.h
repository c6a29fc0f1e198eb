#pragma once

#include <memory>

#include "serve/served_model.h"

namespace edgewright {

// A language model in service as a checker of drafts that are made elsewhere: the inputs and
// outputs are those of remote_target() (serve/remote_speculation.h).
Result<std::unique_ptr<ServedModel>> draft_checked_model(const LanguageParts& parts, int threads);

}  // namespace edgewright
