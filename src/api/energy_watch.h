#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "edgewright/power.h"
#include "power/govern/meter.h"

namespace edgewright {

// Meters pieces of work, one at a time, with the counters and sensors below a root ("/" for this
// machine). Where there are none it costs nothing and says so.
class EnergyWatch {
 public:
  explicit EnergyWatch(const std::string& root);
  ~EnergyWatch();
  EnergyWatch(const EnergyWatch&) = delete;
  EnergyWatch& operator=(const EnergyWatch&) = delete;

  void begin();
  // Since begin(), divided among so many tokens or inferences.
  EnergyFigures end(int64_t units);
  // The same, and goes on.
  EnergyFigures so_far(int64_t units);
  // Joules since begin(), and nothing else; none where they are not measured.
  std::optional<double> joules();

 private:
  void sample();
  void keep_sampling();
  void stop_sampling();

  RootedFiles files_;
  Inventory inventory_;
  std::unique_ptr<EnergyMeter> meter_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::thread sampler_;
  bool stop_ = false;
};

}  // namespace edgewright
