#pragma once

#include <vector>

#include "device/roofs.h"
#include "edgewright/profile.h"

namespace edgewright {

// One opportunity: which operators it touches, how much quicker those can become, and what it asks
// for. The figures of ease, risk and complexity are judgements from 1 (little) to 5 (much).
struct Opportunity {
  std::string_view name;
  std::string_view command;  // how this tool does it; empty: it does not
  int ease = 3, risk = 1, complexity = 1;
  bool (*touches)(const ProfiledOperator& op, const ProfileReport& report);
  // How many times quicker the touched operators become at most, from the roofs.
  double (*potential)(const ProfiledOperator& op, const Roofs& roofs, int threads);
  std::string_view why;
};
std::span<const Opportunity> opportunities();

// Amdahl's law: the speed-up of the whole when `share` of it becomes `factor` times quicker.
double amdahl(double share, double factor);

// Every opportunity that touches anything, the highest priority first. Priority = share x
// potential x ease / (risk x complexity), with potential as the share of the touched time that
// goes. The kind of bound decides what is looked at first: attention when it takes over 45 % of
// the time, then what waits for memory, then what computes.
std::vector<AdviceRow> advise(const ProfileReport& report, const Roofs& roofs);

}  // namespace edgewright
