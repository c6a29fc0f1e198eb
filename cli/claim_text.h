#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace edgewright::cli {

// A percentile of latency, or "-" where the samples are too few to claim one.
inline std::string claim_text(double value, int decimals) {
  return std::isnan(value) ? "-" : fmt::format("{:.{}f}", value, decimals);
}

}  // namespace edgewright::cli
