#include "serve/protocol/datatype.h"

#include <utility>

namespace edgewright::oip {
namespace {

constexpr std::pair<DType, std::string_view> kDatatypes[] = {
    {DType::kBool, "BOOL"},     {DType::kUint8, "UINT8"},   {DType::kUint16, "UINT16"},
    {DType::kUint32, "UINT32"}, {DType::kUint64, "UINT64"}, {DType::kInt8, "INT8"},
    {DType::kInt16, "INT16"},   {DType::kInt32, "INT32"},   {DType::kInt64, "INT64"},
    {DType::kFloat16, "FP16"},  {DType::kFloat32, "FP32"},  {DType::kFloat64, "FP64"},
    {DType::kString, "BYTES"},  {DType::kBfloat16, "BF16"},
};

}  // namespace

std::string_view datatype_name(DType dtype) {
  for (const auto& [type, name] : kDatatypes) {
    if (type == dtype) return name;
  }
  return "";
}

std::optional<DType> datatype_from_name(std::string_view name) {
  for (const auto& [type, known] : kDatatypes) {
    if (known == name) return type;
  }
  return std::nullopt;
}

}  // namespace edgewright::oip
