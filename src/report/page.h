#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace edgewright {

// The page that web/ was bundled into, with the word @DOCUMENT@ where a document goes; empty when
// the build had no bundler.
std::string_view page_template();

// One HTML file that shows a document, and by which command line it was made. kBadInput when the
// text is no JSON object with a schema, kUnsupported without the page.
Result<std::string> report_page(std::string_view document, std::string_view command_line);

}  // namespace edgewright
