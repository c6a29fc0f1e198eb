#pragma once

#include <string>

#include "power/language_load.h"

namespace edgewright {

// What a token of a language model asks of a device: by its profile (`profile --json`), or by the
// shape that its config.json, its file or "llama-1.1b" stands for. kUsage where it is none of them.
Result<LanguageLoad> load_of(const std::string& model, const std::string& precision);

}  // namespace edgewright
