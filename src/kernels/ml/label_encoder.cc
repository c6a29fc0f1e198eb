#include "kernels/ml/label_encoder.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "tensor/element.h"

namespace edgewright::reference {
namespace {

// Element i as text by which equal elements of one type are equal; NaN equals NaN.
std::string key_of(const Tensor& tensor, int64_t i) {
  if (tensor.dtype() == DType::kString) return tensor.string_elements()[static_cast<size_t>(i)];
  char bytes[8];
  if (is_integer(tensor.dtype())) {
    const int64_t value = load_int64(tensor.dtype(), tensor.bytes(), i);
    std::memcpy(bytes, &value, sizeof(value));
  } else {
    double value = load_double(tensor.dtype(), tensor.bytes(), i) + 0.0;  // -0 becomes 0
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
    std::memcpy(bytes, &value, sizeof(value));
  }
  return {bytes, sizeof(bytes)};
}

// The attribute prefix_tensor, prefix_strings, prefix_int64s or prefix_floats as a tensor.
Result<Tensor> listed(const OpCall& call, const std::string& prefix) {
  const Attributes& a = *call.attributes;
  if (const Tensor* tensor = a.get_tensor(prefix + "_tensor")) return *tensor;
  if (a.contains(prefix + "_strings")) {
    std::vector<std::string> strings = a.get_strings(prefix + "_strings");
    const auto count = static_cast<int64_t>(strings.size());
    return Tensor::strings({count}, std::move(strings));
  }
  if (a.contains(prefix + "_int64s")) {
    const std::vector<int64_t> values = a.get_ints(prefix + "_int64s");
    return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
  }
  if (a.contains(prefix + "_floats")) {
    const std::vector<float> values = a.get_floats(prefix + "_floats");
    return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
  }
  return bad_input("{} has no {}", call.op, prefix);
}

// What stands for elements that the table does not hold, of the table's value type.
Result<Tensor> default_value(const OpCall& call, const Tensor& values) {
  const Attributes& a = *call.attributes;
  if (const Tensor* tensor = a.get_tensor("default_tensor")) {
    if (tensor->dtype() == values.dtype() && tensor->element_count() == 1) return *tensor;
    return bad_input("{} has a default of {} for values of {}", call.op,
                     dtype_name(tensor->dtype()), dtype_name(values.dtype()));
  }
  if (values.dtype() == DType::kString) {
    return Tensor::strings({1}, {a.get_string("default_string", "_Unused")});
  }
  if (values.dtype() == DType::kInt64) {
    return Tensor::of<int64_t>({1}, {a.get_int("default_int64", -1)});
  }
  if (values.dtype() == DType::kFloat32) {
    return Tensor::of<float>({1}, {a.get_float("default_float", -0.0f)});
  }
  if (values.dtype() == DType::kFloat64) return Tensor::of<double>({1}, {-0.0});
  if (values.dtype() == DType::kInt32) return Tensor::of<int32_t>({1}, {-1});
  if (values.dtype() == DType::kInt16) return Tensor::of<int16_t>({1}, {int16_t{-1}});
  return bad_input("{} to {}", call.op, dtype_name(values.dtype()));
}

void copy_one(const Tensor& from, int64_t i, Tensor& to, int64_t j) {
  if (from.dtype() == DType::kString) {
    to.mutable_string_elements()[static_cast<size_t>(j)] =
        from.string_elements()[static_cast<size_t>(i)];
    return;
  }
  const int64_t size = dtype_bits(from.dtype()) / 8;
  std::memcpy(to.mutable_bytes() + j * size, from.bytes() + i * size, static_cast<size_t>(size));
}

struct Table {
  Tensor keys;
  Tensor values;
};

// Version 1 lists strings that stand for their positions, in either direction.
Result<Table> read_table(const OpCall& call, DType input) {
  Table table;
  if (call.attributes->contains("classes_strings")) {
    std::vector<std::string> classes = call.attributes->get_strings("classes_strings");
    const auto count = static_cast<int64_t>(classes.size());
    std::vector<int64_t> positions(classes.size());
    for (size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<int64_t>(i);
    table.keys = Tensor::strings({count}, std::move(classes));
    table.values = Tensor::of<int64_t>({count}, positions);
    if (input == DType::kInt64) std::swap(table.keys, table.values);
  } else {
    EDGEWRIGHT_ASSIGN(table.keys, listed(call, "keys"));
    EDGEWRIGHT_ASSIGN(table.values, listed(call, "values"));
  }
  const bool numeric =
      table.values.dtype() == DType::kString || dtype_bits(table.values.dtype()) >= 8;
  if (table.keys.element_count() != table.values.element_count() || table.keys.dtype() != input ||
      !numeric) {
    return bad_input("{} of {} with {} keys of {} and {} values of {}", call.op, dtype_name(input),
                     table.keys.element_count(), dtype_name(table.keys.dtype()),
                     table.values.element_count(), dtype_name(table.values.dtype()));
  }
  return table;
}

}  // namespace

Status label_encoder(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Table table, read_table(call, x->dtype()));
  EDGEWRIGHT_ASSIGN(const Tensor otherwise, default_value(call, table.values));
  std::map<std::string, int64_t> positions;
  for (int64_t i = 0; i < table.keys.element_count(); ++i) {
    positions.emplace(key_of(table.keys, i), i);
  }
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, table.values.dtype(), x->dims()));
  for (int64_t i = 0; i < x->element_count(); ++i) {
    const auto found = positions.find(key_of(*x, i));
    if (found == positions.end()) {
      copy_one(otherwise, 0, *y, i);
    } else {
      copy_one(table.values, found->second, *y, i);
    }
  }
  return {};
}

}  // namespace edgewright::reference
