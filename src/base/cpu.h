#pragma once

#include <string>
#include <vector>

namespace edgewright {

// What the processor is and can do.
struct CpuInfo {
  std::string model;                  // as the system names it; empty when it does not
  std::vector<std::string> features;  // instruction sets that kernels may use, sorted
};

// Of this machine, found out once.
const CpuInfo& host_cpu();
// The features of `wanted` that this machine lacks.
std::vector<std::string> missing_features(const std::vector<std::string>& wanted);

}  // namespace edgewright
