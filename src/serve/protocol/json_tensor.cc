#include "serve/protocol/json_tensor.h"

#include <cmath>
#include <limits>

#include "serve/protocol/datatype.h"

namespace edgewright::oip {
namespace {

// A tensor has far fewer dimensions, and no message nests deeper than its tensors.
constexpr int kMaxDepth = 64;

// Brackets that are open at most, strings aside. What is no JSON is the parser's to find.
int nesting(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return deepest;
}

size_t count_scalars(const Json& data) {
  if (!data.is_array()) return 1;
  size_t count = 0;
  for (const Json& item : data) count += count_scalars(item);
  return count;
}

// Calls `take` for every element in row-major order until it returns an error.
template <class Take>
Status for_each_scalar(const Json& data, Take& take) {
  if (!data.is_array()) return take(data);
  for (const Json& item : data) EDGEWRIGHT_TRY(for_each_scalar(item, take));
  return {};
}

Error wrong_element(const Json& item, DType dtype) {
  std::string text = item.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 40) text = text.substr(0, 40) + "...";
  return bad_input("found element {}, expected a value of {}", text, datatype_name(dtype));
}

template <class T>
Result<T> element_from_json(const Json& item) {
  constexpr DType kType = kDTypeOf<T>;
  if constexpr (std::is_same_v<T, bool>) {
    if (item.is_boolean()) return item.get<bool>();
    if (item.is_number_unsigned() && item.get<uint64_t>() <= 1) return item.get<uint64_t>() == 1;
  } else if constexpr (std::is_floating_point_v<T>) {
    if (item.is_number()) {
      const auto value = item.get<double>();
      if (std::fabs(value) <= static_cast<double>(std::numeric_limits<T>::max())) {
        return static_cast<T>(value);
      }
    }
  } else {
    if (item.is_number_unsigned() && std::in_range<T>(item.get<uint64_t>())) {
      return static_cast<T>(item.get<uint64_t>());
    }
    if (item.is_number_integer() && !item.is_number_unsigned() &&
        std::in_range<T>(item.get<int64_t>())) {
      return static_cast<T>(item.get<int64_t>());
    }
  }
  return wrong_element(item, kType);
}

template <class T>
Result<Tensor> numbers_from_json(Dims dims, const Json& data) {
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate_uninitialised(kDTypeOf<T>, std::move(dims)));
  T* out = tensor.mutable_data<T>();
  const auto take = [&out](const Json& item) -> Status {
    EDGEWRIGHT_ASSIGN(*out++, element_from_json<T>(item));
    return {};
  };
  EDGEWRIGHT_TRY(for_each_scalar(data, take));
  return tensor;
}

Result<Tensor> strings_from_json(Dims dims, const Json& data) {
  std::vector<std::string> elements;
  const auto take = [&elements](const Json& item) -> Status {
    if (!item.is_string()) return wrong_element(item, DType::kString);
    elements.push_back(item.get<std::string>());
    return {};
  };
  EDGEWRIGHT_TRY(for_each_scalar(data, take));
  return Tensor::strings(std::move(dims), std::move(elements));
}

template <class T>
Status append_numbers(const Tensor& tensor, std::string& out) {
  for (const T value : tensor.elements<T>()) {
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) {
        return unsupported("the output holds {}, which JSON cannot say; ask for binary data",
                           value);
      }
    }
    fmt::format_to(std::back_inserter(out), "{},", value);
  }
  return {};
}

Status append_strings(const Tensor& tensor, std::string& out) {
  for (const std::string& text : tensor.string_elements()) {
    if (!is_utf8(text)) {
      return unsupported("the output holds bytes that are not UTF-8; ask for binary data");
    }
    out += json_string(text) + ",";
  }
  return {};
}

struct JsonForm {
  DType dtype;
  Result<Tensor> (*read)(Dims dims, const Json& data);
  Status (*write)(const Tensor& tensor, std::string& out);
};
template <class T>
constexpr JsonForm number_form() {
  return {kDTypeOf<T>, numbers_from_json<T>, append_numbers<T>};
}
constexpr JsonForm kForms[] = {
    number_form<float>(),    number_form<int64_t>(),
    number_form<int32_t>(),  number_form<uint8_t>(),
    number_form<int8_t>(),   number_form<bool>(),
    number_form<double>(),   number_form<uint16_t>(),
    number_form<int16_t>(),  number_form<uint32_t>(),
    number_form<uint64_t>(), {DType::kString, strings_from_json, append_strings},
};

Result<const JsonForm*> form_of(DType dtype) {
  for (const JsonForm& form : kForms) {
    if (form.dtype == dtype) return &form;
  }
  return unsupported("{} has no JSON form; use binary data", datatype_name(dtype));
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (const int depth = nesting(text); depth > kMaxDepth) {
    return bad_input("the JSON nests {} levels deep, at most {} are read", depth, kMaxDepth);
  }
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return bad_input("the body's {} bytes are no JSON", text.size());
  return json;
}

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length == 0 || lead > 0xf4 || text.size() - i < length) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    const auto second = length > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    // Overlong forms, surrogates, and what lies beyond U+10FFFF.
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += length;
  }
  return true;
}

Result<Tensor> tensor_from_json(DType dtype, Dims dims, const Json& data) {
  EDGEWRIGHT_ASSIGN(const JsonForm* form, form_of(dtype));
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  if (!data.is_array()) return bad_input("expected an array of elements");
  // Counted first: only a shape that the data really fill is allocated.
  if (const size_t found = count_scalars(data); found != static_cast<size_t>(count)) {
    return bad_input("found {} elements, expected {} for shape {}", found, count, dims_text(dims));
  }
  return form->read(std::move(dims), data);
}

Status append_json(const Tensor& tensor, std::string& out) {
  EDGEWRIGHT_ASSIGN(const JsonForm* form, form_of(tensor.dtype()));
  out += '[';
  EDGEWRIGHT_TRY(form->write(tensor, out));
  if (out.back() == ',') out.pop_back();
  out += ']';
  return {};
}

}  // namespace edgewright::oip
