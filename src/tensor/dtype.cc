#include "tensor/dtype.h"

#include <array>

namespace edgewright {
namespace {

enum class Family : uint8_t { kNone, kFloat, kSigned, kUnsigned, kComplex };
struct Row {
  std::string_view name;
  int bits;
  Family family;
};
constexpr std::array<Row, kDTypeCount> kRows = {{
    {"undefined", 0, Family::kNone},       {"float32", 32, Family::kFloat},
    {"uint8", 8, Family::kUnsigned},       {"int8", 8, Family::kSigned},
    {"uint16", 16, Family::kUnsigned},     {"int16", 16, Family::kSigned},
    {"int32", 32, Family::kSigned},        {"int64", 64, Family::kSigned},
    {"string", 0, Family::kNone},          {"bool", 8, Family::kNone},
    {"float16", 16, Family::kFloat},       {"float64", 64, Family::kFloat},
    {"uint32", 32, Family::kUnsigned},     {"uint64", 64, Family::kUnsigned},
    {"complex64", 64, Family::kComplex},   {"complex128", 128, Family::kComplex},
    {"bfloat16", 16, Family::kFloat},      {"float8e4m3fn", 8, Family::kFloat},
    {"float8e4m3fnuz", 8, Family::kFloat}, {"float8e5m2", 8, Family::kFloat},
    {"float8e5m2fnuz", 8, Family::kFloat}, {"uint4", 4, Family::kUnsigned},
    {"int4", 4, Family::kSigned},          {"float4e2m1", 4, Family::kFloat},
    {"float8e8m0", 8, Family::kFloat},     {"uint2", 2, Family::kUnsigned},
    {"int2", 2, Family::kSigned},
}};

const Row& row(DType dtype) {
  const auto index = static_cast<size_t>(dtype);
  return kRows[index < kRows.size() ? index : 0];
}

}  // namespace

std::string_view dtype_name(DType dtype) { return row(dtype).name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (size_t i = 1; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

int dtype_bits(DType dtype) { return row(dtype).bits; }

size_t dtype_bytes(DType dtype, size_t count) {
  const auto bits = static_cast<size_t>(row(dtype).bits);
  return bits >= 8 ? count * (bits / 8) : (count * bits + 7) / 8;
}

bool is_floating_point(DType dtype) { return row(dtype).family == Family::kFloat; }
bool is_integer(DType dtype) {
  return row(dtype).family == Family::kSigned || row(dtype).family == Family::kUnsigned;
}
bool is_signed(DType dtype) {
  return row(dtype).family == Family::kSigned || row(dtype).family == Family::kFloat;
}

}  // namespace edgewright
