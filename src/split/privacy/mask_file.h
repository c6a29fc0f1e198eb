#pragma once

#include <functional>
#include <string>
#include <vector>

#include "split/privacy/shared_layer.h"

namespace edgewright {

// One-time masks of many requests in a file (docs/formats/shared.md). Each request is taken once:
// that it is taken is on disk before its masks are read, so that a crash loses masks and never uses
// one twice, and two processes that share the file get different ones. What was taken is
// overwritten.
class MaskFile {
 public:
  // `result_sizes`: of the layers, in order. `draw(layer)` gives a mask of one.
  static Status write(const std::string& path, const std::vector<size_t>& result_sizes,
                      size_t requests, const std::function<OneTimeMask(size_t layer)>& draw);
  // kBadInput when the file is malformed or of other layers.
  static Result<MaskFile> open(const std::string& path, const std::vector<size_t>& result_sizes);
  ~MaskFile();
  MaskFile(MaskFile&& other) noexcept;
  MaskFile& operator=(MaskFile&&) = delete;

  // Takes that many requests; kCheckFailed with what is left when there are not so many. Their
  // numbers begin at the result.
  Result<uint64_t> take(uint64_t requests);
  // The masks of a request that was taken, layer by layer; gone afterwards.
  Result<std::vector<OneTimeMask>> read(uint64_t request);
  Result<uint64_t> left() const;

 private:
  MaskFile(std::string path, int descriptor, std::vector<size_t> result_sizes);
  std::string path_;
  int descriptor_;
  std::vector<size_t> result_sizes_;
  uint64_t requests_ = 0;
};

}  // namespace edgewright
