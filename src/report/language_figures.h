#pragma once

#include "base/json.h"
#include "edgewright/language.h"

namespace edgewright {

// Adds the keys that every command on language models shares.
void add_figures(const LanguageFigures& figures, Json& json);

}  // namespace edgewright
