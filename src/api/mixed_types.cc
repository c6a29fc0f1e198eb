#include "api/mixed_types.h"

#include <algorithm>
#include <optional>

#include "graph/cost.h"
#include "passes/rewrite.h"

namespace edgewright {
namespace {

// Products of 16-bit floats and of bytes are summed in 32 bits; 4-bit weights are multiplied as
// float32.
constexpr MixedType kTypes[] = {
    {"fp32", "float32", 32, 32, "float32-multiply", "float32-add"},
    {"int8", "int8", 8, 8, "int8-multiply", "int32-add"},
    {"int4", "int4 weights", 4, 32, "float32-multiply", "float32-add"},
    {"fp16", "float16", 16, 16, "float16-multiply", "float32-add", DType::kFloat16},
    {"bf16", "bfloat16", 16, 16, "bfloat16-multiply", "float32-add", DType::kBfloat16},
};

double elements_of(const Value* value) {
  if (value == nullptr || value->is_constant()) return 0;
  const auto dims = static_dims(value);
  const auto count = dims ? checked_element_count(*dims) : Result<int64_t>(int64_t{0});
  return count.ok() ? static_cast<double>(*count) : 0;
}

// Picojoules of an operation in the finest process that the device's table has of it.
std::optional<OperationEnergy> energy_of(const Device& device, std::string_view operation) {
  std::optional<OperationEnergy> finest;
  for (const OperationEnergy& one : device.operation_energies) {
    if (one.operation != operation) continue;
    if (!finest || one.process_nm < finest->process_nm) finest = one;
  }
  return finest;
}

}  // namespace

const MixedType& mixed_type(uint8_t index) { return kTypes[index]; }

bool is_mixed_type(std::string_view name) {
  return std::ranges::any_of(kTypes, [&](const MixedType& type) { return type.name == name; });
}

std::vector<uint8_t> allowed_types(const PrecisionContext& context) {
  const auto& named = context.precision.mixed_types;
  std::vector<uint8_t> types = {kMixedFloat};
  for (const MixedTypeIndex type : {kMixedInt8, kMixedInt4, kMixedHalf, kMixedBrain}) {
    const bool asked = std::ranges::find(named, kTypes[type].name) != named.end();
    const bool suits = type != kMixedBrain || context.options.to == "plan";
    if (asked || (named.empty() && suits)) types.push_back(type);
  }
  return types;
}

double weight_bytes(const QuantLayer& layer, uint8_t type, int64_t group) {
  if (layer.weights < 0) return 0;
  const Tensor& weights = *layer.node->constant_input(static_cast<size_t>(layer.weights));
  const auto count = static_cast<double>(weights.element_count());
  const double channels =
      layer.weight_axis < 0
          ? 1
          : static_cast<double>(weights.dim(static_cast<size_t>(layer.weight_axis)));
  // int8 has a float scale per channel, 4-bit weights a scale and half a byte of zero point per
  // group.
  const double bytes = count * kTypes[type].weight_bits / 8;
  if (type == kMixedInt8) return bytes + 4 * channels;
  const double rows = group > 0 ? static_cast<double>(group) : count / channels;
  if (type == kMixedInt4) return bytes + count / rows * 4.5;
  return bytes;
}

Result<LayerEnergy> LayerEnergy::create(const std::string& device_name) {
  if (device_name.empty()) {
    return usage_error(
        "--quantize objective=energy needs device=NAME: a device of the catalogue or a file, whose "
        "energies count");
  }
  EDGEWRIGHT_ASSIGN(const Device device, load_device(device_name));
  LayerEnergy result;
  result.device_ = device.name;
  for (size_t i = 0; i < std::size(kTypes); ++i) {
    for (const std::string_view operation : {kTypes[i].multiply, kTypes[i].add}) {
      const auto energy = energy_of(device, operation);
      if (!energy) {
        return bad_input(
            "device '{}' has no energy of operation '{}', expected it in "
            "operation_energies",
            device.name, operation);
      }
      result.multiply_add_pj_[i] += energy->picojoules;
      result.process_nm_ = std::max(result.process_nm_, energy->process_nm);
    }
  }
  for (const MemoryLevel& level : device.memory) {
    if (level.name == "dram") result.byte_pj_ = level.energy_pj_per_byte;
  }
  if (result.byte_pj_ <= 0) {
    return bad_input("device '{}' has no energy_pj_per_byte of its memory 'dram'", device.name);
  }
  return result;
}

double LayerEnergy::layer_uj(const QuantLayer& layer, uint8_t type, int64_t group) const {
  const auto macs = static_cast<double>(multiply_adds(*layer.node).value_or(0));
  double activations = elements_of(layer.node->outputs[0]);
  for (const Value* input : layer.node->inputs) activations += elements_of(input);
  const double bytes =
      weight_bytes(layer, type, group) + activations * kTypes[type].activation_bits / 8;
  return 1e-6 * (macs * multiply_add_pj_[type] + bytes * byte_pj_);
}

std::string LayerEnergy::source() const {
  return fmt::format("energies of {} ({} nm arithmetic, {:.1f} pJ a byte of memory)", device_,
                     process_nm_, byte_pj_);
}

}  // namespace edgewright
