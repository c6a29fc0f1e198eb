#pragma once

#include <cstdint>
#include <vector>

#include "kernels/implementation.h"

namespace edgewright {

// A copy in which every axis of the output is mapped by itself: element (i, j, ..) of the output is
// the input's element at tables[0][i] + tables[1][j] + .., or the fill value where an entry is
// kFill. Slice, Expand, Tile, Pad, Gather with constant indices and Resize to the nearest element
// are all of this form.
struct CopyMap {
  static constexpr int64_t kFill = INT64_MIN / 32;  // sums of a few stay negative
  std::vector<std::vector<int64_t>> tables;         // in elements
};

// Axes where the output is the input.
CopyMap identity_map(const Dims& in, const Dims& out);
std::vector<int64_t> row_major_strides(const Dims& dims);

// Builders; kUnsupported when a parameter is not constant or does not fit the shapes.
Result<CopyMap> slice_map(const KernelRequest& request);
Result<CopyMap> expand_map(const KernelRequest& request);
Result<CopyMap> tile_map(const KernelRequest& request);
Result<CopyMap> pad_map(const KernelRequest& request);
Result<CopyMap> gather_map(const KernelRequest& request);
Result<CopyMap> resize_nearest_map(const KernelRequest& request);

// Element size in bytes of a type that can be copied as bytes; 0 for strings and packed types.
size_t copyable_bytes(DType dtype);

}  // namespace edgewright
