#include "serve/protocol/number_array.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace edgewright::oip {
namespace {

// As deep as a tensor may nest here; deeper ones are the parser's.
constexpr int kMaxNesting = 16;

constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr auto kInNumberArray = [] {
  std::array<bool, 256> set{};
  for (const char c : std::string_view("0123456789+-.eE,[] \n\t\r")) {
    set[static_cast<unsigned char>(c)] = true;
  }
  return set;
}();

size_t skip_spaces(std::string_view text, size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// Behind the string that begins at `at`; the text's size where it does not end.
size_t end_of_string(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return text.size();
}

// Behind the array of numbers that begins at `at`; 0 where it is none.
size_t end_of_numbers(std::string_view text, size_t at) {
  int depth = 0;
  for (; at < text.size() && kInNumberArray[static_cast<unsigned char>(text[at])]; ++at) {
    if (text[at] == '[') ++depth;
    if (text[at] == ']' && --depth == 0) return at + 1;
  }
  return 0;
}

// The parts of JSON's grammar of numbers in which from_chars is more generous.
bool is_json_number(std::string_view number) {
  if (number.starts_with('-')) number.remove_prefix(1);
  if (number.empty() || !is_digit(number[0]) || !is_digit(number.back())) return false;
  if (number.size() > 1 && number[0] == '0' && is_digit(number[1])) return false;
  const size_t point = number.find('.');
  return point == std::string_view::npos || is_digit(number[point + 1]);
}

template <class T>
bool read_number(const char*& at, const char* end, T& out) {
  using Wide = std::conditional_t<std::is_floating_point_v<T>, double, T>;
  Wide value{};
  const auto [stop, code] = std::from_chars(at, end, value);
  if (code != std::errc()) return false;
  if (!is_json_number({at, static_cast<size_t>(stop - at)})) return false;
  if constexpr (std::is_same_v<T, float>) {
    if (std::fabs(value) > static_cast<double>(std::numeric_limits<float>::max())) return false;
  }
  out = static_cast<T>(value);
  at = stop;
  return true;
}

// Fills exactly `count` elements from a well-formed array.
template <class T>
bool read_numbers(std::string_view array, T* out, size_t count) {
  const char* at = array.data();
  const char* const end = at + array.size();
  size_t found = 0;
  int depth = 0;
  bool wants_value = true, is_empty = false;  // after '[' or ','; directly after '['
  for (; at < end;) {
    const char c = *at;
    if (is_space(c)) {
      ++at;
    } else if (c == '[') {
      if (!wants_value || ++depth > kMaxNesting) return false;
      is_empty = true;
      ++at;
    } else if (c == ']') {
      if ((wants_value && !is_empty) || --depth < 0) return false;
      wants_value = is_empty = false;
      ++at;
      if (depth == 0) return at == end && found == count;
    } else if (c == ',') {
      if (wants_value) return false;
      wants_value = true;
      ++at;
    } else {
      if (!wants_value || found == count || !read_number(at, end, out[found])) return false;
      ++found;
      wants_value = is_empty = false;
    }
  }
  return false;
}

template <class T>
bool fill(std::string_view array, Tensor& tensor, size_t count) {
  return read_numbers(array, tensor.mutable_data<T>(), count);
}

struct Reader {
  DType dtype;
  bool (*fill)(std::string_view array, Tensor& tensor, size_t count);
};
template <class T>
constexpr Reader reader() {
  return {kDTypeOf<T>, fill<T>};
}
constexpr Reader kReaders[] = {
    reader<float>(),  reader<double>(),  reader<int64_t>(),  reader<int32_t>(),  reader<int16_t>(),
    reader<int8_t>(), reader<uint8_t>(), reader<uint16_t>(), reader<uint32_t>(), reader<uint64_t>(),
};

}  // namespace

std::optional<JsonAndNumbers> set_numbers_aside(std::string_view body) {
  // A list of tensors is an object's array of objects, so their keys are three levels deep.
  constexpr int kTensorLevel = 3;
  JsonAndNumbers result;
  size_t copied = 0;
  int depth = 0;
  for (size_t at = 0; at < body.size();) {
    const char c = body[at];
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c != '"') {
      ++at;
      continue;
    }
    const size_t end = end_of_string(body, at);
    const bool is_data = depth == kTensorLevel && body.substr(at, end - at) == "\"data\"";
    at = end;
    if (!is_data) continue;
    const size_t colon = skip_spaces(body, at);
    if (colon >= body.size() || body[colon] != ':') continue;  // a value, not a key
    const size_t begin = skip_spaces(body, colon + 1);
    const size_t behind =
        begin < body.size() && body[begin] == '[' ? end_of_numbers(body, begin) : 0;
    if (behind == 0) return std::nullopt;
    result.document.append(body.substr(copied, begin - copied));
    result.document.append(std::to_string(result.arrays.size()));
    result.arrays.push_back(body.substr(begin, behind - begin));
    copied = at = behind;
  }
  if (result.arrays.empty()) return std::nullopt;
  result.document.append(body.substr(copied));
  return result;
}

std::optional<Tensor> tensor_from_numbers(DType dtype, const Dims& dims, std::string_view array) {
  const auto count = checked_element_count(dims);
  // A number takes two characters, so that only what the array can fill is allocated.
  if (!count.ok() || static_cast<size_t>(*count) > array.size() / 2) return std::nullopt;
  for (const Reader& reader : kReaders) {
    if (reader.dtype != dtype) continue;
    auto tensor = Tensor::allocate_uninitialised(dtype, dims);
    if (!tensor.ok() || !reader.fill(array, *tensor, static_cast<size_t>(*count))) {
      return std::nullopt;
    }
    return *std::move(tensor);
  }
  return std::nullopt;
}

}  // namespace edgewright::oip
