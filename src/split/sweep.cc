#include "split/sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "split/solve.h"

namespace edgewright {
namespace {

// A placement's latency as a function of the first hop's time per byte.
struct Line {
  Placement placement;
  std::string cut;
  double base_us = 0, bytes = 0;

  double at(double us_per_byte) const { return base_us + bytes * us_per_byte; }
};

// The ratio of the way back to the way out stays as it is.
SplitProblem with_bandwidth(const SplitProblem& problem, double us_per_byte) {
  SplitProblem changed = problem;
  changed.hops[0].us_per_byte = us_per_byte;
  return changed;
}

Result<Line> best_line(const SplitProblem& problem, double us_per_byte) {
  const SplitProblem changed = with_bandwidth(problem, us_per_byte);
  EDGEWRIGHT_ASSIGN(Placement placement, minimum_cut(changed));
  const SplitCost cost = cost_of(changed, placement);
  Line line{placement, cut_name(problem, placement), 0, cost.sent_bytes[0]};
  line.base_us = cost.latency_us - line.bytes * us_per_byte;
  return line;
}

// Appends the lines that are optimal strictly between two points where `low` and `high` are.
Status refine(const SplitProblem& problem, const Line& low, const Line& high, int depth,
              std::vector<Line>& lines) {
  // No problem has more crossings than it has layers; the depth guards against rounding only.
  if (depth > 64 || low.bytes <= high.bytes) return {};
  const double meet = (high.base_us - low.base_us) / (low.bytes - high.bytes);
  if (!(meet > 0) || !std::isfinite(meet)) return {};
  EDGEWRIGHT_ASSIGN(const Line middle, best_line(problem, meet));
  // Capacities are rounded to a share of 2^-46 of their sum.
  const double rounding_us = 1e-9 * low.at(meet);
  if (middle.at(meet) >= low.at(meet) - rounding_us) return {};
  EDGEWRIGHT_TRY(refine(problem, low, middle, depth + 1, lines));
  lines.push_back(middle);
  return refine(problem, middle, high, depth + 1, lines);
}

}  // namespace

double us_per_byte_at(double mbit_per_s) { return 8 / mbit_per_s; }
double mbit_per_s_of(double us_per_byte) { return 8 / us_per_byte; }

Result<std::vector<BandwidthCrossing>> bandwidth_crossings(const SplitProblem& problem,
                                                           double low_mbit_per_s,
                                                           double high_mbit_per_s) {
  std::vector<BandwidthCrossing> crossings;
  if (problem.hops.empty()) return crossings;
  // From little time per byte, where much is sent, to a lot of it.
  EDGEWRIGHT_ASSIGN(Line first, best_line(problem, us_per_byte_at(high_mbit_per_s)));
  EDGEWRIGHT_ASSIGN(Line last, best_line(problem, us_per_byte_at(low_mbit_per_s)));
  std::vector<Line> lines = {first};
  EDGEWRIGHT_TRY(refine(problem, first, last, 0, lines));
  lines.push_back(last);
  for (size_t i = lines.size() - 1; i > 0; --i) {
    const Line &below = lines[i], &above = lines[i - 1];
    if (below.cut == above.cut || above.bytes <= below.bytes) continue;
    const double meet = (below.base_us - above.base_us) / (above.bytes - below.bytes);
    crossings.push_back({mbit_per_s_of(meet), below.cut, above.cut});
  }
  return crossings;
}

Result<CutMap> cut_map(const SplitProblem& problem, std::vector<double> mbit_per_s,
                       std::vector<double> latency_us) {
  CutMap map{std::move(mbit_per_s), std::move(latency_us), {}, {}};
  if (problem.hops.empty()) return usage_error("a map needs a link");
  for (const double fixed_us : map.latency_us) {
    auto& cuts = map.cuts.emplace_back();
    auto& totals = map.total_us.emplace_back();
    for (const double rate : map.mbit_per_s) {
      SplitProblem changed = with_bandwidth(problem, us_per_byte_at(rate));
      changed.hops[0].fixed_us = fixed_us;
      EDGEWRIGHT_ASSIGN(const Placement placement, minimum_cut(changed));
      cuts.push_back(cut_name(problem, placement));
      totals.push_back(cost_of(changed, placement).latency_us);
    }
  }
  return map;
}

}  // namespace edgewright
