// The policies on recorded links: prints the regret of each against the per-step oracle.
//
// usage: offload_traces FOLDER

#include <cstdio>
#include <filesystem>

#include "split/offload/simulate.h"

namespace edgewright {
namespace {

constexpr size_t kWarmUp = 500;

void run_on(const std::string& name, const LinkTrace& trace, double* worst_share) {
  OffloadScenario scenario;
  scenario.steps = 2500;
  const auto steps = steps_on_trace(trace, scenario);
  LinUcbOptions unforced;
  unforced.forced_period = 0;
  const std::unique_ptr<OffloadPolicy> policies[] = {
      make_lin_ucb(kOffloadWays, kOffloadFeatures),
      make_lin_ucb(kOffloadWays, kOffloadFeatures, unforced),
      make_tabular(kOffloadWays, 1),
      make_dqn(kOffloadWays, kOffloadFeatures, 1),
      make_fixed(kLocal, "always-local"),
      make_fixed(kRemote, "always-remote"),
      make_fixed(kSplit, "always-split")};
  std::printf("%-26s %5.2f Mbit/s:", name.c_str(), trace.mean_mbit_s());
  for (size_t i = 0; i < std::size(policies); ++i) {
    const OffloadResult result = run_policy(steps, *policies[i], kWarmUp);
    std::printf("  %s%s %.2f %%", i == 1 ? "unforced-" : "", result.policy.c_str(),
                100 * result.regret_share);
    if (i == 0) *worst_share = std::max(*worst_share, result.regret_share);
  }
  std::printf("\n");
}

int run(const std::string& folder) {
  if (!std::filesystem::exists(folder)) {
    std::printf("skipped: %s is not here\n", folder.c_str());
    return 77;
  }
  // Requests go up, so the uplinks are the ones that count; a downlink used as an uplink is a link
  // of another kind, shown for comparison.
  double uplinks = 0, others = 0;
  for (const char* name : {"ATT-LTE-driving.up", "TMobile-LTE-short.up", "ATT-LTE-driving.down",
                           "TMobile-LTE-driving.down", "TMobile-LTE-short.down"}) {
    const auto trace = read_link_trace(folder + "/" + name);
    if (!trace.ok()) {
      std::printf("%s\n", trace.error().message.c_str());
      return 1;
    }
    run_on(name, *trace, std::string_view(name).ends_with(".up") ? &uplinks : &others);
  }
  std::printf("lin-ucb: at most %.2f %% on LTE uplinks, %.2f %% on downlinks used as uplinks\n",
              100 * uplinks, 100 * others);
  return uplinks < 0.05 ? 0 : 1;
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  return edgewright::run(argv[1]);
}
