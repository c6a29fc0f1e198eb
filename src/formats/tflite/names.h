#pragma once

#include <span>
#include <string_view>

#include "formats/tflite/schema_generated.h"

namespace edgewright::tflite_io {

// An operator of ai.onnx and one of TFLite that differ in nothing but their name.
struct NameRow {
  std::string_view op;
  tflite_schema::BuiltinOperator code;
};
std::span<const NameRow> unary_names();
// With NumPy's broadcasting. A code may stand for several operators: the first has two inputs.
std::span<const NameRow> binary_names();
// Axes as input 1, int32.
std::span<const NameRow> reduction_names();

}  // namespace edgewright::tflite_io
