#pragma once

#include <vector>

#include "power/machine.h"

namespace edgewright {

// One way of doing a step, and what it costs.
struct FrontChoice {
  Setting setting;
  double step_s = 0;
  double energy_j = 0;  // of the step: cores, memory, and the platform unless it is on anyway
  double power_w = 0;   // of the whole device meanwhile
};

// What a step costs at a setting. With `platform_on_anyway` the energy leaves the platform out.
FrontChoice cost_of(const Machine& machine, const StepWork& work, const std::string& dtype,
                    const Setting& setting, double die_c, bool platform_on_anyway);

// The choices that no other beats in both time and energy, quickest first. Every number of cores
// and operating point of each cluster is looked at, with every product divided among all cores, and
// as a pipeline of layers where that is quicker; `die_c` sets the leakage. With
// `platform_on_anyway` the rest of the device draws its power whether there is work or not, so that
// ending sooner does not save it: then pacing can beat racing to idle.
std::vector<FrontChoice> pareto_front(const Machine& machine, const StepWork& work,
                                      const std::string& dtype, double die_c,
                                      bool platform_on_anyway = false);

// The same in time and power: what is left where a device may not even rest.
std::vector<FrontChoice> power_front(const Machine& machine, const StepWork& work,
                                     const std::string& dtype, double die_c);

// Of a front: least energy with at most this time; the quickest when none is quick enough.
const FrontChoice& cheapest_within(const std::vector<FrontChoice>& front, double limit_s);
// The quickest with at most this power; the one of least power when none is low enough.
const FrontChoice& quickest_within_power(const std::vector<FrontChoice>& front, double limit_w);
// The largest performance^a / power^b, performance being steps a second (Energy, delay and their
// products are special cases: a = b = 1 minimises energy, a = 2, b = 1 energy times delay).
const FrontChoice& best_utility(const std::vector<FrontChoice>& front, double a, double b);

// The exponents of the modes that a user may choose.
struct PowerMode {
  const char* name;
  double a, b;
};
constexpr PowerMode kPowerModes[] = {
    {"performance", 1, 0}, {"balanced", 2, 1}, {"cool", 1, 1}, {"long-lasting", 1, 1.5}};

}  // namespace edgewright
