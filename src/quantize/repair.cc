#include "quantize/repair.h"

#include <algorithm>

#include "quantize/migrate_scales.h"

namespace edgewright {
namespace {

// Of activations (1) against weights (0): what SmoothQuant finds good for most models.
constexpr double kStrength = 0.5;
// Channel maxima settle quickly.
constexpr size_t kMostSamples = 128;

// The decision of the migrated model takes the place of the other; of each kind of choice the last
// word stays.
void take_over(StaticResult& chosen, StaticResult migrated) {
  std::erase_if(migrated.choices, [](const QuantChoice& c) { return c.what == "calibrator"; });
  std::erase_if(chosen.choices, [](const QuantChoice& c) { return c.what == "bias correction"; });
  migrated.choices.insert(migrated.choices.begin(), chosen.choices.begin(), chosen.choices.end());
  migrated.calibration_us += chosen.calibration_us;
  chosen = std::move(migrated);
}

}  // namespace

Result<std::vector<std::string>> try_migration(std::unique_ptr<Graph>& graph, SampleRunner& runner,
                                               const SampleSplit& split,
                                               const OutputReference& reference,
                                               StaticOptions& options, StaticResult& chosen) {
  std::vector<std::string> scaled;
  const auto sites = migration_sites(*graph);
  if (sites.empty()) return scaled;
  const auto samples = std::span(split.calibration);
  EDGEWRIGHT_ASSIGN(
      const ChannelMaxima maxima,
      channel_maxima(*graph, sites, runner, samples.first(std::min(samples.size(), kMostSamples))));
  StaticOptions again = options;
  // The calibrator that won before is taken; a mix per layer is nearest to least squared error.
  again.calibrator = chosen.calibrator == "per layer" ? "mse" : chosen.calibrator;
  again.cache.clear();
  auto copy = clone(*graph);
  EDGEWRIGHT_ASSIGN(auto changed, migrate_scales(*copy, maxima, kStrength));
  EDGEWRIGHT_ASSIGN(StaticResult migrated, quantize_static(*copy, runner, split, reference, again));
  const double before = chosen.quality.relative_l2, after = migrated.quality.relative_l2;
  const bool better = measurably_better(migrated.quality, chosen.quality);
  if (better) {
    graph = std::move(copy);
    scaled = std::move(changed);
    options.cache.clear();
    take_over(chosen, std::move(migrated));
  }
  chosen.choices.push_back(
      {"scale migration", better ? "kept" : "left out", better ? "left out" : "kept",
       fmt::format("relative L2 error of the outputs {:.4g} with it at {} values, {:.4g} without; "
                   "kept where that is a twentieth less",
                   after, sites.size(), before)});
  return scaled;
}

}  // namespace edgewright
