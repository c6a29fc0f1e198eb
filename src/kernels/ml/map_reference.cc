// Maps of ai.onnx.ml: made of scores by ZipMap, turned back into tensors by the others.
#include <algorithm>
#include <charconv>
#include <numeric>

#include "kernels/families.h"
#include "kernels/ml/post_transform.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

using namespace reference;

Tensor label_keys(ClassLabels labels) {
  const int64_t count = labels.count();
  if (!labels.strings.empty()) return Tensor::strings({count}, std::move(labels.strings));
  return Tensor::of<int64_t>({count}, labels.integers);
}

// One map per row; the rows share their keys.
Status zip_map(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(const Rows rows, rows_of(call, *x.tensor));
  EDGEWRIGHT_ASSIGN(ClassLabels labels,
                    class_labels(call, "classlabels_strings", "classlabels_int64s"));
  if (labels.count() != rows.width) {
    return bad_input("{} has {} labels for {} columns", call.op, labels.count(), rows.width);
  }
  const Tensor keys = label_keys(std::move(labels));
  std::vector<Datum> maps;
  for (int64_t row = 0; row < rows.count; ++row) {
    const std::span<const float> scores(x.data + row * rows.width, static_cast<size_t>(rows.width));
    maps.push_back(Datum::map(keys, Tensor::of<float>({rows.width}, scores)));
  }
  call.set_output(0, Datum::sequence(std::move(maps)));
  return {};
}

Result<const Datum*> map_input(const OpCall& call) {
  if (call.has_input(0) && call.inputs[0].is_map()) return &call.inputs[0];
  return bad_input("input 0 of {} is no map", call.op);
}

void copy_element(const Tensor& from, int64_t i, Tensor& to, int64_t j) {
  if (from.dtype() == DType::kString) {
    to.mutable_string_elements()[static_cast<size_t>(j)] =
        from.string_elements()[static_cast<size_t>(i)];
    return;
  }
  const auto size = static_cast<size_t>(dtype_bits(from.dtype()) / 8);
  std::copy_n(from.bytes() + static_cast<size_t>(i) * size, size,
              to.mutable_bytes() + static_cast<size_t>(j) * size);
}

// Where each key of a map stands in a vocabulary; -1 for one that is not in it.
std::vector<int64_t> positions(const Tensor& keys, const ClassLabels& vocabulary) {
  std::vector<int64_t> found;
  const auto find = [&](const auto& words, const auto& key) {
    const auto it = std::ranges::find(words, key);
    found.push_back(it == words.end() ? -1 : it - words.begin());
  };
  if (keys.dtype() == DType::kString) {
    for (const std::string& key : keys.string_elements()) find(vocabulary.strings, key);
  } else {
    for (const int64_t key : keys.elements<int64_t>()) find(vocabulary.integers, key);
  }
  return found;
}

// The values of a map in the order of the vocabulary, zero for absent keys.
Status dict_vectorizer(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Datum* map, map_input(call));
  EDGEWRIGHT_ASSIGN(const ClassLabels vocabulary,
                    class_labels(call, "string_vocabulary", "int64_vocabulary"));
  const Tensor& values = map->map_values();
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, values.dtype(), {1, vocabulary.count()}));
  if (values.dtype() != DType::kString) {
    std::fill_n(y->mutable_bytes(), y->size_bytes(), std::byte{0});
  }
  const std::vector<int64_t> at = positions(map->map_keys(), vocabulary);
  for (size_t i = 0; i < at.size(); ++i) {
    if (at[i] < 0) return bad_input("key {} of the map is not in the vocabulary", i);
    copy_element(values, static_cast<int64_t>(i), *y, at[i]);
  }
  return {};
}

Result<double> number_of(const Tensor& values, int64_t i) {
  if (values.dtype() != DType::kString) return load_double(values.dtype(), values.bytes(), i);
  const std::string& text = values.string_elements()[static_cast<size_t>(i)];
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc() && end == text.data() + text.size()) return number;
  return bad_input("found '{}' in a map, expected a number", text);
}

