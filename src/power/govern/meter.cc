#include "power/govern/meter.h"

#include <algorithm>
#include <cmath>

#include "power/energy_trace.h"

namespace edgewright {

EnergyMeter::EnergyMeter(SystemFiles& files, const std::vector<PowerSource>& sources)
    : files_(files) {
  // Counters see everything, sensors only moments: where both are, counters are taken.
  const auto has = [&sources](PowerSource::Kind kind) {
    return std::ranges::find(sources, kind, &PowerSource::kind) != sources.end();
  };
  using Kind = PowerSource::Kind;
  const Kind kind = has(Kind::kRapl)         ? Kind::kRapl
                    : has(Kind::kHwmonPower) ? Kind::kHwmonPower
                                             : Kind::kBattery;
  for (const PowerSource& source : sources) {
    if (source.kind == kind) readings_.push_back({.source = source});
  }
}

void EnergyMeter::sample(double now_s) {
  if (samples_ == 0) first_s_ = last_s_ = now_s;
  const double elapsed_s = now_s - last_s_;
  for (Reading& reading : readings_) {
    if (reading.lost) continue;
    if (reading.source.kind == PowerSource::Kind::kRapl) {
      sample_counter(reading, elapsed_s);
    } else {
      sample_power(reading, elapsed_s);
    }
  }
  last_s_ = now_s;
  ++samples_;
}

void EnergyMeter::sample_counter(Reading& reading, double elapsed_s) {
  const auto counter = files_.read_number(reading.source.value_file);
  const auto range = files_.read_number(reading.source.range_file);
  if (!counter.ok() || !range.ok() || *counter < 0) {
    reading.lost = true;
    return;
  }
  const double now_j = static_cast<double>(*counter) * reading.source.value_w;
  reading.range_j = static_cast<double>(*range) * reading.source.value_w;
  if (reading.begun) {
    const double used_j = counter_difference(reading.last_j, now_j, reading.range_j);
    energy_j_ += used_j;
    if (elapsed_s > 0) highest_w_ = std::max(highest_w_, used_j / elapsed_s);
    if (elapsed_s > longest_safe_gap_s(reading.range_j, highest_w_) * 0.999) ++doubtful_;
  }
  reading.last_j = now_j;
  reading.begun = true;
}

void EnergyMeter::sample_power(Reading& reading, double elapsed_s) {
  const auto value = files_.read_number(reading.source.value_file);
  double factor = 1;
  if (!reading.source.current_file.empty()) {
    const auto current = files_.read_number(reading.source.current_file);
    reading.lost = !current.ok();
    // Amperes come in the same prefix as volts; batteries give them a sign while they charge.
    if (current.ok()) factor = std::fabs(static_cast<double>(*current)) * reading.source.value_w;
  }
  if (!value.ok() || reading.lost) {
    reading.lost = true;
    return;
  }
  const double now_w = std::fabs(static_cast<double>(*value)) * reading.source.value_w * factor;
  if (reading.begun) energy_j_ += (reading.last_w + now_w) / 2 * elapsed_s;
  reading.last_w = now_w;
  reading.begun = true;
}

bool EnergyMeter::working() const {
  return samples_ > 1 && !readings_.empty() &&
         std::ranges::all_of(readings_,
                             [](const Reading& reading) { return reading.begun && !reading.lost; });
}

std::string EnergyMeter::method() const {
  if (readings_.empty()) return "not measured: no counter or sensor";
  std::string names;
  for (const Reading& reading : readings_) {
    names += (names.empty() ? "" : ", ") + reading.source.name + (reading.lost ? " (lost)" : "");
  }
  const bool counter = readings_.front().source.kind == PowerSource::Kind::kRapl;
  const double rate = window_s() > 0 ? static_cast<double>(samples_ - 1) / window_s() : 0;
  return fmt::format("{} of {}, {:.3g} samples/s over {:.3g} s",
                     counter ? "energy counter" : "power sensor, trapezoids", names, rate,
                     window_s());
}

double EnergyMeter::safe_gap_s(double max_power_w) const {
  double gap = HUGE_VAL;
  for (const Reading& reading : readings_) {
    if (reading.range_j > 0) gap = std::min(gap, longest_safe_gap_s(reading.range_j, max_power_w));
  }
  return gap;
}

}  // namespace edgewright
