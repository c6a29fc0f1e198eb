#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace edgewright {

// How work is divided among workers of different speed, as it was measured: big and little cores
// shall end together.
class WorkShares {
 public:
  explicit WorkShares(size_t workers) : speeds_(workers, 1.0 / static_cast<double>(workers)) {}

  // Worker w begins at bounds[w] and ends before bounds[w + 1]; bounds has workers + 1 places.
  void divide(size_t count, std::span<size_t> bounds) const;

  // What every worker did in one parallel loop, whose items are alike. One that did nothing keeps
  // its speed.
  struct Done {
    size_t items = 0;
    double seconds = 0;
  };
  void learn(std::span<const Done> done);

  // Of each worker; their sum is one.
  const std::vector<double>& speeds() const { return speeds_; }

 private:
  std::vector<double> speeds_;
};

// Whether the CPUs below `root` are of several capacities ("sys/devices/system/cpu/cpu*/
// cpu_capacity", which only machines with big and little cores have).
bool cores_differ(const std::string& root);

}  // namespace edgewright
