#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright {

// Authenticated encryption of single tensors (XChaCha20-Poly1305 of libsodium), on top of whatever
// protects the connection: for what only the far end of a chain may read.
using SealKey = std::array<std::byte, 32>;
SealKey random_key();
// `context` (for example a request's and a tensor's name) is authenticated but not encrypted:
// opened under another context, the bytes are refused.
std::vector<std::byte> seal(std::span<const std::byte> plain, std::string_view context,
                            const SealKey& key);
// kBadInput when key, context or a single bit differ.
Result<std::vector<std::byte>> open_seal(std::span<const std::byte> sealed,
                                         std::string_view context, const SealKey& key);

}  // namespace edgewright
