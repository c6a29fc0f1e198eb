#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace edgewright {

// What a Jinja template writes with these variables (an object). The language is what chat
// templates of Hugging Face use: for, if, set, macro, break and continue, Python's expressions, the
// filters and tests of Jinja and the methods of texts and objects that operations.h names.
//
// Text that is no template is bad input, and so is one that does not end or writes without end
// (templates come out of model files); what is not known is unsupported by name;
// raise_exception(TEXT) of the template is a usage error with that text. Messages name the line.
Result<std::string> render_template(std::string_view source, const Json& variables);

}  // namespace edgewright
