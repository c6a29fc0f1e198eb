// Reproducible random numbers: the 32-bit Mersenne Twister, drawn as NumPy's RandomState draws, so
// that results with a seed are the same as those of the ONNX reference implementation.
#pragma once

#include <cstdint>
#include <random>

namespace edgewright::reference {

class RandomSource {
 public:
  explicit RandomSource(uint32_t seed) : generator_(seed) {}

  // In [0, 1), with 53 random bits.
  double uniform() {
    const uint32_t high = generator_() >> 5;
    const uint32_t low = generator_() >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
  }
  // Mean 0 and variance 1, by Marsaglia's polar method; every second value comes from the pair
  // that the one before made.
  double normal();

 private:
  std::mt19937 generator_;
  bool has_spare_ = false;
  double spare_ = 0;
};

}  // namespace edgewright::reference
