#include "power/energy_trace.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

struct Segment {
  double start_s, end_s, start_w, end_w;
};

// Sums that would lose small parts in one double.
class Sum {
 public:
  void add(double value) {
    const double corrected = value - lost_;
    const double next = total_ + corrected;
    lost_ = (next - total_) - corrected;
    total_ = next;
  }
  double value() const { return total_; }

 private:
  double total_ = 0, lost_ = 0;
};

// The part of a segment's energy that lies within a window.
double energy_within_j(const Segment& segment, double from_s, double to_s) {
  const double length = segment.end_s - segment.start_s;
  const double a = std::max(segment.start_s, from_s), b = std::min(segment.end_s, to_s);
  if (length <= 0 || b <= a) return 0;
  const double slope = (segment.end_w - segment.start_w) / length;
  const double middle = segment.start_w + slope * ((a + b) / 2 - segment.start_s);
  return middle * (b - a);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

class Integrator {
 public:
  Integrator(const EnergyTrace& trace, const IntegrationOptions& options)
      : trace_(trace), options_(options) {}

  Result<TraceIntegral> run() {
    out_.samples = std::ssize(trace_.value);
    if (trace_.kind == EnergyTrace::Kind::kSteps) {
      make_steps();
    } else {
      make_segments();
      find_gaps();
    }
    auto windows = options_.windows;
    if (windows.empty()) windows = {{begin_s(), end_s()}};
    for (const auto& [from, to] : windows) {
      if (!(from < to) || from < begin_s() - 1e-9 || to > end_s() + 1e-9) {
        return bad_input("window {:g} to {:g} s, expected one inside the trace, {:g} to {:g} s",
                         from, to, begin_s(), end_s());
      }
      add_window(from, to);
    }
    warn();
    return std::move(out_);
  }

 private:
  double begin_s() const { return segments_.front().start_s; }
  double end_s() const { return segments_.back().end_s; }

  void make_steps() {
    out_.sample_period_s = trace_.step_s;
    for (size_t i = 0; i < trace_.value.size(); ++i) {
      const double watts = trace_.value[i] * 1e-6 / trace_.step_s;
      segments_.push_back({static_cast<double>(i) * trace_.step_s,
                           static_cast<double>(i + 1) * trace_.step_s, watts, watts});
    }
  }

  void make_segments() {
    std::vector<double> steps;
    for (size_t i = 1; i < trace_.value.size(); ++i) {
      const double start = trace_.time_s[i - 1], end = trace_.time_s[i];
      const double before = trace_.value[i - 1], after = trace_.value[i];
      if (start == end) {
        ++out_.duplicates;
        // The counter's change between equal stamps belongs to the step before.
        if (trace_.kind == EnergyTrace::Kind::kCounter && !segments_.empty()) {
          Segment& last = segments_.back();
          const double watts =
              last.start_w + difference(before, after) / (last.end_s - last.start_s);
          last.start_w = last.end_w = watts;
        }
        continue;
      }
      steps.push_back(end - start);
      if (trace_.kind == EnergyTrace::Kind::kPower) {
        segments_.push_back({start, end, before, after});
      } else {
        const double watts = difference(before, after) / (end - start);
        segments_.push_back({start, end, watts, watts});
      }
    }
    out_.sample_period_s = median(std::move(steps));
  }

  double difference(double before, double after) {
    if (after < before) ++out_.wraps;
    return counter_difference(before, after, options_.counter_range_j);
  }

  void find_gaps() {
    // A jump has two values at one time, and both bound the power.
    double lowest = segments_[0].start_w, highest = lowest;
    std::vector<double> powers;
    for (const Segment& segment : segments_) {
      lowest = std::min({lowest, segment.start_w, segment.end_w});
      highest = std::max({highest, segment.start_w, segment.end_w});
    }
    for (const Segment& segment : segments_) {
      const double length = segment.end_s - segment.start_s;
      if (length <= options_.gap_factor * out_.sample_period_s) continue;
      TraceGap gap{.start_s = segment.start_s, .end_s = segment.end_s};
      gap.energy_uj = energy_within_j(segment, segment.start_s, segment.end_s) * 1e6;
      const double max_w = options_.max_power_w > 0 ? options_.max_power_w : highest;
      const bool counter = trace_.kind == EnergyTrace::Kind::kCounter;
      const double safe = longest_safe_gap_s(options_.counter_range_j, max_w);
      if (counter && options_.counter_range_j > 0 && length > safe) {
        gap.reason = fmt::format(
            "the counter may have wrapped more than once: {:.3g} s without a "
            "reading, at most {:.3g} s are safe",
            length, safe);
        const double unseen = std::floor(length * max_w / options_.counter_range_j);
        gap.uncertainty_uj = unseen * options_.counter_range_j * 1e6;
      } else {
        gap.reason = fmt::format("{:.3g} s without a sample, {:.3g} s is usual", length,
                                 out_.sample_period_s);
        gap.uncertainty_uj = counter ? 0 : (highest - lowest) / 2 * length * 1e6;
      }
      out_.gaps.push_back(std::move(gap));
    }
  }

  void add_window(double from, double to) {
    Sum sum;
    const auto first = std::ranges::upper_bound(segments_, from, {}, &Segment::end_s);
    for (auto at = first; at != segments_.end() && at->start_s < to; ++at) {
      sum.add(energy_within_j(*at, from, to));
    }
    TraceWindow window{.start_s = from, .end_s = to, .energy_uj = sum.value() * 1e6};
    for (const TraceGap& gap : out_.gaps) {
      const double within = std::min(gap.end_s, to) - std::max(gap.start_s, from);
      if (within > 0)
        window.uncertainty_uj += gap.uncertainty_uj * within / (gap.end_s - gap.start_s);
    }
    out_.windows.push_back(window);
  }

  void warn() {
    if (out_.duplicates > 0) {
      out_.warnings.push_back(
          fmt::format("{} duplicated time stamps, taken as jumps", out_.duplicates));
    }
    if (out_.wraps > 0 && options_.counter_range_j == 0) {
      out_.warnings.push_back(
          fmt::format("the counter fell {} times and its range is not known; "
                      "give --counter-range-uj",
                      out_.wraps));
    }
    for (const TraceGap& gap : out_.gaps) {
      out_.warnings.push_back(
          fmt::format("gap from {:g} to {:g} s: {}", gap.start_s, gap.end_s, gap.reason));
    }
  }

  const EnergyTrace& trace_;
  const IntegrationOptions& options_;
  std::vector<Segment> segments_;
  TraceIntegral out_;
};

}  // namespace

double counter_difference(double before, double after, double range) {
  const double difference = after - before;
  if (difference >= 0) return difference;
  return range > 0 ? difference + range : 0;
}

double longest_safe_gap_s(double counter_range_j, double max_power_w) {
  return max_power_w > 0 ? counter_range_j / max_power_w : HUGE_VAL;
}

Result<TraceIntegral> integrate(const EnergyTrace& trace, const IntegrationOptions& options) {
  const bool steps = trace.kind == EnergyTrace::Kind::kSteps;
  const bool spans_time =
      steps ? !trace.value.empty()
            : trace.value.size() >= 2 && trace.time_s.front() < trace.time_s.back();
  if (!spans_time) return bad_input("the trace has no two samples at different times");
  return Integrator(trace, options).run();
}

}  // namespace edgewright
