#include "profile/trace/openvino.h"

#include <charconv>

namespace edgewright {
namespace {

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t end = line.find(separator);
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

bool read_number(std::string_view text, double& value) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

struct Columns {
  size_t name = 0, status = 1, type = 2, implementation = 3, real_ms = 4;
};

Columns columns_of(const std::vector<std::string_view>& header) {
  Columns columns;
  for (size_t i = 0; i < header.size(); ++i) {
    if (header[i].starts_with("layerName")) columns.name = i;
    if (header[i].starts_with("execStatus")) columns.status = i;
    if (header[i].starts_with("layerType")) columns.type = i;
    if (header[i].starts_with("execType")) columns.implementation = i;
    if (header[i].starts_with("realTime")) columns.real_ms = i;
  }
  return columns;
}

}  // namespace

bool is_openvino_report(std::string_view head) {
  return head.find("layerName") != std::string_view::npos &&
         head.find("execStatus") != std::string_view::npos;
}

Result<Trace> parse_openvino_report(std::string_view text) {
  Trace trace;
  Columns columns;
  double clock_us = 0;
  int64_t line_number = 0, sections = 0;
  std::map<std::string, size_t, std::less<>> index;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    ++line_number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto fields = split(line, ';');
    if (fields.front().starts_with("layerName")) {
      columns = columns_of(fields);
      ++sections;
      continue;
    }
    if (sections == 0 || fields.size() <= columns.real_ms) continue;
    double real_ms = 0;
    const bool is_total = fields[columns.name] == "Total" || fields[columns.type].empty();
    if (!read_number(fields[columns.real_ms], real_ms)) {
      return bad_input("line {}: found '{}', expected a time in milliseconds", line_number,
                       fields[columns.real_ms]);
    }
    if (is_total) {
      trace.stated_total_us += real_ms * 1e3;
      continue;
    }
    // Layers that were folded away or merged into others are listed with no time.
    const std::string name(fields[columns.name]);
    const auto [entry, is_first] = index.try_emplace(name, trace.operators.size());
    if (is_first) {
      trace.operators.push_back({name,
                                 std::string(fields[columns.type]),
                                 std::string(fields[columns.implementation]),
                                 0,
                                 0,
                                 {},
                                 {}});
    }
    TracedOperator& op = trace.operators[entry->second];
    if (fields[columns.status] == "EXECUTED" || real_ms > 0) ++op.calls;
    op.total_us += real_ms * 1e3;
    if (real_ms <= 0) continue;
    trace.slices.push_back({name,
                            "operator",
                            trace.track("operators"),
                            clock_us,
                            real_ms * 1e3,
                            {},
                            {{"op", op.op}, {"implementation", op.implementation}}});
    clock_us += real_ms * 1e3;
  }
  trace.runs = std::max<int64_t>(1, sections);
  return trace;
}

}  // namespace edgewright
