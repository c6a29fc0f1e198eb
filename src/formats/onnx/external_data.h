#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/file.h"
#include "formats/onnx/proto.h"

namespace edgewright::onnx_io {

// The data files beside a model, mapped when a tensor first needs one. Every tensor has a range of
// its own: a file may not be left by a path, by a link, by its length or by arithmetic.
class ExternalData {
 public:
  explicit ExternalData(std::string folder) : folder_(std::move(folder)) {}

  // The tensor whose data_location is EXTERNAL. Its bytes stay in the mapped file unless they are
  // not aligned for their type.
  Result<Tensor> load(const onnx::TensorProto& proto, DType dtype, Dims dims);

 private:
  struct OpenFile {
    std::shared_ptr<const MappedFile> file;
    std::map<size_t, size_t> ranges;  // begin -> end of what tensors took
  };
  Result<std::filesystem::path> locate(const std::string& location) const;
  Result<OpenFile*> open(const std::string& location);
  static Status claim(OpenFile& file, size_t begin, size_t end);

  std::string folder_;
  std::map<std::filesystem::path, OpenFile> files_;
};

}  // namespace edgewright::onnx_io
