#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
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

// How a specification names the file.
inline constexpr std::string_view kWeightsReference = "@model_path/weights/weight.bin";

// Such a file, read. Tensors point into it.
class WeightsReader {
 public:
  // Without a file, which programs of small constants do without.
  WeightsReader() = default;
  // kBadInput when it is no such file.
  static Result<WeightsReader> open(const std::string& path);
  // The blob that is described at `offset`; kBadInput unless it is of this type and size.
  Result<Tensor> at(uint64_t offset, DType dtype, const Dims& dims) const;

 private:
  std::shared_ptr<const MappedFile> file_;
};

}  // namespace edgewright::coreml
