#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/precision_context.h"
#include "device/device.h"
#include "quantize/layer.h"

// The types that layers of a mix may have, and what they cost beside time.
namespace edgewright {

struct MixedType {
  std::string_view name;    // --quantize types=
  std::string_view report;  // ConvertReport::precision
  // How the layer's numbers lie in memory: bits of a weight and of an activation.
  int weight_bits, activation_bits;
  // Operations of device files that a multiply-add consists of.
  std::string_view multiply, add;
  DType low = DType::kUndefined;  // of 16-bit floats
};
enum MixedTypeIndex : uint8_t { kMixedFloat, kMixedInt8, kMixedInt4, kMixedHalf, kMixedBrain };
const MixedType& mixed_type(uint8_t index);
bool is_mixed_type(std::string_view name);

// What the options allow, float32 first. Without types=: everything, but bfloat16 only for plans
// (other runtimes lack most of its operators); as latency 4-bit weights are no gain of their own,
// because a plan holds them as float.
std::vector<uint8_t> allowed_types(const PrecisionContext& context);

// Constants of a layer in bytes; 4-bit weights with groups of `group` rows.
double weight_bytes(const QuantLayer& layer, uint8_t type, int64_t group);

// Energies of a device: of arithmetic by type and of bytes that come from or go to its memory.
class LayerEnergy {
 public:
  // kBadInput where the device's file has no energies of operations or of memory; kUsage where no
  // device is named.
  static Result<LayerEnergy> create(const std::string& device);

  // Microjoules of one run of a layer with known shapes: multiply-adds by type, weights read,
  // activations read and written at the width of the type (W. Dally's and M. Horowitz's account of
  // a layer: ISSCC 2014).
  double layer_uj(const QuantLayer& layer, uint8_t type, int64_t group) const;
  const std::string& device() const { return device_; }
  std::string source() const;

 private:
  std::string device_;
  double multiply_add_pj_[5] = {};
  double byte_pj_ = 0;
  int64_t process_nm_ = 0;
};

}  // namespace edgewright
