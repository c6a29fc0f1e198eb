#include "api/deploy/page.h"

#include <fmt/format.h>

namespace edgewright {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --edge: #8886; --good: #1a7f37; --bad: #c62828; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.verdict { padding: .75rem 1rem; border: 2px solid; border-radius: .5rem; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--edge);
  vertical-align: top; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font-size: .85em; overflow-wrap: anywhere; }
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string field(const Json& json, const char* key) {
  return escaped(json.value(key, std::string()));
}

std::string choices_table(const Json& manifest) {
  std::string out =
      "<h2>Choices</h2><div class=wide><table><tr><th>What<th>Chosen<th>Runner-up"
      "<th>Why</tr>\n";
  for (const Json& choice : manifest["choices"]) {
    out += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}</tr>\n", field(choice, "what"),
                       field(choice, "chosen"), field(choice, "runner_up"), field(choice, "why"));
  }
  return out + "</table></div>\n";
}

std::string goals_table(const Json& manifest) {
  if (manifest["goals"].empty()) return "";
  std::string out =
      "<h2>Goals</h2><div class=wide><table><tr><th>Goal<th>Limit<th>Predicted<th>"
      "</tr>\n";
  for (const Json& goal : manifest["goals"]) {
    const bool passed = goal.value("passed", false);
    out += fmt::format(
        "<tr><td>{}<td class=number>{:.4g}<td class=number>{:.4g}<td class={}>{}"
        "</tr>\n",
        field(goal, "name"), goal.value("limit", 0.0), goal.value("reached", 0.0),
        passed ? "good" : "bad", passed ? "met" : "missed");
  }
  return out + "</table></div>\n";
}

// Every plain number of the measurements, one level deep.
std::string measurements_table(const Json& measurements) {
  std::string out = "<h2>Measured on this machine</h2><div class=wide><table>\n";
  const auto add = [&](const std::string& name, const Json& value) {
    if (!value.is_number()) return;
    out +=
        fmt::format("<tr><td>{}<td class=number>{:.6g}</tr>\n", escaped(name), value.get<double>());
  };
  if (!measurements.is_object()) return "";
  for (const auto& [key, value] : measurements.items()) {
    add(key, value);
    if (!value.is_object()) continue;
    for (const auto& [inner, number] : value.items()) add(key + "." + inner, number);
  }
  return out + "</table></div>\n";
}

std::string files_table(const Json& manifest) {
  std::string out = "<h2>Files</h2><div class=wide><table><tr><th>File<th>Bytes<th>SHA-256</tr>\n";
  for (const Json& file : manifest["files"]) {
    out +=
        fmt::format("<tr><td>{}<td class=number>{}<td><code>{}</code></tr>\n", field(file, "path"),
                    file.value("size_bytes", int64_t{0}), field(file, "sha256"));
  }
  return out + "</table></div>\n";
}

}  // namespace

std::string deployment_page(const Json& manifest, const Json& measurements) {
  const bool passed = manifest.value("passed", false);
  std::string out = fmt::format(
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width\"><title>Deployment on {0}</title><style>{1}</style>\n"
      "<h1>{2} on {0}</h1>\n<p class=\"verdict {3}\">{4}</p>\n",
      field(manifest, "device"), kStyle, field(manifest, "main_model"), passed ? "good" : "bad",
      passed ? "Every goal is met." : "Missed: " + field(manifest, "binding_constraint"));
  out += goals_table(manifest) + choices_table(manifest) + measurements_table(measurements) +
         files_table(manifest);
  for (const Json& warning : manifest["warnings"]) {
    out += "<p>Note: " + escaped(warning.get<std::string>()) + "</p>\n";
  }
  return out + "</html>\n";
}

}  // namespace edgewright
