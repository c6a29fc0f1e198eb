#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace edgewright {

// Random numbers for privacy: always from the system's cryptographic generator, seeded by nobody.
void secure_bytes(std::span<std::byte> bytes);
uint64_t secure_word();
// From the standard normal distribution: Box and Muller on 53-bit uniforms, of which no value is
// cut off at fewer than 8.5 standard deviations. Floating point leaves traces of its own (Mironov,
// CCS 2012); sums are rounded to a grid of 2^-20 of the noise before they leave (see noise.h).
double secure_normal();

}  // namespace edgewright
