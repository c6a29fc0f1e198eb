#include "formats/coreml/program.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "formats/coreml/protobuf_reader.h"

namespace edgewright::coreml {
namespace {

constexpr uint64_t kMaxRank = 32;
constexpr uint64_t kMaxDim = uint64_t{1} << 40;

// MILSpec.DataType.
struct TypeRow {
  uint64_t code;
  DType dtype;
};
constexpr std::array kTypes = std::to_array<TypeRow>({
    {1, DType::kBool},
    {2, DType::kString},
    {10, DType::kFloat16},
    {11, DType::kFloat32},
    {12, DType::kFloat64},
    {13, DType::kBfloat16},
    {21, DType::kInt8},
    {22, DType::kInt16},
    {23, DType::kInt32},
    {24, DType::kInt64},
    {31, DType::kUint8},
    {32, DType::kUint16},
    {33, DType::kUint32},
    {34, DType::kUint64},
});

// Dimension: constant (1) of size (1), or unknown (2).
Result<Dim> read_dimension(std::string_view bytes) {
  EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
  Dim dim(0);
  for (const Field& field : fields) {
    if (field.number == 2) dim = Dim();
    if (field.number != 1) continue;
    EDGEWRIGHT_ASSIGN(const auto constant, text_of(field));
    EDGEWRIGHT_ASSIGN(const auto sizes, fields_of(constant));
    for (const Field& size : sizes) {
      if (size.number != 1) continue;
      if (size.value > kMaxDim) return bad_input("a dimension of {}", size.value);
      dim = Dim(static_cast<int64_t>(size.value));
    }
  }
  return dim;
}

// TensorType: data type (1), rank (2), dimensions (3).
Result<ValueType> read_tensor_type(std::string_view bytes) {
  EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
  uint64_t code = 0, rank = 0;
  Shape shape;
  for (const Field& field : fields) {
    if (field.number == 1) code = field.value;
    if (field.number == 2) rank = field.value;
    if (field.number != 3) continue;
    EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
    EDGEWRIGHT_ASSIGN(Dim dim, read_dimension(text));
    shape.push_back(std::move(dim));
  }
  const auto* row = std::ranges::find(kTypes, code, &TypeRow::code);
  if (row == kTypes.end()) return bad_input("element type {}", code);
  if (shape.size() > kMaxRank || rank != shape.size()) {
    return bad_input("rank {} and {} dimensions", rank, shape.size());
  }
  return ValueType::tensor(row->dtype, std::move(shape));
}

// ValueType: a tensor (1); lists, tuples and dictionaries are no values here.
Result<ValueType> read_value_type(std::string_view bytes) {
  EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
  for (const Field& field : fields) {
    if (field.number != 1) continue;
    EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
    return read_tensor_type(text);
  }
  return unsupported("a value that is no tensor");
}

// NamedValueType: name (1), type (2).
Result<NamedType> read_named_type(std::string_view bytes) {
  EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
  NamedType named;
  bool has_type = false;
  for (const Field& field : fields) {
    EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
    if (field.number == 1) named.name = text;
    if (field.number != 2) continue;
    auto type = read_value_type(text);
    if (!type.ok()) return std::move(type).error().at(fmt::format("'{}'", named.name));
    named.type = *std::move(type);
    has_type = true;
  }
  if (named.name.empty() || !has_type) return bad_input("a value without name or type");
  return named;
}

// The elements of a small tensor as they stand in the specification: field `which` of TensorValue,
// its values as field 1, packed or not.
struct Elements {
  std::vector<uint64_t> numbers;  // varints, or bits of floats
  std::vector<std::string> texts;
  std::string_view bytes;
  size_t bits = 0;  // of floats
};

Status read_floats(const Field& field, size_t size, Elements& elements) {
  elements.bits = 8 * size;
  if (field.wire_type != 2) {
    elements.numbers.push_back(field.value);
    return {};
  }
  if (field.bytes.size() % size != 0) return bad_input("{} bytes of floats", field.bytes.size());
  for (size_t at = 0; at < field.bytes.size(); at += size) {
    uint64_t bits = 0;
    for (size_t i = 0; i < size; ++i) {
      bits |= static_cast<uint64_t>(static_cast<uint8_t>(field.bytes[at + i])) << (8 * i);
    }
    elements.numbers.push_back(bits);
  }
  return {};
}

enum Kind : uint8_t { kFloats = 1, kInts, kBools, kStrings, kLongs, kDoubles, kBytes };

Result<Elements> read_elements(uint32_t kind, std::string_view bytes) {
  EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
  Elements elements;
  for (const Field& field : fields) {
    if (field.number != 1) continue;
    if (kind == kFloats || kind == kDoubles) {
      EDGEWRIGHT_TRY(read_floats(field, kind == kFloats ? 4 : 8, elements));
    } else if (kind == kStrings || kind == kBytes) {
      EDGEWRIGHT_ASSIGN(elements.bytes, text_of(field));
      elements.texts.emplace_back(elements.bytes);
    } else if (field.wire_type == 2) {
      EDGEWRIGHT_ASSIGN(const auto values, packed_varints(field.bytes));
      elements.numbers.insert(elements.numbers.end(), values.begin(), values.end());
    } else {
      elements.numbers.push_back(field.value);
    }
  }
  return elements;
}

// Stores number i; the integers of MIL's smaller types are varints like the larger ones'.
void store(Tensor& tensor, size_t i, uint64_t number, size_t float_bits) {
  double real = static_cast<double>(static_cast<int64_t>(number));
  if (float_bits == 32) real = std::bit_cast<float>(static_cast<uint32_t>(number));
  if (float_bits == 64) real = std::bit_cast<double>(number);
  const auto single = static_cast<float>(real);
  const auto half = Half(single);
  const void* bytes = &number;
  if (tensor.dtype() == DType::kFloat32) bytes = &single;
  if (tensor.dtype() == DType::kFloat64) bytes = &real;
  if (tensor.dtype() == DType::kFloat16) bytes = &half;
  const auto item = static_cast<size_t>(dtype_bits(tensor.dtype()) / 8);
  std::memcpy(tensor.mutable_bytes() + i * item, bytes, item);
}

Result<Tensor> read_immediate(const ValueType& type, const Dims& dims, std::string_view bytes) {
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
  Elements elements;
  for (const Field& field : fields) {
    if (field.number < kFloats || field.number > kBytes) continue;
    EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
    EDGEWRIGHT_ASSIGN(elements, read_elements(field.number, text));
  }
  if (type.dtype == DType::kString) {
    if (std::ssize(elements.texts) != count) {
      return bad_input("{} texts for {}", elements.texts.size(), dims_text(dims));
    }
    return Tensor::strings(dims, std::move(elements.texts));
  }
  const bool is_floating = is_floating_point(type.dtype);
  if (!elements.bytes.empty()) {
    if (count > (int64_t{1} << 40) ||
        dtype_bytes(type.dtype, static_cast<size_t>(count)) != elements.bytes.size()) {
      return bad_input("{} bytes for {} of {}", elements.bytes.size(), dims_text(dims),
                       dtype_name(type.dtype));
    }
    EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(type.dtype, dims));
    std::memcpy(tensor.mutable_bytes(), elements.bytes.data(), elements.bytes.size());
    return tensor;
  }
  if (std::ssize(elements.numbers) != count || (count > 0 && is_floating != (elements.bits > 0))) {
    return bad_input("{} numbers for {} of {}", elements.numbers.size(), dims_text(dims),
                     dtype_name(type.dtype));
  }
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(type.dtype, dims));
  const bool is_bool = type.dtype == DType::kBool;
  for (size_t i = 0; i < elements.numbers.size(); ++i) {
    const uint64_t number = elements.numbers[i];
    store(tensor, i, is_bool ? (number != 0 ? 1 : 0) : number, elements.bits);
  }
  return tensor;
}