Result<DType> cast_type(const OpCall& call) {
  const std::string name = call.attributes->get_string("cast_to", "TO_FLOAT");
  if (name == "TO_FLOAT") return DType::kFloat32;
  if (name == "TO_INT64") return DType::kInt64;
  if (name == "TO_STRING") return DType::kString;
  return bad_input("{} has cast_to '{}', expected TO_FLOAT, TO_INT64 or TO_STRING", call.op, name);
}

Status store_cast(const Tensor& values, int64_t i, Tensor& y, int64_t j) {
  if (y.dtype() == values.dtype()) {
    copy_element(values, i, y, j);
    return {};
  }
  EDGEWRIGHT_ASSIGN(const double number, number_of(values, i));
  const auto at = static_cast<size_t>(j);
  if (y.dtype() == DType::kString) y.mutable_string_elements()[at] = fmt::format("{}", number);
  if (y.dtype() == DType::kFloat32) y.mutable_data<float>()[at] = static_cast<float>(number);
  if (y.dtype() == DType::kInt64) y.mutable_data<int64_t>()[at] = static_cast<int64_t>(number);
  return {};
}

// The values of a map by ascending keys; SPARSE: each at the position that its key says.
Status cast_map(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Datum* map, map_input(call));
  EDGEWRIGHT_ASSIGN(const DType type, cast_type(call));
  if (map->map_keys().dtype() != DType::kInt64) return bad_input("{} of string keys", call.op);
  const auto keys = map->map_keys().elements<int64_t>();
  const bool sparse = call.attributes->get_string("map_form", "DENSE") == "SPARSE";
  const int64_t count =
      sparse ? call.attributes->get_int("max_map", 1) : static_cast<int64_t>(keys.size());
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, type, {1, count}));
  if (type != DType::kString) std::fill_n(y->mutable_bytes(), y->size_bytes(), std::byte{0});
  std::vector<int64_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](int64_t i) { return keys[static_cast<size_t>(i)]; });
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t key = keys[static_cast<size_t>(order[i])];
    const int64_t at = sparse ? key : static_cast<int64_t>(i);
    if (at < 0 || at >= count) return bad_input("{}: key {} is not below {}", call.op, key, count);
    EDGEWRIGHT_TRY(store_cast(map->map_values(), order[i], *y, at));
  }
  return {};
}

// Strings to the integers of their categories, or back.
Status category_mapper(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  const std::vector<std::string> names = call.attributes->get_strings("cats_strings");
  const std::vector<int64_t> numbers = call.attributes->get_ints("cats_int64s");
  const bool text = x->dtype() == DType::kString;
  if (names.size() != numbers.size() || (!text && x->dtype() != DType::kInt64)) {
    return bad_input("{} of {} has {} strings and {} integers", call.op, dtype_name(x->dtype()),
                     names.size(), numbers.size());
  }
  EDGEWRIGHT_ASSIGN(Tensor * y,
                    call.make_output(0, text ? DType::kInt64 : DType::kString, x->dims()));
  const std::vector<int64_t> at = positions(*x, {names, numbers});
  for (size_t i = 0; i < at.size(); ++i) {
    const auto found = static_cast<size_t>(at[i]);
    if (text) {
      y->mutable_data<int64_t>()[i] =
          at[i] < 0 ? call.attributes->get_int("default_int64", -1) : numbers[found];
    } else {
      y->mutable_string_elements()[i] =
          at[i] < 0 ? call.attributes->get_string("default_string", "_Unused") : names[found];
    }
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"ai.onnx.ml", "ZipMap", zip_map},
    {"ai.onnx.ml", "DictVectorizer", dict_vectorizer},
    {"ai.onnx.ml", "CastMap", cast_map},
    {"ai.onnx.ml", "CategoryMapper", category_mapper},
};

}  // namespace

std::span<const ReferenceKernel> map_reference_kernels() { return kKernels; }

}  // namespace edgewright
