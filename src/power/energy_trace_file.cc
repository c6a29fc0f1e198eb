#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/json.h"
#include "power/energy_trace.h"

namespace edgewright {
namespace {

constexpr size_t kMaxSamples = 50'000'000;
constexpr size_t kMaxWindows = 1'000'000;

struct Column {
  std::string_view name;
  double factor;
};
constexpr std::array<Column, 4> kTimes = {
    {{"time_s", 1}, {"time_ms", 1e-3}, {"time_us", 1e-6}, {"time_ns", 1e-9}}};
constexpr std::array<Column, 3> kPowers = {
    {{"power_w", 1}, {"power_mw", 1e-3}, {"power_uw", 1e-6}}};
constexpr std::array<Column, 3> kCounters = {
    {{"energy_j", 1}, {"energy_mj", 1e-3}, {"energy_uj", 1e-6}}};

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const size_t end = line.find(',');
    std::string_view cell = line.substr(0, end);
    const size_t first = cell.find_first_not_of(" \t\r\"");
    const size_t last = cell.find_last_not_of(" \t\r\"");
    cells.push_back(first == std::string_view::npos ? std::string_view()
                                                    : cell.substr(first, last - first + 1));
    if (end == std::string_view::npos) return cells;
    line.remove_prefix(end + 1);
  }
}

struct Found {
  size_t index;
  double factor;
};
template <size_t N>
std::optional<Found> find_column(const std::vector<std::string_view>& heading,
                                 const std::array<Column, N>& columns) {
  for (size_t i = 0; i < heading.size(); ++i) {
    for (const Column& column : columns) {
      if (heading[i] == column.name) return Found{i, column.factor};
    }
  }
  return std::nullopt;
}

std::optional<double> number_in(const std::vector<std::string_view>& cells, const Found& column) {
  if (column.index >= cells.size()) return std::nullopt;
  const std::string_view text = cells[column.index];
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value * column.factor;
}

float float_at(std::string_view bytes, size_t offset) {
  std::array<unsigned char, 4> raw{};
  std::memcpy(raw.data(), bytes.data() + offset, raw.size());
  uint32_t word = 0;
  for (size_t i = raw.size(); i-- > 0;) word = word << 8 | raw[i];
  return std::bit_cast<float>(word);
}

}  // namespace

Result<EnergyTrace> parse_trace_csv(std::string_view text, std::string_view file) {
  EnergyTrace trace;
  std::optional<Found> time, value;
  for (size_t line_number = 1; !text.empty(); ++line_number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos || line[0] == '#') continue;
    const auto cells = cells_of(line);
    if (!time) {
      time = find_column(cells, kTimes);
      value = find_column(cells, kPowers);
      if (!value) {
        value = find_column(cells, kCounters);
        trace.kind = EnergyTrace::Kind::kCounter;
      }
      if (time && value) continue;
      return bad_input(
          "{}:{}: expected a heading with a column time_s, time_ms, time_us or "
          "time_ns and a column power_w, power_mw, power_uw, energy_j, energy_mj or "
          "energy_uj",
          file, line_number);
    }
    const auto at = number_in(cells, *time), sample = number_in(cells, *value);
    if (!at || !sample) return bad_input("{}:{}: expected a time and a value", file, line_number);
    if (!trace.time_s.empty() && *at < trace.time_s.back()) {
      return bad_input("{}:{}: time goes back from {:g} to {:g} s; sort the trace", file,
                       line_number, trace.time_s.back(), *at);
    }
    if (trace.value.size() == kMaxSamples) {
      return bad_input("{}:{}: expected at most {} samples", file, line_number, kMaxSamples);
    }
    trace.time_s.push_back(*at);
    trace.value.push_back(*sample);
  }
  if (trace.value.empty()) return bad_input("{}: no samples", file);
  return trace;
}

Result<EnergyTrace> parse_trace_mlperf_tiny(std::string_view bytes, std::string_view file) {
  constexpr size_t kHeader = 5;
  if (bytes.size() < kHeader || static_cast<unsigned char>(bytes[0]) != 0xF1 ||
      (bytes.size() - kHeader) % 4 != 0) {
    return bad_input("{}: {} bytes; expected 0xF1, a sample rate and microjoules as float32", file,
                     bytes.size());
  }
  EnergyTrace trace;
  trace.kind = EnergyTrace::Kind::kSteps;
  const double rate = float_at(bytes, 1);
  if (!(rate > 0) || !(rate < 1e9)) {
    return bad_input("{}: sample rate {:g} Hz at offset 1, expected above 0", file, rate);
  }
  trace.step_s = 1 / rate;
  for (size_t at = kHeader; at < bytes.size(); at += 4) {
    const double microjoules = float_at(bytes, at);
    if (!std::isfinite(microjoules)) {
      return bad_input("{}: energy {:g} at offset {}, expected a number", file, microjoules, at);
    }
    trace.value.push_back(microjoules);
  }
  return trace;
}

Result<std::vector<std::pair<double, double>>> parse_windows(std::string_view text,
                                                             std::string_view file) {
  const Json json = Json::parse(text, nullptr, false);
  std::vector<std::pair<double, double>> windows;
  const bool list =
      json.is_array() && json.size() % 2 == 0 && !json.empty() && json.size() / 2 <= kMaxWindows;
  if (!list) {
    return bad_input("{}: expected a JSON list of an even number of time stamps in seconds", file);
  }
  for (size_t i = 0; i < json.size(); i += 2) {
    if (!json[i].is_number() || !json[i + 1].is_number()) {
      return bad_input("{}: items {} and {} are no numbers", file, i, i + 1);
    }
    windows.emplace_back(json[i].get<double>(), json[i + 1].get<double>());
  }
  return windows;
}

}  // namespace edgewright
