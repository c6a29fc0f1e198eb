#include "report.h"

#include <deque>

namespace nb = nanobind;

namespace edgewright::python {

nb::object report(const std::string& json) {
  const nb::object type = nb::module_::import_("edgewright.report").attr("Report");
  return type.attr("from_json")(nb::str(json.c_str(), json.size()));
}

const char* keep_for_ever(std::string text) {
  // A deque never moves its elements.
  static auto* const texts = new std::deque<std::string>();
  return texts->emplace_back(std::move(text)).c_str();
}

}  // namespace edgewright::python