// The other kinds of a Model: numbers of its oneof in Model.proto of coremltools 9.0.
constexpr uint32_t kOtherKinds[] = {200, 201,  202,  300,  301,  302,  303,  304,  400,
                                    401, 402,  403,  404,  500,  501,  555,  556,  560,
                                    600, 601,  602,  603,  604,  606,  607,  609,  610,
                                    900, 2000, 2001, 2002, 2003, 2004, 2005, 2006, 3000};

// Turns the messages of a specification into the structs of program.h.
class ProgramReader {
 public:
  explicit ProgramReader(const WeightsReader& weights) : weights_(weights) {}

  // Model: version (1), ML program (502).
  Result<MlProgram> read_model(std::string_view bytes) {
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
    bool found = false, is_other = false;
    for (const Field& field : fields) {
      is_other |= std::ranges::find(kOtherKinds, field.number) != std::end(kOtherKinds);
      if (field.number == 1) program_.specification = field.value;
      if (field.number != 502) continue;
      EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
      EDGEWRIGHT_TRY(read_functions(text));
      found = true;
    }
    if (program_.specification == 0) return bad_input("found no specification version");
    if (!found && !is_other) return bad_input("found no ML program, expected one");
    if (!found) {
      return unsupported("specification {} holds no ML program, the form that is read here",
                         program_.specification);
    }
    if (program_.outputs.empty()) return bad_input("found no outputs, expected at least one");
    return std::move(program_);
  }

