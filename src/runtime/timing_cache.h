#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"

namespace edgewright {

// Measured times of kernel implementations, kept in a JSON file. A missing, damaged or foreign file
// is an empty cache: measurements can always be made again.
class TimingCache {
 public:
  // `path` may be empty: the cache lives in memory only.
  explicit TimingCache(std::string path = "");

  // Time of one run in microseconds.
  std::optional<double> find(const std::string& key) const;
  void put(const std::string& key, double time_us);
  size_t size() const { return times_us_.size(); }
  // Writes the file when something was put since it was read; what other processes wrote meanwhile
  // is kept. The file is replaced at once or not at all.
  Status save();

 private:
  std::string path_;
  std::map<std::string, double> times_us_;
  bool changed_ = false;
};

}  // namespace edgewright
