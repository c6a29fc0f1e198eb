#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace edgewright {

// How the numbers of an activation are kept.
enum class ActivationForm : uint8_t { kFloat32 = 0, kFloat16 = 1, kInt8 = 2, kInt4 = 3, kPca = 4 };
// What packs the resulting bytes, after a bit shuffle.
enum class ActivationPacker : uint8_t { kNone = 0, kLz4 = 1, kZstd = 2 };

// A way to send activations, as words joined by '+': one form ("fp32", "fp16", "int8", "int4",
// "pca"), perhaps "sparse" (zeros as a bit map), "delta" (the difference to the frame before), and
// a packer
// ("lz4", "zstd"). Example: "delta+int8+zstd".
struct ActivationCodec {
  ActivationForm form = ActivationForm::kFloat32;
  ActivationPacker packer = ActivationPacker::kNone;
  bool sparse = false, delta = false;
};
Result<ActivationCodec> parse_codec(std::string_view text);
std::string codec_name(const ActivationCodec& codec);
// Those that are worth comparing, least error first.
std::vector<ActivationCodec> known_codecs();

// One direction of a stream of activations of one value; float32 tensors only. With "delta" the
// frames depend on each other, and both ends keep what the receiver has. The bytes are described in
// docs/formats/activation.md.
class ActivationEncoder {
 public:
  explicit ActivationEncoder(ActivationCodec codec) : codec_(codec) {}
  // kUnsupported when the numbers do not fit the form (infinite, not a number).
  Result<std::vector<std::byte>> encode(const Tensor& tensor);
  // The next frame will not depend on any before it.
  void restart() { previous_.clear(); }

 private:
  ActivationCodec codec_;
  std::vector<float> previous_;  // as the receiver has it
  Dims previous_dims_;
  uint32_t frame_ = 0;
};

class ActivationDecoder {
 public:
  // kBadInput when the bytes are malformed, or depend on a frame that is not the one before.
  Result<Tensor> decode(std::span<const std::byte> bytes);

 private:
  std::vector<float> previous_;
  Dims previous_dims_;
  uint32_t next_frame_ = 0;
};

// What one tensor costs and loses under a codec.
struct CodecMeasurement {
  std::string codec;
  double size_bytes = 0;
  double relative_l2 = 0;  // |decoded - original| / |original|
  double max_abs = 0;
  double encode_us = 0, decode_us = 0;
};
Result<CodecMeasurement> measure_codec(const ActivationCodec& codec,
                                       std::span<const Tensor> frames);

// The codec of least encode + transfer + decode time among those within the error; null when none
// is.
const CodecMeasurement* choose_codec(std::span<const CodecMeasurement> measurements,
                                     double mbit_per_s, double max_relative_l2);

}  // namespace edgewright
