#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "split/privacy/attack.h"
#include "split/privacy/noise.h"
#include "split/privacy/seal.h"

namespace edgewright {

// What leaves the device: numbers, or where they are sealed bytes that say nothing without the key.
struct Protected {
  std::vector<float> numbers;
  std::vector<std::byte> sealed;
  double bytes = 0;  // sent

  // What somebody on the way can put into a decoder.
  std::vector<float> seen() const;
};

// Keys, matrices and noise that the defences of one stream share.
class DefenceTools {
 public:
  DefenceTools(size_t size, double clip, double sigma)
      : rotation(size, 8),
        projection(size, size > 1 ? size / 2 : 1),
        sketch(size, std::max<size_t>(1, size / kSketchRatio)),
        key(random_key()),
        clip(clip),
        sigma(sigma),
        sketch_share(std::sqrt(static_cast<double>(sketch.kept()) / static_cast<double>(size))) {}
  RandomRotation rotation;
  RandomProjection projection;
  SketchProjection sketch;
  SealKey key;
  double clip, sigma;
  // Principal components of known activations, that the defence "pca" keeps.
  InputPrior basis;
  // Of a norm that a projection of random signs keeps: clip and noise of the light scheme are so
  // much smaller, and their ratio, which is what the guarantee rests on, is the same.
  double sketch_share;

 private:
  static constexpr size_t kSketchRatio = 16;
};

// What stands behind a defence.
enum class Guarantee : uint8_t {
  kNone,          // compression or nothing
  kObfuscation,   // makes a chance observer's work harder; none
  kDifferential,  // differential privacy of each request
  kSecrecy,       // on the way; the server reads all
  kBoth,
};

struct Defence {
  std::string_view name;
  Guarantee guarantee = Guarantee::kNone;
  bool is_sealed = false;
  // The device's part, and the server's: what it works with.
  Result<Protected> (*protect)(const DefenceTools& tools, const std::vector<float>& row) = nullptr;
  Result<std::vector<float>> (*receive)(const DefenceTools& tools, const Protected& sent) = nullptr;
};

// none, int8, rotation, projection, pca, noise, encryption, projection+noise+encryption (the light
// scheme: one pass, and noise and encryption of a sixteenth); the first is what the others are
// compared with.
std::span<const Defence> defences();

}  // namespace edgewright
