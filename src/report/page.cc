#include "report/page.h"

#include "base/json.h"

namespace edgewright {
namespace {

constexpr std::string_view kMark = "@DOCUMENT@";

// Inside <script> a '<' may begin the end of it; in JSON it only stands in text, where it can be
// written by its number.
std::string without_markup(std::string_view document) {
  std::string out;
  out.reserve(document.size() + document.size() / 16);
  for (const char c : document) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

Result<std::string> report_page(std::string_view document, std::string_view command_line) {
  const std::string_view page = page_template();
  const size_t at = page.find(kMark);
  if (at == std::string_view::npos) {
    return unsupported(
        "this program was built without the report page: run tools/setup where packages can be "
        "fetched, and build again");
  }
  Json json = Json::parse(document, nullptr, false);
  if (!json.is_object() || !json.contains("schema") || !json["schema"].is_string()) {
    return bad_input("expected a document of --json, an object with a schema");
  }
  std::string out(page.substr(0, at));
  if (!command_line.empty()) json["command_line"] = command_line;
  out += without_markup(json.dump(-1, ' ', false, Json::error_handler_t::replace));
  out += page.substr(at + kMark.size());
  return out;
}

}  // namespace edgewright
