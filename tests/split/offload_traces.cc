// The policies on recorded links: prints the regret of each against the per-step oracle.
//
// usage: offload_traces FOLDER

#include <cstdio>
#include <filesystem>

#include "split/offload/simulate.h"

namespace edgewright {
namespace {

constexpr size_t kWarmUp = 500;

// `downlink`: brings back answers of this size; null: they take no time.
void run_on(const std::string& name, const LinkTrace& trace, const LinkTrace* downlink,
            double answer_bytes, double* worst_share) {
  OffloadScenario scenario;
  scenario.steps = 2500;
  scenario.workload.answer_bytes = answer_bytes;
  const auto steps = steps_on_trace(trace, scenario, downlink);
  LinUcbOptions unforced;
  unforced.forced_period = 0;
  const std::unique_ptr<OffloadPolicy> policies[] = {
      make_lin_ucb(kOffloadWays, kOffloadFeatures),
      make_lin_ucb(kOffloadWays, kOffloadFeatures, unforced),
      make_tabular(kOffloadWays, 1),
      make_dqn(kOffloadWays, kOffloadFeatures, 1),
      make_fixed(kLocal, "always-local"),
      make_fixed(kRemote, "always-remote"),
      make_fixed(kSplit, "always-split"),
      make_fixed(kRacedRemote, "always-race-remote"),
      make_fixed(kRacedSplit, "always-race-split")};
  std::printf("%-36s %5.2f Mbit/s:", name.c_str(), trace.mean_mbit_s());
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
  // Uplinks, answers that come down the downlink of the same record, and downlinks as uplinks.
  double worst = 0;
  const struct {
    const char *up, *down;
    double answer_bytes;
  } links[] = {{"ATT-LTE-driving.up", "", 0},
               {"TMobile-LTE-short.up", "", 0},
               {"ATT-LTE-driving.up", "ATT-LTE-driving.down", 1000},
               {"TMobile-LTE-short.up", "TMobile-LTE-short.down", 1000},
               {"ATT-LTE-driving.up", "ATT-LTE-driving.down", 20000},
               {"TMobile-LTE-short.up", "TMobile-LTE-short.down", 20000},
               {"ATT-LTE-driving.down", "", 0},
               {"TMobile-LTE-driving.down", "", 0},
               {"TMobile-LTE-short.down", "", 0}};
  for (const auto& link : links) {
    const auto uplink = read_link_trace(folder + "/" + link.up);
    const bool has_downlink = link.down[0] != '\0';
    const auto downlink = read_link_trace(folder + "/" + (has_downlink ? link.down : link.up));
    if (!uplink.ok() || !downlink.ok()) {
      std::printf("%s\n", (uplink.ok() ? downlink : uplink).error().message.c_str());
      return 1;
    }
    run_on(link.up + (has_downlink ? fmt::format(" + {:g} B down", link.answer_bytes) : ""),
           *uplink, has_downlink ? &*downlink : nullptr, link.answer_bytes, &worst);
  }
  std::printf("lin-ucb: at most %.2f %%\n", 100 * worst);
  return worst < 0.05 ? 0 : 1;
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  return edgewright::run(argv[1]);
}
