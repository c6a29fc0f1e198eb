#include "base/work_shares.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

namespace edgewright {

void WorkShares::divide(size_t count, std::span<size_t> bounds) const {
  double before = 0;
  for (size_t w = 0; w < speeds_.size(); ++w) {
    bounds[w] =
        std::min(count, static_cast<size_t>(std::lround(before * static_cast<double>(count))));
    before += speeds_[w];
  }
  bounds[speeds_.size()] = count;
}

void WorkShares::learn(std::span<const Done> done) {
  // Loops differ in their items, so that only speeds within one loop are compared: those who took
  // part share among them what they had together.
  double all = 0, had = 0;
  for (size_t w = 0; w < speeds_.size(); ++w) {
    if (done[w].items == 0 || done[w].seconds <= 0) continue;
    all += static_cast<double>(done[w].items) / done[w].seconds;
    had += speeds_[w];
  }
  if (all <= 0) return;
  constexpr double kWeight = 0.125;  // of the newest loop
  for (size_t w = 0; w < speeds_.size(); ++w) {
    if (done[w].items == 0 || done[w].seconds <= 0) continue;
    const double measured = had * static_cast<double>(done[w].items) / done[w].seconds / all;
    speeds_[w] += kWeight * (measured - speeds_[w]);
  }
  const double sum = std::accumulate(speeds_.begin(), speeds_.end(), 0.0);
  for (double& speed : speeds_) speed /= sum;
}

bool cores_differ(const std::string& root) {
  constexpr int kMaxCpus = 1024;
  long first = 0;
  for (int cpu = 0; cpu < kMaxCpus; ++cpu) {
    std::ifstream file(root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/cpu_capacity");
    long capacity = 0;
    if (!(file >> capacity)) return false;
    if (cpu == 0) first = capacity;
    if (capacity != first) return true;
  }
  return false;
}

}  // namespace edgewright
