#include "formats/openvino/ir.h"

#include <algorithm>
#include <array>

namespace edgewright::openvino_ir {
namespace {

struct TypeRow {
  DType dtype;
  std::string_view name;
};
constexpr std::array<TypeRow, 17> kTypes = {{
    {DType::kFloat32, "f32"},
    {DType::kFloat16, "f16"},
    {DType::kBfloat16, "bf16"},
    {DType::kFloat64, "f64"},
    {DType::kInt8, "i8"},
    {DType::kUint8, "u8"},
    {DType::kInt16, "i16"},
    {DType::kUint16, "u16"},
    {DType::kInt32, "i32"},
    {DType::kUint32, "u32"},
    {DType::kInt64, "i64"},
    {DType::kUint64, "u64"},
    {DType::kBool, "boolean"},
    {DType::kInt4, "i4"},
    {DType::kUint4, "u4"},
    {DType::kFloat8E4M3FN, "f8e4m3"},
    {DType::kFloat8E5M2, "f8e5m2"},
}};

}  // namespace

const std::string* Layer::find(std::string_view key) const {
  const auto it = std::ranges::find(data, key, &LayerData::value_type::first);
  return it == data.end() ? nullptr : &it->second;
}

std::string_view element_type(DType dtype) {
  const auto* it = std::ranges::find(kTypes, dtype, &TypeRow::dtype);
  return it == kTypes.end() ? std::string_view() : it->name;
}

std::optional<DType> element_dtype(std::string_view text) {
  const auto* it = std::ranges::find(kTypes, text, &TypeRow::name);
  return it == kTypes.end() ? std::nullopt : std::optional(it->dtype);
}

Error element_type_error(std::string_view text) {
  constexpr std::string_view kNotRead[] = {
      "undefined", "dynamic", "u1", "bin", "u2", "u3", "u6", "nf4", "f4e2m1", "f8e8m0", "string"};
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (std::ranges::find(kNotRead, lower) != std::end(kNotRead)) {
    return unsupported("element type '{}'", text);
  }
  return bad_input("element type '{}', expected one of OpenVINO's", text.substr(0, 40));
}

std::string weights_path(const std::string& xml_path) {
  const bool xml = xml_path.ends_with(".xml");
  return (xml ? xml_path.substr(0, xml_path.size() - 4) : xml_path) + ".bin";
}

}  // namespace edgewright::openvino_ir
