#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "edgewright/session.h"
#include "edgewright/verify.h"

namespace edgewright {

// The keys that every document begins with: schema, version, passed, warnings.
Json document(std::string_view command, bool passed, const std::vector<std::string>& warnings);
// JSON has no infinity and no NaN; text stands for them.
Json number(double value);
// The same of what may not have been measured: null for NaN.
Json number_or_null(double value);
// Saved outputs: name, dtype, shape and file of each.
Json outputs_json(const std::vector<RunOutput>& outputs);
// The text of a document as files hold it.
std::string finish_document(const Json& json);
// Adds samples, outputs, layers, first_divergence and boundary.
void add_verification(Json& json, const VerifyReport& report);

}  // namespace edgewright
