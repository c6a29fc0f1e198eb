#pragma once

// Include before any Highway header, in every file that uses it: the instruction sets that kernels
// are compiled for are SSE4, AVX2, AVX-512 and NEON (and the portable baseline). Others would add
// compile time and code without being quicker at float32.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
