#include "command.h"
#include "edgewright/split.h"

namespace edgewright::cli {
namespace {

std::string summary(const OffloadReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"policy", "mean cost", "regret %", "device", "server", "split", "race", "split race"}};
  for (const OffloadFigures& figures : report.policies) {
    auto& row = rows.emplace_back();
    row = {figures.policy, fmt::format("{:.2f}", figures.mean_cost),
           fmt::format("{:.2f}", 100 * figures.regret_share)};
    for (const int64_t count : figures.chosen) row.push_back(fmt::format("{}", count));
  }
  return table(rows) +
         fmt::format(
             "\nthe oracle, which knows every outcome in advance: {:.2f}; link {:.2f} "
             "Mbit/s on average; costs after 500 requests\n",
             report.oracle_cost, report.mean_mbit_s) +
         warnings_text(report.warnings);
}

}  // namespace

Action declare_split_offload(CLI::App& app, CommonOptions& common) {
  auto options = std::make_shared<OffloadOptions>();
  app.add_option("TRACE", options->trace, "a recorded uplink (mahimahi)")->required();
  app.add_option("--local-ms", options->local_ms, "all of a request on the device");
  app.add_option("--head-ms", options->head_ms, "the device's part of a cut request");
  app.add_option("--server-ms", options->server_ms, "all of a request on the server");
  app.add_option("--tail-ms", options->tail_ms, "the server's part of a cut request");
  app.add_option("--input-kb", options->input_kb, "sent for the server");
  app.add_option("--cut-kb", options->cut_kb, "sent for a cut request");
  app.add_option("--downlink", options->downlink, "a recorded downlink, for large answers");
  app.add_option("--answer-kb", options->answer_kb, "sent back on it");
  app.add_option("--latency-ms", options->latency_ms, "round trip");
  app.add_option("--patience-ms", options->patience_ms, "then the device does the work after all");
  app.add_option("--interval-ms", options->interval_ms, "between requests");
  app.add_option("--requests", options->requests, "how many");
  app.add_option("--per-energy-mj", options->per_energy_mj, "cost of energy beside latency");
  app.add_option("--per-device-ms", options->per_device_ms, "what the device's time is worth");
  app.add_option("--state", options->state, "keep what lin-ucb learned")->type_name("FILE");
  return [options, &common]() -> Result<Outcome> {
    options->seed = common.seed;
    EDGEWRIGHT_ASSIGN(const OffloadReport report, compare_offloading(*options));
    return Outcome{summary(report), to_json(report), true};
  };
}

}  // namespace edgewright::cli
