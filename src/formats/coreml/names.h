#pragma once

#include <span>
#include <string_view>

namespace edgewright::coreml {

// An operator of ai.onnx and an operation of MIL that differ in nothing but their name.
struct NameRow {
  std::string_view op, operation;
};
// Input "x", same type out.
std::span<const NameRow> unary_names();
// Inputs "x" and "y", with NumPy's broadcasting. An operation may stand for several operators: the
// first has two inputs.
std::span<const NameRow> binary_names();
// Input "x", constant "axes" and "keep_dims".
std::span<const NameRow> reduction_names();

}  // namespace edgewright::coreml
