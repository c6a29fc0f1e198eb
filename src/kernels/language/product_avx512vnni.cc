#include "kernels/language/product.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>
#include <utility>

#pragma GCC push_options
// GCC 12 warns of the deliberately undefined values in its own intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c")

namespace edgewright::language {
namespace {

struct Avx512Vnni {
  using Floats = __m512;
  using Integers = __m512i;
  using Bytes = __m512i;
  static constexpr bool kOffsetBytes = true;
  static constexpr int kFloatRows = 4;
  static constexpr int kInt8Rows = 8;
  static constexpr int kStreams = 8;
  static constexpr int kInt8Sums = 16;

  static Floats load_floats(const std::byte* at) { return _mm512_loadu_ps(at); }
  static Floats load_halves(const std::byte* at) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
  }
  static Floats load_low_bf16(const std::byte* at) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(at), 16));
  }
  static Floats load_high_bf16(const std::byte* at) {
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(at), high));
  }
  static Bytes load_bytes(const std::byte* at) { return _mm512_loadu_si512(at); }
  static void store(Floats value, float* to) { _mm512_storeu_ps(to, value); }
  static Bytes low_nibbles(Bytes bytes) { return _mm512_and_si512(bytes, _mm512_set1_epi8(0x0f)); }
  static Bytes high_nibbles(Bytes bytes) {
    return _mm512_and_si512(_mm512_srli_epi16(bytes, 4), _mm512_set1_epi8(0x0f));
  }
  template <int kPair>
  static Bytes with_high_bits(Bytes nibbles, Bytes bytes) {
    const Bytes moved = kPair < 2 ? _mm512_slli_epi16(bytes, 4 - 2 * kPair)
                                  : _mm512_srli_epi16(bytes, 2 * kPair - 4);
    // 0xf8: the first, or the second and the third.
    return _mm512_ternarylogic_epi32(nibbles, moved, _mm512_set1_epi8(0x30), 0xf8);
  }
  static Floats set_float(float value) { return _mm512_set1_ps(value); }
  static Integers set_integer(int32_t value) { return _mm512_set1_epi32(value); }
  static Floats to_float(Integers value) { return _mm512_cvtepi32_ps(value); }
  static Floats multiply(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats unsigned_bytes(const std::byte* at) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
  }
  static Floats signed_bytes(const std::byte* at) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
  }
  static Integers dot(Integers sum, Bytes bytes, const int8_t* inputs) {
    int32_t four;
    std::memcpy(&four, inputs, sizeof(four));
    return _mm512_dpbusd_epi32(sum, bytes, _mm512_set1_epi32(four));
  }
  static Integers dot_wide(Integers sum, Bytes bytes, const int8_t* inputs) {
    return dot(sum, bytes, inputs);
  }
  // Interleaved with the arithmetic, which a builtin would not stay: sixteen at once stall loads.
  // The most of 25 s, 600 MiB, by turns: eight streams from memory, each fetched 1024 bytes ahead
  // to the first level, reach 20.0 to 20.8 GB/s; two, 2048 ahead to the first and 3584 to the
  // second level, 18.1 to 18.5; without 13 to 17. The hardware's own prefetching ends at every 4096
  // bytes.
  static void prefetch(const std::byte* at) { asm volatile("prefetcht0 %0" ::"m"(*at)); }
  static void prefetch_stream(const std::byte* at) {
    asm volatile("prefetcht0 %0" ::"m"(at[2048]));
    asm volatile("prefetcht1 %0" ::"m"(at[3584]));
  }
};

}  // namespace
}  // namespace edgewright::language

#include "kernels/language/product_lanes-inl.h"

namespace edgewright::language {

ProductRow product_avx512vnni() {
  return lanes_product<Avx512Vnni>("linear_avx512vnni",
                                   {"avx512bw", "avx512f", "avx512vl", "avx512vnni"});
}

}  // namespace edgewright::language
#pragma GCC pop_options

#else

namespace edgewright::language {

ProductRow product_avx512vnni() { return unavailable_product("linear_avx512vnni"); }

}  // namespace edgewright::language
#endif
