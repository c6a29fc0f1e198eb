#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace edgewright {

// The kernel's files as far as power is concerned. Paths are relative: "sys/class/thermal/...".
class SystemFiles {
 public:
  virtual ~SystemFiles() = default;
  // The text without the line end; at most 4 KiB. kBadInput with the system's own reason.
  virtual Result<std::string> read(const std::string& path) = 0;
  virtual Status write(const std::string& path, const std::string& text) = 0;
  // Names in a folder, sorted; empty where there is none.
  virtual std::vector<std::string> list(const std::string& folder) = 0;

  // A whole number and nothing else; kBadInput saying what was there.
  Result<int64_t> read_number(const std::string& path);
};

// Files below a folder: "/" for this machine, another for tests.
class RootedFiles : public SystemFiles {
 public:
  explicit RootedFiles(std::string root);
  Result<std::string> read(const std::string& path) override;
  Status write(const std::string& path, const std::string& text) override;
  std::vector<std::string> list(const std::string& folder) override;

 private:
  std::string root_;
};

}  // namespace edgewright
