#pragma once

#include <cstdint>
#include <string>

#include "tensor/tensor.h"

namespace edgewright::coreml {

// The weights beside a specification, blob storage version 2 (MILBlob of coremltools): a header of
// 64 bytes, then for each blob 64 bytes that describe it and its data, all at multiples of 64.
class WeightsFile {
 public:
  WeightsFile();
  // Whether blobs have this type.
  static bool has(DType dtype);
  // Appends a blob; returns where its description lies.
  uint64_t add(const Tensor& tensor);
  // The whole file.
  std::string finish() &&;

 private:
  std::string bytes_;
  uint32_t count_ = 0;
};

}  // namespace edgewright::coreml
