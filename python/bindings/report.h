#pragma once

#include <nanobind/nanobind.h>

#include <array>
#include <string>
#include <type_traits>

#include "edgewright/language.h"
#include "keywords.h"

namespace edgewright::python {

// The Python name of what report() makes.
inline constexpr const char* kReport = "edgewright.report.Report";

// The versioned JSON document of a report as an edgewright.Report, a dictionary.
nanobind::object report(const std::string& json);

// What every function of the module is declared with: name, the positional arguments as Python
// writes them, and what it does. The strings that nanobind only refers to live as long as the
// program.
const char* keep_for_ever(std::string text);

// Declares NAME(TEXT_1, ..., TEXT_n, *, keywords) -> Report, where `call` takes n strings and the
// options and gives the Result of a report that has to_json(). `positional` are the names of the
// texts.
template <class Options, size_t n, class Call>
void define(nanobind::module_& module, const char* name,
            const std::array<const char*, n>& positional, Keywords<Options> keywords,
            const std::string& summary, Call call) {
  std::string arguments;
  for (const char* argument : positional) {
    arguments += std::string(arguments.empty() ? "" : ", ") + argument + ": str | os.PathLike[str]";
  }
  const char* signature = keep_for_ever(keywords.signature(name, arguments, kReport));
  const char* documentation = keep_for_ever(keywords.documentation(summary));
  module.def(
      name,
      [positional, keywords, call](const nanobind::args& given, const nanobind::kwargs& named) {
        std::array<std::string, n> texts;
        nanobind::dict left;
        for (const auto& [key, value] : named) left[key] = value;
        if (given.size() > n) raise(usage_error("{} arguments, at most {}", given.size(), n));
        for (size_t i = 0; i < n; ++i) {
          nanobind::object value;
          if (i < given.size()) {
            value = given[i];
          } else if (left.contains(positional[i])) {
            value = left[positional[i]];
            nanobind::del(left[positional[i]]);
          } else {
            raise(usage_error("the argument '{}' is missing", positional[i]));
          }
          texts[i] = to_text(value, positional[i]);
        }
        const Options options = keywords.read(nanobind::borrow<nanobind::kwargs>(left));
        return report(released([&]() -> Result<std::string> {
          EDGEWRIGHT_ASSIGN(const auto made, call(texts, options));
          // Calls that choose between several reports have made the document already.
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(made)>, std::string>) {
            return made;
          } else {
            return to_json(made);
          }
        }));
      },
      nanobind::sig(signature), documentation);
}

}  // namespace edgewright::python
