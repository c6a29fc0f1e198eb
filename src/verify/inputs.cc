#include "verify/inputs.h"

#include <cmath>
#include <limits>
#include <random>

#include "graph/fix_shapes.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

Dims dims_of(const Value& input, const InputOptions& options, const SymbolSizes& symbols) {
  if (const auto it = options.shapes.find(input.name); it != options.shapes.end()) {
    return it->second;
  }
  Dims dims;
  for (const Dim& dim : input.type.shape.value_or(Shape{})) {
    const auto it = symbols.find(dim.symbol);
    dims.push_back(dim.is_known()        ? dim.value
                   : it != symbols.end() ? it->second
                                         : options.symbol_size);
  }
  return dims;
}

double next_value(const InputOptions& options, DType dtype, std::mt19937_64& random) {
  const InputKind kind = options.kind;
  // Box-Muller from raw bits: standard distributions may differ between libraries.
  const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53; };
  if (kind == InputKind::kZeros) return 0;
  if (kind == InputKind::kOnes) return 1;
  if (kind == InputKind::kConstant) return is_floating_point(dtype) ? 0.5 : 1;
  if (dtype == DType::kBool) return static_cast<double>(random() >> 63);
  if (!is_floating_point(dtype)) return static_cast<double>(random() & (options.integers - 1));
  const double radius = std::sqrt(-2 * std::log(uniform()));
  const double normal = radius * std::cos(6.283185307179586 * uniform());
  switch (kind) {
    case InputKind::kHuge: return normal * 1e4;
    case InputKind::kTiny: return normal * 1e-39;  // denormal as float32
    case InputKind::kNegative: return -std::fabs(normal);
    case InputKind::kSparse: return uniform() < 0.1 ? normal : 0;
    case InputKind::kOutOfDistribution: return 40 * uniform() - 20;
    default: return normal;
  }
}

void store(Tensor& tensor, int64_t index, double value) {
  const auto i = static_cast<size_t>(index);
  switch (tensor.dtype()) {
    case DType::kFloat32: tensor.mutable_data<float>()[i] = static_cast<float>(value); return;
    case DType::kFloat64: tensor.mutable_data<double>()[i] = value; return;
    case DType::kFloat16: tensor.mutable_data<Half>()[i] = Half(static_cast<float>(value)); return;
    case DType::kBfloat16:
      tensor.mutable_data<Bfloat16>()[i] = Bfloat16(static_cast<float>(value));
      return;
    default: break;
  }
  const int bits = dtype_bits(tensor.dtype());
  const auto integer = static_cast<int64_t>(value);
  if (is_floating_point(tensor.dtype()) && bits == 8) {
    tensor.mutable_data<uint8_t>()[i] =
        float_to_float8(tensor.dtype(), static_cast<float>(value), true);
  } else if (bits < 8) {
    packed_set(tensor.mutable_bytes(), index, bits, static_cast<uint8_t>(integer));
  } else {
    const auto bytes = static_cast<size_t>(bits / 8);
    std::copy_n(reinterpret_cast<const std::byte*>(&integer), std::min(bytes, sizeof(integer)),
                tensor.mutable_bytes() + i * bytes);
  }
}

Result<Datum> make_datum(const ValueType& type, const Dims& dims, const InputOptions& options,
                         std::mt19937_64& random) {
  if (type.kind == ValueType::Kind::kSequence) return Datum::sequence({});
  if (type.kind == ValueType::Kind::kOptional) return Datum::empty_optional();
  if (!type.is_tensor())
    return unsupported("no values can be made for its type {}", type_text(type));
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(type.dtype, dims));
  if (type.dtype == DType::kString) {
    for (std::string& text : tensor.mutable_string_elements()) {
      text = fmt::format("s{}", random() & 3);
    }
    return Datum(std::move(tensor));
  }
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    store(tensor, i, next_value(options, type.dtype, random));
  }
  if (is_floating_point(type.dtype) && tensor.element_count() > 0) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    const int64_t middle = tensor.element_count() / 2;
    if (options.kind == InputKind::kInfinity) store(tensor, middle, kInfinity);
    if (options.kind == InputKind::kNan) store(tensor, middle, kNan);
  }
  return Datum(std::move(tensor));
}

}  // namespace

std::string_view input_kind_name(InputKind kind) {
  constexpr std::string_view kNames[] = {"random",   "zeros",    "ones",
                                         "constant", "sparse",   "huge",
                                         "tiny",     "negative", "out-of-distribution",
                                         "infinity", "nan"};
  return kNames[static_cast<size_t>(kind)];
}

Result<std::vector<Datum>> make_inputs(const Graph& graph, const InputOptions& options) {
  EDGEWRIGHT_ASSIGN(const SymbolSizes symbols, bind_symbols(graph, options.shapes));
  std::mt19937_64 random(options.seed * 0x9e3779b97f4a7c15u + 1);
  std::vector<Datum> inputs;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) {
      inputs.emplace_back(*input->constant);
      continue;
    }
    auto datum = make_datum(input->type, dims_of(*input, options, symbols), options, random);
    if (!datum.ok()) return std::move(datum).error().at(fmt::format("input '{}'", input->name));
    inputs.push_back(*std::move(datum));
  }
  return inputs;
}

}  // namespace edgewright
