#include "kernels/cast/convert.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "kernels/reference/types.h"

namespace edgewright::reference {
namespace {

// Elements pass through the widest type of their kind, a block at a time.
constexpr int64_t kBlock = 512;

enum class Kind : uint8_t { kSigned, kUnsigned, kReal };

Kind kind_of(DType dtype) {
  if (is_floating_point(dtype)) return Kind::kReal;
  return is_signed(dtype) ? Kind::kSigned : Kind::kUnsigned;
}

// A float whose further rounding to 16 or 8 bits gives what rounding the double at once would: an
// inexact result gets an odd last bit (round to odd).
float to_float_for_rounding(double value) {
  auto narrow = static_cast<float>(value);
  const auto back = static_cast<double>(narrow);
  if (back == value || !std::isfinite(narrow) || std::isnan(value)) return narrow;
  auto bits = std::bit_cast<uint32_t>(narrow);
  if (std::fabs(back) > std::fabs(value)) --bits;  // towards zero
  return std::bit_cast<float>(bits | 1);
}

// Truncated; what int64 cannot hold becomes its lowest value, as x86 converts.
int64_t truncate(double value) {
  if (!(value >= -0x1p63 && value < 0x1p63)) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

template <class To, class Wide>
To from_wide(Wide value) {
  if constexpr (kIsHalf<To>) {
    return To(to_float_for_rounding(static_cast<double>(value)));
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_floating_point_v<Wide>) {
    if constexpr (std::is_same_v<To, uint64_t>) {
      if (value >= 0x1p63 && value < 0x1p64) return static_cast<uint64_t>(value);
    }
    return static_cast<To>(truncate(value));
  } else {
    return static_cast<To>(value);
  }
}

template <class Wide>
void load_block(const Tensor& from, int64_t start, std::span<Wide> block) {
  const DType dtype = from.dtype();
  for (size_t i = 0; i < block.size(); ++i) {
    const int64_t at = start + static_cast<int64_t>(i);
    if (dtype == DType::kFloat32) {
      block[i] = static_cast<Wide>(from.data<float>()[at]);
    } else if constexpr (std::is_floating_point_v<Wide>) {
      block[i] = load_double(dtype, from.bytes(), at);
    } else {
      block[i] = static_cast<Wide>(load_int64(dtype, from.bytes(), at));
    }
  }
}

// False when the type is none that C++ has.
template <class Wide>
bool store_plain(Tensor& to, int64_t start, std::span<const Wide> block) {
  return [&]<class... T>(TypeList<T...>) {
    const auto attempt = [&]<class U>(std::type_identity<U>) {
      if (kDTypeOf<U> != to.dtype()) return false;
      U* target = to.mutable_data<U>() + start;
      for (size_t i = 0; i < block.size(); ++i) target[i] = from_wide<U>(block[i]);
      return true;
    };
    return (attempt(std::type_identity<T>()) || ...);
  }(Numbers());
}

uint8_t small_bits(DType dtype, double value, CastOptions options) {
  switch (dtype) {
    case DType::kFloat8E8M0:
      return float_to_e8m0(to_float_for_rounding(value), options.saturate, options.rounding);
    case DType::kFloat4E2M1: return float_to_float4(to_float_for_rounding(value));
    default: return float_to_float8(dtype, to_float_for_rounding(value), options.saturate);
  }
}

template <class Wide>
void store_small(Tensor& to, int64_t start, std::span<const Wide> block, CastOptions options) {
  const DType dtype = to.dtype();
  const int bits = dtype_bits(dtype);
  for (size_t i = 0; i < block.size(); ++i) {
    const int64_t at = start + static_cast<int64_t>(i);
    uint8_t value = 0;
    if (dtype == DType::kBool) {
      value = block[i] != 0;
    } else if (is_floating_point(dtype)) {
      value = small_bits(dtype, static_cast<double>(block[i]), options);
    } else {
      value = from_wide<uint8_t>(block[i]);
    }
    if (bits < 8) {
      packed_set(to.mutable_bytes(), at, bits, value);
    } else {
      to.mutable_data<uint8_t>()[at] = value;
    }
  }
}

template <class Wide>
void convert_numbers(const Tensor& from, Tensor& to, CastOptions options) {
  std::array<Wide, kBlock> buffer;
  for (int64_t start = 0; start < from.element_count(); start += kBlock) {
    const int64_t count = std::min(kBlock, from.element_count() - start);
    const std::span<Wide> block(buffer.data(), static_cast<size_t>(count));
    load_block<Wide>(from, start, block);
    if (store_plain<Wide>(to, start, block)) continue;
    store_small<Wide>(to, start, block, options);
  }
}

std::string number_text(const Tensor& from, int64_t i) {
  const auto plain = [](auto value) {
    std::array<char, 32> text;
    const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
    return std::string(text.data(), result.ptr);
  };
  const DType dtype = from.dtype();
  if (!is_floating_point(dtype)) {
    const int64_t value = load_int64(dtype, from.bytes(), i);
    return dtype == DType::kUint64 ? plain(static_cast<uint64_t>(value)) : plain(value);
  }
  const double value = load_double(dtype, from.bytes(), i);
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "INF" : "-INF";
  // The fewest digits that read back as the same element.
  return dtype == DType::kFloat64 ? plain(value) : plain(static_cast<float>(value));
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == y; });
}

Result<double> parse_real(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
  const std::string_view number = rest.starts_with('+') ? rest.substr(1) : rest;
  if (equal_ignoring_case(number, "inf")) return std::numeric_limits<double>::infinity();
  if (equal_ignoring_case(number, "-inf")) return -std::numeric_limits<double>::infinity();
  if (equal_ignoring_case(number, "nan")) return std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto end = std::from_chars(number.data(), number.data() + number.size(), value);
  const bool whole = !number.empty() && end.ptr == number.data() + number.size();
  if (whole && end.ec == std::errc::result_out_of_range) {
    // Too large or too small for double: the exponent's sign tells which.
    const bool tiny = number.find("e-") != number.npos || number.find("E-") != number.npos;
    const double magnitude = tiny ? 0 : std::numeric_limits<double>::infinity();
    return number.starts_with('-') ? -magnitude : magnitude;
  }
  if (!whole || end.ec != std::errc()) {
    return bad_input("Cast: the string \"{}\" is no number", text.substr(0, 40));
  }
  return value;
}

Status parse_strings(const Tensor& from, Tensor& to, CastOptions options) {
  const auto& strings = from.string_elements();
  const auto store = [&]<class Wide>(size_t i, Wide value) {
    const std::span<const Wide> block(&value, 1);
    const auto at = static_cast<int64_t>(i);
    if (!store_plain<Wide>(to, at, block)) store_small<Wide>(to, at, block, options);
  };
  for (size_t i = 0; i < strings.size(); ++i) {
    const std::string& text = strings[i];
    int64_t whole = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (!is_floating_point(to.dtype()) && end.ec == std::errc() && !text.empty() &&
        end.ptr == text.data() + text.size()) {
      store(i, whole);
      continue;
    }
    EDGEWRIGHT_ASSIGN(const double value, parse_real(text));
    store(i, value);
  }
  return {};
}

bool converts(DType dtype) {
  return dtype == DType::kString || dtype == DType::kBool || is_integer(dtype) ||
         is_floating_point(dtype);
}

}  // namespace

Status convert_elements(const Tensor& from, Tensor& to, CastOptions options) {
  EDGEWRIGHT_CHECK(from.element_count() == to.element_count());
  if (!converts(from.dtype()) || !converts(to.dtype())) {
    return unsupported("there is no cast from {} to {}", dtype_name(from.dtype()),
                       dtype_name(to.dtype()));
  }
  if (to.dtype() == DType::kString) {
    auto& strings = to.mutable_string_elements();
    if (from.dtype() == DType::kString) {
      strings = from.string_elements();
      return {};
    }
    for (size_t i = 0; i < strings.size(); ++i) {
      strings[i] = number_text(from, static_cast<int64_t>(i));
    }
    return {};
  }
  if (from.dtype() == DType::kString) return parse_strings(from, to, options);
  switch (kind_of(from.dtype())) {
    case Kind::kSigned: convert_numbers<int64_t>(from, to, options); break;
    case Kind::kUnsigned: convert_numbers<uint64_t>(from, to, options); break;
    case Kind::kReal: convert_numbers<double>(from, to, options); break;
  }
  return {};
}

}  // namespace edgewright::reference
