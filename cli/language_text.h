#pragma once

#include "command.h"
#include "edgewright/language.h"

namespace edgewright::cli {

// What inspect, convert and bench do where their model is a language model.
Outcome inspect_language(const LanguageInfo& info);
Result<Outcome> convert_language(const std::string& input, const std::string& output,
                                 const LanguageConvertOptions& options);
Result<Outcome> bench_language(const std::string& path, const LanguageBenchOptions& options);

}  // namespace edgewright::cli
