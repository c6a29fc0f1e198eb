// Dot products of narrow types: vector instructions where the processor has them, and its tile
// unit. Highway has no name for most of them.
#include "kernels/amx_tiles.h"
#include "kernels/probe/probe_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <utility>
#endif

namespace edgewright {

#if defined(__x86_64__)

namespace {

constexpr size_t kChains = 16;
using Chains = std::make_index_sequence<kChains>;

// Chains of VPDPBUSD: 64 multiply-adds each. Chains are named by constants, because a loop over
// them would keep them in memory. The instruction is written out: no intrinsic stands between.
template <size_t... c>
__attribute__((target("avx512f"))) void dot_int8(size_t rounds, std::index_sequence<c...>) {
  const __m512i a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
  __m512i sums[] = {(static_cast<void>(c), _mm512_setzero_si512())...};
  for (size_t i = 0; i < rounds; ++i) {
    ([&] { asm volatile("vpdpbusd %2, %1, %0" : "+v"(sums[c]) : "v"(a), "v"(b)); }(), ...);
  }
}

// Chains of VDPBF16PS: 32 multiply-adds each.
template <size_t... c>
__attribute__((target("avx512f"))) void dot_bfloat16(size_t rounds, std::index_sequence<c...>) {
  const __m512i ones = _mm512_set1_epi16(0x3f80);
  __m512 sums[] = {(static_cast<void>(c), _mm512_setzero_ps())...};
  for (size_t i = 0; i < rounds; ++i) {
    ([&] { asm volatile("vdpbf16ps %1, %1, %0" : "+v"(sums[c]) : "v"(ones)); }(), ...);
  }
}

// Four sums of 16 x 16 from two pairs of operands, 64 bytes a row.
__attribute__((target("amx-tile"))) void configure_tiles() {
  static constexpr AmxTiles kTiles;
  _tile_loadconfig(&kTiles);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
}

__attribute__((target("amx-tile,amx-int8"))) void tile_int8(size_t rounds) {
  configure_tiles();
  for (size_t i = 0; i < rounds; ++i) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
}

__attribute__((target("amx-tile,amx-bf16"))) void tile_bfloat16(size_t rounds) {
  configure_tiles();
  for (size_t i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

struct Extensions {
  bool vnni = false, bfloat16 = false, tile_int8 = false, tile_bfloat16 = false;
};

// Leaf 7 of CPUID (Intel SDM volume 2A): bits of EBX, ECX, EDX and, in subleaf 1, of EAX.
Extensions extensions() {
  Extensions found;
  uint32_t a = 7, b = 0, c = 0, d = 0;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  const bool avx512 = __builtin_cpu_supports("avx512f") != 0;
  found.vnni = avx512 && ((c >> 11) & 1) != 0;
  found.tile_bfloat16 = ((d >> 22) & 1) != 0;
  found.tile_int8 = ((d >> 25) & 1) != 0;
  a = 7;
  c = 1;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  found.bfloat16 = avx512 && ((a >> 5) & 1) != 0;
  return found;
}

// Linux gives a process the tile registers when it asks (ARCH_REQ_XCOMP_PERM, XTILEDATA).
bool may_use_tiles() {
  constexpr int kRequest = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

}  // namespace

void add_dot_product_arithmetic(std::vector<ProbeArithmetic>& rows) {
  const Extensions found = extensions();
  if (found.bfloat16)
    rows.push_back({"bfloat16", "vector", kChains * 64.0,
                    [](size_t rounds) { dot_bfloat16(rounds, Chains()); }});
  if (found.vnni)
    rows.push_back(
        {"int8", "vector", kChains * 128.0, [](size_t rounds) { dot_int8(rounds, Chains()); }});
  if ((!found.tile_bfloat16 && !found.tile_int8) || !may_use_tiles()) return;
  // Each instruction multiplies 16 x 64 bytes with 16 x 64 bytes into 16 x 16 sums.
  if (found.tile_bfloat16) {
    rows.push_back({"bfloat16", "tile", 4 * 2.0 * 16 * 16 * 32, tile_bfloat16});
  }
  if (found.tile_int8) rows.push_back({"int8", "tile", 4 * 2.0 * 16 * 16 * 64, tile_int8});
}

#else

void add_dot_product_arithmetic(std::vector<ProbeArithmetic>& /*rows*/) {}

#endif

}  // namespace edgewright
