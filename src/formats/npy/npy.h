#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace edgewright {

// NumPy's .npy format, versions 1 to 3: little-endian numeric and bool arrays, fixed-width strings
// (U, S), C or Fortran order (the latter is rearranged). ml_dtypes types (bfloat16, float8, int4)
// are not part of the format. bfloat16 and narrower floats are written as float32.
Result<Tensor> parse_npy(std::span<const std::byte> bytes);
Result<Tensor> read_npy(const std::string& path);
Result<std::string> format_npy(const Tensor& tensor);
Status write_npy(const std::string& path, const Tensor& tensor);

// Named arrays of DATA: a .npz archive or a folder of .npy files, sorted by name.
using NamedTensors = std::map<std::string, Tensor>;
Result<NamedTensors> read_npz(const std::string& path);
Status write_npz(const std::string& path, const NamedTensors& tensors);
Result<NamedTensors> read_data(const std::string& path);

}  // namespace edgewright
