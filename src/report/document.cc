#include "report/document.h"

#include <cmath>

namespace edgewright {

Json document(std::string_view command, bool passed, const std::vector<std::string>& warnings) {
  Json json;
  json["schema"] = fmt::format("edgewright.{}/1", command);
  json["version"] = version();
  json["passed"] = passed;
  json["warnings"] = warnings;
  return json;
}

Json number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  return value;
}

Json number_or_null(double value) { return std::isnan(value) ? Json() : number(value); }

std::string finish_document(const Json& json) {
  // Text may hold bytes that are no UTF-8; JSON shows them as U+FFFD.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace edgewright
