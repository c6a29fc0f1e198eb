#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "split/privacy/noise.h"
#include "split/privacy/seal.h"

namespace edgewright {

// What a defence makes of an activation.
struct Defended {
  std::vector<float> seen;      // by whoever listens on the way, as numbers
  std::vector<float> received;  // what the server works with
  double bytes = 0;             // sent
};

// Keys, matrices and noise that the defences of one stream share.
class DefenceTools {
 public:
  DefenceTools(size_t size, double clip, double sigma)
      : rotation(size, 8),
        projection(size, size > 1 ? size / 2 : 1),
        key(random_key()),
        clip(clip),
        sigma(sigma) {}
  RandomRotation rotation;
  RandomProjection projection;
  SealKey key;
  double clip, sigma;
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
  Result<Defended> (*apply)(const DefenceTools& tools, const std::vector<float>& row) = nullptr;
};

// none, int8, rotation, projection, noise, encryption, projection+noise+encryption; the first is
// what the others are compared with.
std::span<const Defence> defences();

}  // namespace edgewright
