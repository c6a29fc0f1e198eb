// For x86 without AVX-512: integer products by multiply-and-add of bytes, or by VNNI on 256 bits
// where the CPU has that.
#include "kernels/language/product.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>
#include <utility>

#pragma GCC push_options
// GCC 12 warns of the deliberately undefined values in its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC target("avx2,fma,f16c,avxvnni")

namespace edgewright::language {
namespace {

// Sixteen lanes are two vectors.
struct TwoFloats {
  __m256 low, high;
};
struct TwoIntegers {
  __m256i low, high;
};

struct Avx2 {
  using Floats = TwoFloats;
  using Integers = TwoIntegers;
  using Bytes = TwoIntegers;
  static constexpr bool kOffsetBytes = false;
  static constexpr int kFloatRows = 1;
  static constexpr int kInt8Rows = 4;
  static constexpr int kStreams = 8;
  static constexpr int kInt8Sums = 8;

  static __m256i load_256(const std::byte* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  }
  static __m128i load_128(const std::byte* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  }
  static Floats load_floats(const std::byte* at) {
    return {_mm256_castsi256_ps(load_256(at)), _mm256_castsi256_ps(load_256(at + 32))};
  }
  static Floats load_halves(const std::byte* at) {
    return {_mm256_cvtph_ps(load_128(at)), _mm256_cvtph_ps(load_128(at + 16))};
  }
  static Floats load_low_bf16(const std::byte* at) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(load_256(at), 16)),
            _mm256_castsi256_ps(_mm256_slli_epi32(load_256(at + 32), 16))};
  }
  static Floats load_high_bf16(const std::byte* at) {
    const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000));
    return {_mm256_castsi256_ps(_mm256_and_si256(load_256(at), high)),
            _mm256_castsi256_ps(_mm256_and_si256(load_256(at + 32), high))};
  }
  static Bytes load_bytes(const std::byte* at) { return {load_256(at), load_256(at + 32)}; }
  static void store(Floats value, float* to) {
    _mm256_storeu_ps(to, value.low);
    _mm256_storeu_ps(to + 8, value.high);
  }
  static Bytes low_nibbles(Bytes bytes) {
    const __m256i mask = _mm256_set1_epi8(0x0f);
    return {_mm256_and_si256(bytes.low, mask), _mm256_and_si256(bytes.high, mask)};
  }
  static Bytes high_nibbles(Bytes bytes) {
    return low_nibbles({_mm256_srli_epi16(bytes.low, 4), _mm256_srli_epi16(bytes.high, 4)});
  }
  template <int kPair>
  static __m256i high_bits(__m256i nibbles, __m256i bytes) {
    const __m256i moved = kPair < 2 ? _mm256_slli_epi16(bytes, 4 - 2 * kPair)
                                    : _mm256_srli_epi16(bytes, 2 * kPair - 4);
    return _mm256_or_si256(nibbles, _mm256_and_si256(moved, _mm256_set1_epi8(0x30)));
  }
  template <int kPair>
  static Bytes with_high_bits(Bytes nibbles, Bytes bytes) {
    return {high_bits<kPair>(nibbles.low, bytes.low), high_bits<kPair>(nibbles.high, bytes.high)};
  }
  static Floats set_float(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
  static Integers set_integer(int32_t value) {
    return {_mm256_set1_epi32(value), _mm256_set1_epi32(value)};
  }
  static Floats to_float(Integers value) {
    return {_mm256_cvtepi32_ps(value.low), _mm256_cvtepi32_ps(value.high)};
  }
  static Floats multiply(Floats a, Floats b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  static Floats multiply_add(Floats a, Floats b, Floats c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  static Floats unsigned_bytes(const std::byte* at) {
    const __m128i bytes = load_128(at);
    return to_float({_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))});
  }
  static Floats signed_bytes(const std::byte* at) {
    const __m128i bytes = load_128(at);
    return to_float({_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))});
  }
  static __m256i four_inputs(const int8_t* inputs) {
    int32_t four;
    std::memcpy(&four, inputs, sizeof(four));
    return _mm256_set1_epi32(four);
  }
  // Bytes of at most 128: pairs of products fit 16 bits.
  static __m256i add_products(__m256i sum, __m256i bytes, __m256i inputs) {
    const __m256i pairs = _mm256_maddubs_epi16(bytes, inputs);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static Integers dot(Integers sum, Bytes bytes, const int8_t* inputs) {
    const __m256i x = four_inputs(inputs);
    return {add_products(sum.low, bytes.low, x), add_products(sum.high, bytes.high, x)};
  }
  // Magnitudes of the weights times inputs with the weights' signs.
  static Integers dot_wide(Integers sum, Bytes bytes, const int8_t* inputs) {
    const __m256i x = four_inputs(inputs), flip = _mm256_set1_epi8(static_cast<char>(0x80));
    const __m256i low = _mm256_xor_si256(bytes.low, flip);
    const __m256i high = _mm256_xor_si256(bytes.high, flip);
    return {add_products(sum.low, _mm256_abs_epi8(low), _mm256_sign_epi8(x, low)),
            add_products(sum.high, _mm256_abs_epi8(high), _mm256_sign_epi8(x, high))};
  }
  static void prefetch(const std::byte* at) { asm volatile("prefetcht0 %0" ::"m"(*at)); }
  static void prefetch_stream(const std::byte* at) {
    asm volatile("prefetcht0 %0" ::"m"(at[1024]));
    asm volatile("prefetcht1 %0" ::"m"(at[8192]));
  }
};

struct AvxVnni : Avx2 {
  static constexpr bool kOffsetBytes = true;
  static Integers dot(Integers sum, Bytes bytes, const int8_t* inputs) {
    const __m256i x = four_inputs(inputs);
    return {_mm256_dpbusd_avx_epi32(sum.low, bytes.low, x),
            _mm256_dpbusd_avx_epi32(sum.high, bytes.high, x)};
  }
  static Integers dot_wide(Integers sum, Bytes bytes, const int8_t* inputs) {
    return dot(sum, bytes, inputs);
  }
};

}  // namespace
}  // namespace edgewright::language

#include "kernels/language/product_lanes-inl.h"

namespace edgewright::language {

ProductRow product_avxvnni() {
  return lanes_product<AvxVnni>("linear_avxvnni", {"avx2", "avxvnni", "fma"});
}
ProductRow product_avx2() { return lanes_product<Avx2>("linear_avx2", {"avx2", "fma"}); }

}  // namespace edgewright::language
#pragma GCC pop_options

#else

namespace edgewright::language {

ProductRow product_avxvnni() { return unavailable_product("linear_avxvnni"); }
ProductRow product_avx2() { return unavailable_product("linear_avx2"); }

}  // namespace edgewright::language
#endif
