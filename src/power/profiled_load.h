#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "power/language_load.h"

namespace edgewright {

// Whether a document is what `profile --json` writes.
bool is_profile(const Json& document);

// What a token costs by the counts of a profile: multiply-adds of the products of a decoded token,
// work and cache of attention by the position, layers. Weights have `precision`, whatever they had
// when they were profiled; times do not carry over to other machines and are not used. kBadInput
// when the profile is of no language model, kUsage naming the known precisions.
Result<LanguageLoad> profiled_load(const Json& document, std::string_view file,
                                   const std::string& precision);

}  // namespace edgewright
