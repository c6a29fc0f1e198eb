#include "split/privacy/random.h"

#include <sodium.h>
#include <algorithm>
#include <array>
#include <cmath>

#include "base/result.h"

namespace edgewright {
namespace {

// Words that are drawn ahead.
struct Pool {
  std::array<uint64_t, 512> words{};
  size_t next = 512;
};

void start_library() {
  static const bool ready = sodium_init() >= 0;
  EDGEWRIGHT_CHECK(ready);
}

constexpr size_t kLayers = 256;
// Where the last layer's rectangle ends and the tail begins, and the area of each layer, for the
// density exp(-x^2 / 2): Marsaglia and Tsang 2000, section 4.
constexpr double kTail = 3.6541528853610088, kArea = 0.00492867323399;

// Right ends of the layers, and the density there.
struct Ziggurat {
  std::array<double, kLayers + 1> x{}, density{};

  Ziggurat() {
    double f = std::exp(-0.5 * kTail * kTail);
    // The lowest layer is a rectangle as large as itself and the tail.
    x[0] = kArea / f;
    x[1] = kTail;
    for (size_t i = 2; i < kLayers; ++i) {
      x[i] = std::sqrt(-2 * std::log(kArea / x[i - 1] + f));
      f = std::exp(-0.5 * x[i] * x[i]);
    }
    for (size_t i = 0; i < kLayers; ++i) density[i] = std::exp(-0.5 * x[i] * x[i]);
    density[kLayers] = 1;
  }
};

// In (0, 1], so that its logarithm is finite.
double unit(uint64_t word) { return (static_cast<double>(word >> 11) + 1) * 0x1p-53; }

// Beyond kTail (Marsaglia, "Generating a variable from the tail of the normal distribution", 1964).
double tail_normal() {
  while (true) {
    const double x = -std::log(unit(secure_word())) / kTail;
    const double y = -std::log(unit(secure_word()));
    if (2 * y >= x * x) return kTail + x;
  }
}

double normal_from(uint64_t word) {
  static const Ziggurat ziggurat;
  while (true) {
    const size_t layer = word & 0xff;
    const double sign = (word & 0x100) != 0 ? -1 : 1;
    const double x = static_cast<double>(word >> 11) * 0x1p-53 * ziggurat.x[layer];
    if (x < ziggurat.x[layer + 1]) return sign * x;
    if (layer == 0) return sign * tail_normal();
    const double low = ziggurat.density[layer], high = ziggurat.density[layer + 1];
    if (low + unit(secure_word()) * (high - low) < std::exp(-0.5 * x * x)) return sign * x;
    word = secure_word();
  }
}

}  // namespace

void secure_bytes(std::span<std::byte> bytes) {
  start_library();
  randombytes_buf(bytes.data(), bytes.size());
}

void secure_words(std::span<uint64_t> words) {
  std::array<std::byte, crypto_stream_chacha20_KEYBYTES> key{};
  secure_bytes(key);
  keyed_words(key, words);
  sodium_memzero(key.data(), key.size());
}

void keyed_words(const std::array<std::byte, 32>& key, std::span<uint64_t> words) {
  static_assert(crypto_stream_chacha20_KEYBYTES == 32);
  start_library();
  constexpr std::array<unsigned char, crypto_stream_chacha20_NONCEBYTES> kNonce{};
  crypto_stream_chacha20(reinterpret_cast<unsigned char*>(words.data()), words.size_bytes(),
                         kNonce.data(), reinterpret_cast<const unsigned char*>(key.data()));
}

uint64_t secure_word() {
  thread_local Pool pool;
  if (pool.next == pool.words.size()) {
    secure_words(pool.words);
    pool.next = 0;
  }
  // A word that was used is forgotten.
  const uint64_t word = pool.words[pool.next];
  pool.words[pool.next++] = 0;
  return word;
}

double secure_normal() { return normal_from(secure_word()); }

void secure_normals(std::span<double> values) {
  std::array<uint64_t, 1024> words;
  for (size_t begin = 0; begin < values.size(); begin += words.size()) {
    const size_t count = std::min(words.size(), values.size() - begin);
    secure_words(std::span(words).first(count));
    for (size_t i = 0; i < count; ++i) values[begin + i] = normal_from(words[i]);
  }
  sodium_memzero(words.data(), sizeof words);
}

}  // namespace edgewright
