// For 64-bit ARM with the dot product extension of ARMv8.2.
#include "kernels/language/product.h"

#if defined(__aarch64__)
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#include <arm_neon.h>

#include <cstring>
#include <utility>

namespace edgewright::language {
namespace {

// Sixteen lanes are four vectors.
struct FourFloats {
  float32x4_t part[4];
};
struct FourIntegers {
  int32x4_t part[4];
};
struct FourBytes {
  uint8x16_t part[4];
};

// Calls make(i) for each of the four vectors.
template <class Whole, class Make>
inline Whole four(Make make) {
  return {{make(0), make(1), make(2), make(3)}};
}

struct NeonDot {
  using Floats = FourFloats;
  using Integers = FourIntegers;
  using Bytes = FourBytes;
  static constexpr bool kOffsetBytes = false;
  static constexpr int kFloatRows = 1;
  static constexpr int kInt8Rows = 2;
  static constexpr int kStreams = 2;
  static constexpr int kInt8Sums = 2;

  template <class T>
  static const T* as(const std::byte* at) {
    return reinterpret_cast<const T*>(at);
  }
  static Floats load_floats(const std::byte* at) {
    return four<Floats>([&](int i) { return vld1q_f32(as<float>(at) + 4 * i); });
  }
  static Floats load_halves(const std::byte* at) {
    return four<Floats>([&](int i) {
      return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(as<uint16_t>(at) + 4 * i)));
    });
  }
  static Floats load_low_bf16(const std::byte* at) {
    return four<Floats>([&](int i) {
      return vreinterpretq_f32_u32(vshlq_n_u32(vld1q_u32(as<uint32_t>(at) + 4 * i), 16));
    });
  }
  static Floats load_high_bf16(const std::byte* at) {
    return four<Floats>([&](int i) {
      const uint32x4_t high = vdupq_n_u32(0xffff0000);
      return vreinterpretq_f32_u32(vandq_u32(vld1q_u32(as<uint32_t>(at) + 4 * i), high));
    });
  }
  static Bytes load_bytes(const std::byte* at) {
    return four<Bytes>([&](int i) { return vld1q_u8(as<uint8_t>(at) + 16 * i); });
  }
  static void store(Floats value, float* to) {
    for (int i = 0; i < 4; ++i) vst1q_f32(to + 4 * i, value.part[i]);
  }
  static Bytes low_nibbles(Bytes bytes) {
    return four<Bytes>([&](int i) { return vandq_u8(bytes.part[i], vdupq_n_u8(0x0f)); });
  }
  static Bytes high_nibbles(Bytes bytes) {
    return four<Bytes>([&](int i) { return vshrq_n_u8(bytes.part[i], 4); });
  }
  template <int kPair>
  static Bytes with_high_bits(Bytes nibbles, Bytes bytes) {
    return four<Bytes>([&](int i) {
      const uint8x16_t pair = vandq_u8(bytes.part[i], vdupq_n_u8(3 << 2 * kPair));
      const uint8x16_t moved = vshlq_u8(pair, vdupq_n_s8(4 - 2 * kPair));
      return vorrq_u8(nibbles.part[i], moved);
    });
  }
  static Floats set_float(float value) {
    return four<Floats>([&](int) { return vdupq_n_f32(value); });
  }
  static Integers set_integer(int32_t value) {
    return four<Integers>([&](int) { return vdupq_n_s32(value); });
  }
  static Floats to_float(Integers value) {
    return four<Floats>([&](int i) { return vcvtq_f32_s32(value.part[i]); });
  }
  static Floats multiply(Floats a, Floats b) {
    return four<Floats>([&](int i) { return vmulq_f32(a.part[i], b.part[i]); });
  }
  static Floats multiply_add(Floats a, Floats b, Floats c) {
    return four<Floats>([&](int i) { return vfmaq_f32(c.part[i], a.part[i], b.part[i]); });
  }
  static Floats unsigned_bytes(const std::byte* at) {
    return four<Floats>([&](int i) {
      const uint16x8_t wide = vmovl_u8(vld1_u8(as<uint8_t>(at) + i / 2 * 8));
      const uint16x4_t half = i % 2 == 0 ? vget_low_u16(wide) : vget_high_u16(wide);
      return vcvtq_f32_u32(vmovl_u16(half));
    });
  }
  static Floats signed_bytes(const std::byte* at) {
    return four<Floats>([&](int i) {
      const int16x8_t wide = vmovl_s8(vld1_s8(as<int8_t>(at) + i / 2 * 8));
      const int16x4_t half = i % 2 == 0 ? vget_low_s16(wide) : vget_high_s16(wide);
      return vcvtq_f32_s32(vmovl_s16(half));
    });
  }
  static int8x16_t four_inputs(const int8_t* inputs) {
    int32_t value;
    std::memcpy(&value, inputs, sizeof(value));
    return vreinterpretq_s8_s32(vdupq_n_s32(value));
  }
  // Bytes below 128 are the same with a sign.
  static Integers dot(Integers sum, Bytes bytes, const int8_t* inputs) {
    const int8x16_t x = four_inputs(inputs);
    return four<Integers>(
        [&](int i) { return vdotq_s32(sum.part[i], vreinterpretq_s8_u8(bytes.part[i]), x); });
  }
  static Integers dot_wide(Integers sum, Bytes bytes, const int8_t* inputs) {
    const auto flip = [&](int i) { return veorq_u8(bytes.part[i], vdupq_n_u8(0x80)); };
    return dot(sum, four<Bytes>(flip), inputs);
  }
  static void prefetch(const std::byte* at) { __builtin_prefetch(at); }
  static void prefetch_stream(const std::byte* at) { __builtin_prefetch(at + 1024); }
};

}  // namespace
}  // namespace edgewright::language

#include "kernels/language/product_lanes-inl.h"

namespace edgewright::language {

ProductRow product_neon() { return lanes_product<NeonDot>("linear_neon", {"asimddp"}); }

}  // namespace edgewright::language
#pragma GCC pop_options

#else

namespace edgewright::language {

ProductRow product_neon() { return unavailable_product("linear_neon"); }

}  // namespace edgewright::language
#endif
