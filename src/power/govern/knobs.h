#pragma once

#include <map>
#include <string>
#include <vector>

#include "power/govern/system_files.h"

namespace edgewright {

// Whoever sets values of the kernel: directly, or through the privileged helper.
class KnobSetter {
 public:
  virtual ~KnobSetter() = default;
  // kUnsupported for a file that is not on the allow-list, kBadInput for a value out of bounds or
  // when the kernel refuses.
  virtual Status set(const std::string& path, int64_t value) = 0;
  // Gives every changed file its first value back.
  virtual Status restore() = 0;
};

// Sets files of an allow-list within the bounds that the kernel states beside them, remembers what
// was there before, and puts it back.
class Knobs : public KnobSetter {
 public:
  explicit Knobs(SystemFiles& files) : files_(files) {}
  ~Knobs() override;
  Knobs(const Knobs&) = delete;
  Knobs& operator=(const Knobs&) = delete;

  Status set(const std::string& path, int64_t value) override;
  Status restore() override;
  size_t changed() const { return originals_.size(); }

 private:
  struct Limits {
    int64_t low = 0, high = 0;
  };
  Result<Limits> limits_of(const std::string& path);
  SystemFiles& files_;
  std::map<std::string, int64_t> originals_;
  std::map<std::string, Limits> limits_;
};

// Whether a path matches the allow-list.
bool is_knob(const std::string& path);

}  // namespace edgewright
