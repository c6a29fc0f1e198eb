#pragma once

#include <span>
#include <string_view>

namespace edgewright::openvino_ir {

// An operator of ai.onnx and a layer type that differ in nothing but their name, and the operation
// set that the type is from.
struct NameRow {
  std::string_view op, type, version;
};
std::span<const NameRow> unary_names();
// Element by element with NumPy's broadcasting. A type may stand for several operators: the first
// is the one of two inputs.
std::span<const NameRow> binary_names();
// Axes as input 1.
std::span<const NameRow> reduction_names();

// Whether OpenVINO has a layer of this type at all; asked for those that are not read.
bool is_known_type(std::string_view type);

}  // namespace edgewright::openvino_ir
