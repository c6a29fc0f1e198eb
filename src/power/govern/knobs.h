#pragma once

#include <map>
#include <string>
#include <vector>

#include "device/device.h"
#include "power/govern/system_files.h"

namespace edgewright {

// Whoever sets values of the kernel: directly, or through the privileged helper.
class KnobSetter {
 public:
  virtual ~KnobSetter() = default;
  // kUnsupported for a file that is not on the allow-list, kBadInput for a value out of bounds or
  // when the kernel refuses.
  virtual Status set(const std::string& path, int64_t value) = 0;
  // The same of a file that holds a list of CPUs.
  virtual Status set_cpus(const std::string& path, const std::vector<int>& cpus) = 0;
  // Gives every changed file its first value back.
  virtual Status restore() = 0;
};

// What a device file says of the frequencies of some CPUs.
struct FrequencyBounds {
  std::vector<int> cpus;
  int64_t low_khz = 0, high_khz = 0;
};
std::vector<FrequencyBounds> frequency_bounds(const Device& device);

// Sets files of an allow-list within the bounds that the kernel states beside them and, where they
// are given, within those of the device; remembers what was there before, and puts it back.
class Knobs : public KnobSetter {
 public:
  explicit Knobs(SystemFiles& files, std::vector<FrequencyBounds> bounds = {})
      : files_(files), bounds_(std::move(bounds)) {}
  ~Knobs() override;
  Knobs(const Knobs&) = delete;
  Knobs& operator=(const Knobs&) = delete;

  Status set(const std::string& path, int64_t value) override;
  Status set_cpus(const std::string& path, const std::vector<int>& cpus) override;
  Status restore() override;
  size_t changed() const { return originals_.size(); }

 private:
  struct Limits {
    int64_t low = 0, high = 0;
  };
  Result<Limits> limits_of(const std::string& path);
  Status narrow_to_device(const std::string& folder, Limits& limits);
  SystemFiles& files_;
  const std::vector<FrequencyBounds> bounds_;
  std::map<std::string, std::string> originals_;
  std::map<std::string, Limits> limits_;
};

// Whether a path matches the allow-list.
bool is_knob(const std::string& path);

}  // namespace edgewright