 private:
  // An entry of a map from strings: key (1), value (2).
  struct Entry {
    std::string_view key, value;
  };
  static Result<Entry> read_entry(const Field& field) {
    EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(text));
    Entry entry;
    for (const Field& part : fields) {
      EDGEWRIGHT_ASSIGN(const auto bytes, text_of(part));
      if (part.number == 1) entry.key = bytes;
      if (part.number == 2) entry.value = bytes;
    }
    return entry;
  }

  // Program: functions (2).
  Status read_functions(std::string_view bytes) {
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
    size_t count = 0;
    for (const Field& field : fields) {
      if (field.number != 2) continue;
      EDGEWRIGHT_ASSIGN(const Entry entry, read_entry(field));
      if (entry.key == "main") EDGEWRIGHT_TRY(read_function(entry.value));
      has_main_ = has_main_ || entry.key == "main";
      ++count;
    }
    if (has_main_) return {};
    if (count == 0) return bad_input("the program has no functions");
    return bad_input("none of {} functions is called main", count);
  }

  // Function: inputs (1), the operators' version (2), blocks by version (3).
  Status read_function(std::string_view bytes) {
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
    if (has_main_) return bad_input("two functions are called main");
    std::string_view opset;
    std::vector<Entry> blocks;
    for (const Field& field : fields) {
      if (field.number < 1 || field.number > 3) continue;
      EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
      if (field.number == 1) {
        EDGEWRIGHT_ASSIGN(NamedType input, read_named_type(text));
        program_.inputs.push_back(std::move(input));
      }
      if (field.number == 2) opset = text;
      if (field.number == 3) {
        EDGEWRIGHT_ASSIGN(const Entry block, read_entry(field));
        blocks.push_back(block);
      }
    }
    const auto block = std::ranges::find(blocks, opset, &Entry::key);
    if (block == blocks.end()) return bad_input("there is no block for operators of '{}'", opset);
    return read_block(block->value);
  }

  // Block: outputs (2), operations (3).
  Status read_block(std::string_view bytes) {
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
    for (const Field& field : fields) {
      if (field.number != 2 && field.number != 3) continue;
      EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
      if (field.number == 2) {
        program_.outputs.emplace_back(text);
        continue;
      }
      auto operation = read_operation(text);
      if (!operation.ok()) {
        return std::move(operation).error().at(
            fmt::format("operation {}", program_.operations.size()));
      }
      program_.operations.push_back(*std::move(operation));
    }
    return {};
  }

  // Operation: type (1), inputs (2), outputs (3), blocks (4), attributes (5).
  Result<Operation> read_operation(std::string_view bytes) const {
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
    Operation operation;
    for (const Field& field : fields) {
      if (field.number < 1 || field.number > 5) continue;
      EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
      if (field.number == 1) operation.type = text;
      if (field.number == 4) operation.has_blocks = true;
      if (field.number == 3) {
        EDGEWRIGHT_ASSIGN(NamedType output, read_named_type(text));
        operation.outputs.push_back(std::move(output));
      }
      if (field.number != 2 && field.number != 5) continue;
      EDGEWRIGHT_ASSIGN(const Entry entry, read_entry(field));
      const std::string key(entry.key);
      if (field.number == 2) {
        EDGEWRIGHT_ASSIGN(operation.inputs[key], read_argument(entry.value));
      } else {
        auto value = read_value(entry.value);
        if (!value.ok()) return std::move(value).error().at(fmt::format("attribute '{}'", key));
        if (*value) operation.attributes[key] = **std::move(value);
      }
    }
    return operation;
  }

  // Argument: bindings (1), each a name (1) or a value (2).
  Result<std::vector<Argument>> read_argument(std::string_view bytes) const {
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
    std::vector<Argument> arguments;
    for (const Field& field : fields) {
      if (field.number != 1) continue;
      EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
      EDGEWRIGHT_ASSIGN(const auto parts, fields_of(text));
      Argument& argument = arguments.emplace_back();
      for (const Field& part : parts) {
        EDGEWRIGHT_ASSIGN(const auto inner, text_of(part));
        if (part.number == 1) argument.name = inner;
        if (part.number == 2) {
          EDGEWRIGHT_ASSIGN(argument.constant, read_value(inner));
        }
      }
    }
    return arguments;
  }

  // Value: type (2), immediate (3) tensor (1), or a place in a file (5). Nothing for what is no
  // tensor.
  Result<std::optional<Tensor>> read_value(std::string_view bytes) const {
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
    std::optional<ValueType> type;
    for (const Field& field : fields) {
      if (field.number != 2) continue;
      EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
      auto read = read_value_type(text);
      if (!read.ok() && read.error().kind == ErrorKind::kUnsupported) {
        return std::optional<Tensor>();
      }
      if (!read.ok()) return std::move(read).error();
      type = *std::move(read);
    }
    if (!type) return bad_input("a value has no type");
    const auto dims = known_dims(*type->shape);
    if (!dims) return bad_input("a constant has open dimensions");
    for (const Field& field : fields) {
      if (field.number != 3 && field.number != 5) continue;
      EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
      EDGEWRIGHT_ASSIGN(Tensor tensor, field.number == 3 ? read_tensor(*type, *dims, text)
                                                         : read_blob(*type, *dims, text));
      return std::optional(std::move(tensor));
    }
    return bad_input("a constant has no value");
  }

  static Result<Tensor> read_tensor(const ValueType& type, const Dims& dims,
                                    std::string_view bytes) {
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
    for (const Field& field : fields) {
      if (field.number != 1) continue;
      EDGEWRIGHT_ASSIGN(const auto text, text_of(field));
      return read_immediate(type, dims, text);
    }
    return bad_input("a constant is no tensor");
  }

  // BlobFileValue: file (1), offset (2).
  Result<Tensor> read_blob(const ValueType& type, const Dims& dims, std::string_view bytes) const {
    EDGEWRIGHT_ASSIGN(const auto fields, fields_of(bytes));
    std::string_view file;
    uint64_t offset = 0;
    for (const Field& field : fields) {
      if (field.number == 1) {
        EDGEWRIGHT_ASSIGN(file, text_of(field));
      }
      if (field.number == 2) offset = field.value;
    }
    if (file != kWeightsReference) {
      return bad_input("weights in '{}', expected {}", file, kWeightsReference);
    }
    return weights_.at(offset, type.dtype, dims);
  }

  const WeightsReader& weights_;
  MlProgram program_;
  bool has_main_ = false;
};

}  // namespace

Result<MlProgram> read_program(std::string_view specification, const WeightsReader& weights) {
  return ProgramReader(weights).read_model(specification);
}

}  // namespace edgewright::coreml
