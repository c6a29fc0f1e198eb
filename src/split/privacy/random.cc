#include "split/privacy/random.h"

#include <sodium.h>

#include <array>
#include <cmath>
#include <numbers>

#include "base/result.h"

namespace edgewright {
namespace {

// Words are drawn in blocks: one system call for each would cost more than the noise.
struct Pool {
  std::array<uint64_t, 512> words{};
  size_t next = 512;
};

void start_library() {
  static const bool ready = sodium_init() >= 0;
  EDGEWRIGHT_CHECK(ready);
}

}  // namespace

void secure_bytes(std::span<std::byte> bytes) {
  start_library();
  randombytes_buf(bytes.data(), bytes.size());
}

uint64_t secure_word() {
  thread_local Pool pool;
  if (pool.next == pool.words.size()) {
    secure_bytes(std::as_writable_bytes(std::span(pool.words)));
    pool.next = 0;
  }
  // A word that was used is forgotten.
  const uint64_t word = pool.words[pool.next];
  pool.words[pool.next++] = 0;
  return word;
}

double secure_normal() {
  // In (0, 1], so that the logarithm is finite.
  const double first = (static_cast<double>(secure_word() >> 11) + 1) * 0x1p-53;
  const double second = static_cast<double>(secure_word() >> 11) * 0x1p-53;
  return std::sqrt(-2 * std::log(first)) * std::cos(2 * std::numbers::pi * second);
}

}  // namespace edgewright
