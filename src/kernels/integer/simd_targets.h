#pragma once

// As kernels/simd_targets.h, with the 8-bit dot products of AVX-512 (VNNI) instead of plain
// AVX-512: processors with the one and without the other are served by AVX2.
#define HWY_WANT_AVX3_DL
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_AVX3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
