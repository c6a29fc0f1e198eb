#include "profile/trace/tflite.h"

#include <algorithm>
#include <charconv>

namespace edgewright {
namespace {

constexpr std::string_view kSection = "Operator-wise Profiling Info";
// Below the tables: what all nodes of a run took, over so many runs.
constexpr std::string_view kTimings = "Timings (microseconds):";
// The first line of the program's log.
constexpr std::string_view kLogStart = "STARTING!";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r%");
  if (first == std::string_view::npos) return "";
  const size_t last = text.find_last_not_of(" \t\r%");
  return text.substr(first, last - first + 1);
}

std::vector<std::string_view> fields_of(std::string_view line) {
  const char separator = line.find('\t') != std::string_view::npos ? '\t' : ',';
  std::vector<std::string_view> fields;
  while (true) {
    const size_t end = line.find(separator);
    fields.push_back(trimmed(line.substr(0, end)));
    if (end == std::string_view::npos) break;
    line.remove_prefix(end + 1);
  }
  // Lines of the text form begin with a separator.
  if (!fields.empty() && fields.front().empty()) fields.erase(fields.begin());
  return fields;
}

bool read_number(std::string_view text, double& value) {
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

// Columns differ between versions; they are found by their headings.
struct Columns {
  size_t type = 0, average_ms = 0, name = 0, calls = 0;
};

bool read_header(const std::vector<std::string_view>& fields, Columns& columns) {
  const auto find = [&](std::initializer_list<std::string_view> names, size_t& column) {
    for (size_t i = 0; i < fields.size(); ++i) {
      for (const auto name : names) {
        if (fields[i] != name && fields[i] != fmt::format("[{}]", name)) continue;
        column = i;
        return true;
      }
    }
    return false;
  };
  return find({"node type"}, columns.type) && find({"avg ms", "avg_ms"}, columns.average_ms) &&
         find({"Name", "name"}, columns.name) &&
         find({"times called", "times_called"}, columns.calls);
}

// The number behind `key` in a line of the form "count=50 first=8201 avg=8123.4"; 0 where it is
// not.
double number_behind(std::string_view line, std::string_view key) {
  const size_t at = line.find(key);
  if (at == std::string_view::npos) return 0;
  const std::string_view text = line.substr(at + key.size());
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && value > 0 && value < 1e12 ? value : 0;
}

void read_timings(std::string_view text, Trace& trace) {
  const size_t at = text.find(kTimings);
  if (at == std::string_view::npos) return;
  const std::string_view line = text.substr(at, text.find('\n', at) - at);
  const double average_us = number_behind(line, " avg=");
  trace.stated_total_us = average_us > 0 ? average_us : number_behind(line, " curr=");
  trace.runs = std::max<int64_t>(1, static_cast<int64_t>(number_behind(line, " count=")));
}

}  // namespace

bool is_tflite_report(std::string_view head) {
  return head.find("node type") != std::string_view::npos ||
         head.find(kSection) != std::string_view::npos ||
         head.find(kLogStart) != std::string_view::npos;
}

Result<Trace> parse_tflite_report(std::string_view text) {
  Trace trace;
  // The first section is of initialisation; the operators' own section comes after.
  if (const size_t section = text.find(kSection); section != std::string_view::npos) {
    text.remove_prefix(section);
  }
  Columns columns;
  bool in_table = false;
  double clock_us = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto fields = fields_of(line);
    if (!in_table) {
      in_table = fields.size() >= 4 && read_header(fields, columns);
      continue;
    }
    const size_t wanted = std::max({columns.type, columns.average_ms, columns.name, columns.calls});
    double average_ms = 0, calls = 1;
    // The table in run order ends at the first line that is none of its rows.
    if (fields.size() <= wanted || !read_number(fields[columns.average_ms], average_ms)) break;
    if (!read_number(fields[columns.calls], calls) || calls < 0 || calls > 1e9) calls = 1;
    const std::string name(fields[columns.name]), op(fields[columns.type]);
    trace.operators.push_back(
        {name, op, "", static_cast<int64_t>(calls), average_ms * 1e3, {}, {}});
    trace.slices.push_back(
        {name, "operator", trace.track("operators"), clock_us, average_ms * 1e3, {}, {{"op", op}}});
    clock_us += average_ms * 1e3;
  }
  if (trace.operators.empty()) {
    return bad_input("no table of operators; run benchmark_model with --enable_op_profiling=true");
  }
  read_timings(text, trace);
  return trace;
}

}  // namespace edgewright
