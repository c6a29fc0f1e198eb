#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace edgewright {

// Random numbers for privacy: always from the system's cryptographic generator, seeded by nobody.
void secure_bytes(std::span<std::byte> bytes);
// Many at once: the key stream of ChaCha20 (RFC 8439) under a key from the system that is used for
// this call only, which is far cheaper than asking the system for each word.
void secure_words(std::span<uint64_t> words);
// The key stream of a key: the same words for the same key. For what two must know and one keeps
// as a key; a key is for one use.
void keyed_words(const std::array<std::byte, 32>& key, std::span<uint64_t> words);
uint64_t secure_word();
// From the standard normal distribution, by the ziggurat of 256 layers (Marsaglia and Tsang, "The
// ziggurat method for generating random variables", Journal of Statistical Software 5, 2000) with
// layer, sign and place in the layer from different bits of a word (Doornik, "An improved ziggurat
// method", 2005); the tail has no end. One draw in a hundred takes longer, so the time of many
// tells next to nothing of any. Floating point leaves traces of its own (Mironov, CCS 2012); sums
// are rounded to a grid of 2^-20 of the noise before they leave (see noise.h).
double secure_normal();
void secure_normals(std::span<double> values);

}  // namespace edgewright
