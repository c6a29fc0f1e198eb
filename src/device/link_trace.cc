#include "device/link_trace.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/file.h"

namespace edgewright {
namespace {

// An hour at 50 Mbit/s has 15 million opportunities of seven digits.
constexpr size_t kMostBytes = size_t{256} << 20;

// Opportunities before a time, counted from the beginning of the trace.
int64_t opportunities_before(const LinkTrace& trace, double time_ms) {
  const auto period = static_cast<double>(trace.period_ms());
  // The end of a period belongs to it: an opportunity there is not before it.
  const double rounds = std::max(0.0, std::ceil(time_ms / period) - 1);
  const auto within = static_cast<int64_t>(std::ceil(time_ms - rounds * period));
  const auto begin = trace.delivery_ms.begin();
  const int64_t count = std::lower_bound(begin, trace.delivery_ms.end(), within) - begin;
  return static_cast<int64_t>(rounds) * std::ssize(trace.delivery_ms) + count;
}

double opportunity_ms(const LinkTrace& trace, int64_t index) {
  const int64_t count = std::ssize(trace.delivery_ms);
  const int64_t rounds = index / count;
  return static_cast<double>(rounds * trace.period_ms() +
                             trace.delivery_ms[static_cast<size_t>(index - rounds * count)]);
}

}  // namespace

double LinkTrace::mean_mbit_s() const {
  return static_cast<double>(std::ssize(delivery_ms) * kOpportunityBytes) * 8e-3 /
         static_cast<double>(period_ms());
}

Result<LinkTrace> parse_link_trace(std::string_view text, std::string_view file) {
  LinkTrace trace;
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty()) continue;
    int64_t time_ms = 0;
    const auto [end, code] = std::from_chars(line.data(), line.data() + line.size(), time_ms);
    if (code != std::errc() || (end != line.data() + line.size() && *end != '\r') || time_ms < 0) {
      return bad_input("{}:{}: found '{}', expected a time in milliseconds", file, number,
                       line.substr(0, 40));
    }
    if (!trace.delivery_ms.empty() && time_ms < trace.delivery_ms.back()) {
      return bad_input("{}:{}: found {} ms after {} ms, expected times that do not fall", file,
                       number, time_ms, trace.delivery_ms.back());
    }
    trace.delivery_ms.push_back(time_ms);
  }
  if (trace.delivery_ms.empty() || trace.period_ms() == 0) {
    return bad_input("{}: found no delivery after 0 ms, expected at least one", file);
  }
  return trace;
}

Result<LinkTrace> read_link_trace(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path, kMostBytes));
  return parse_link_trace(text, path);
}

double delivered_ms(const LinkTrace& trace, double start_ms, double size_bytes) {
  if (size_bytes <= 0) return start_ms;
  const auto needed = static_cast<int64_t>(
      std::ceil(size_bytes / static_cast<double>(LinkTrace::kOpportunityBytes)));
  return opportunity_ms(trace, opportunities_before(trace, start_ms) + needed - 1);
}

double mbit_s_at(const LinkTrace& trace, double start_ms, double window_ms) {
  const int64_t count =
      opportunities_before(trace, start_ms + window_ms) - opportunities_before(trace, start_ms);
  return static_cast<double>(count * LinkTrace::kOpportunityBytes) * 8e-3 / window_ms;
}

}  // namespace edgewright
