#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"

namespace edgewright {

// What was measured of a kernel implementation, in microseconds: one run, and making the kernel.
struct KernelTimes {
  double run_us = 0;
  double make_us = 0;
  bool operator==(const KernelTimes&) const = default;
};

// Measured times of kernel implementations, kept in a JSON file. A missing, damaged or foreign file
// is an empty cache: measurements can always be made again.
class TimingCache {
 public:
  // `path` may be empty: the cache lives in memory only.
  explicit TimingCache(std::string path = "");

  std::optional<KernelTimes> find(const std::string& key) const;
  void put(const std::string& key, KernelTimes times);
  size_t size() const { return times_.size(); }
  // Writes the file when something was put since it was read; what other processes wrote meanwhile
  // is kept. The file is replaced at once or not at all.
  Status save();

 private:
  std::string path_;
  std::map<std::string, KernelTimes> times_;
  bool changed_ = false;
};

}  // namespace edgewright
