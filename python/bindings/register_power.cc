#include "edgewright/power.h"

#include "register.h"
#include "report.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

Keywords<PowerSimulateOptions> simulate_keywords() {
  using O = PowerSimulateOptions;
  return {
      keyword<O>("device", &O::device, "of the catalogue, or a file"),
      keyword<O>("policies", &O::policies, "what chooses settings"),
      keyword<O>("precision", &O::precision, "fp16, int8 or int4"),
      keyword<O>("workload", &O::workload, "continuous, poisson, bursts, day or single"),
      keyword<O>("rate_per_s", &O::rate_per_s, "requests per second"),
      keyword<O>("prompt_tokens", &O::prompt_tokens, "of a request"),
      keyword<O>("output_tokens", &O::output_tokens, "of a request"),
      keyword<O>("seconds", &O::seconds, "of virtual time"),
      keyword<O>("ambient", &O::ambient, "Celsius; \"0:25,600:35\" changes it"),
      keyword<O>("skin_limit_c", &O::skin_limit_c, "-1: the device's own, 0: none"),
      keyword<O>("max_batch", &O::max_batch, "requests in a batch"),
      keyword<O>("batch_wait_ms", &O::batch_wait_ms, "for a batch to fill"),
      keyword<O>("deadline_ms", &O::deadline_ms, "of a request; 0: none"),
      keyword<O>("slack", &O::slack, "of phase-aware: times the quickest step"),
      keyword<O>("trace", &O::trace, "Perfetto file to write"),
      keyword<O>("seed", &O::seed, "of the workload"),
  };
}

Keywords<PowerPlanOptions> plan_keywords() {
  using O = PowerPlanOptions;
  return {
      keyword<O>("device", &O::device, "of the catalogue, or a file"),
      keyword<O>("precisions", &O::precisions, "to choose from"),
      keyword<O>("batches", &O::batches, "to choose from"),
      keyword<O>("token_ms", &O::token_ms, "limit; 0: `slack` times the quickest"),
      keyword<O>("first_token_ms", &O::first_token_ms, "limit; 0: `slack` times the quickest"),
      keyword<O>("slack", &O::slack, "times the quickest"),
      keyword<O>("ambient_c", &O::ambient_c, "Celsius"),
      keyword<O>("skin_limit_c", &O::skin_limit_c, "-1: the device's own, 0: none"),
      keyword<O>("battery_hours", &O::battery_hours, "that one charge has to last; 0: none"),
      keyword<O>("prompt_tokens", &O::prompt_tokens, "of a request"),
      keyword<O>("output_tokens", &O::output_tokens, "of a request"),
  };
}

Keywords<PowerEnergyOptions> energy_keywords() {
  using O = PowerEnergyOptions;
  return {
      keyword<O>("timestamps", &O::timestamps, "JSON list of window ends"),
      keyword<O>("windows", &O::windows, "(start, end) in seconds; empty: the whole trace"),
      keyword<O>("gap_factor", &O::gap_factor, "a step this many times the usual one is a gap"),
      keyword<O>("counter_range_uj", &O::counter_range_uj, "where a counter wraps; 0: never"),
      keyword<O>("max_power_w", &O::max_power_w, "of the device; 0: the trace's own highest"),
  };
}

}  // namespace

void register_power(nb::module_& module) {
  define<PowerPlanOptions, 1>(module, "power_plan", {"model"}, plan_keywords(),
                              "Cores, frequency, precision, batch and duty under limits.",
                              [](const auto& texts, const PowerPlanOptions& options) {
                                return power_plan(texts[0], options);
                              });
  define<PowerSimulateOptions, 1>(module, "power_simulate", {"model"}, simulate_keywords(),
                                  "A workload on a device in virtual time: energy, heat, latency.",
                                  [](const auto& texts, const PowerSimulateOptions& options) {
                                    return power_simulate(texts[0], options);
                                  });
  define<PowerEnergyOptions, 1>(module, "power_energy", {"trace"}, energy_keywords(),
                                "The energy in windows of a recorded trace.",
                                [](const auto& texts, const PowerEnergyOptions& options) {
                                  return power_energy(texts[0], options);
                                });
}

}  // namespace edgewright::python
