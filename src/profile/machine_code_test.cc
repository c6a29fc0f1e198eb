#include "profile/machine_code.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

#if defined(__x86_64__)

// vmovups zmm1, [rdi]; vfmadd231ps zmm0, zmm1, zmm2; add rdi, 64; dec rsi; jne to the start; ret.
constexpr unsigned char kLoop[] = {0x62, 0xf1, 0x7c, 0x48, 0x10, 0x0f, 0x62, 0xf2,
                                   0x75, 0x48, 0xb8, 0xc2, 0x48, 0x83, 0xc7, 0x40,
                                   0x48, 0xff, 0xce, 0x75, 0xeb, 0xc3};

TEST(MachineCode, FindsTheLoopAroundAnAddressAndCountsItsInstructions) {
  const auto bytes = std::as_bytes(std::span(kLoop));
  constexpr uint64_t kBase = 0x1000, kSecond = 6;
  const auto loop = loop_around(kBase + kSecond, bytes.subspan(kSecond), [&](size_t count) {
    return bytes.subspan(kSecond - count, count);
  });
  ASSERT_TRUE(loop.has_value());
  EXPECT_EQ(loop->address, kBase);
  EXPECT_EQ(loop->instructions, 5);
  EXPECT_EQ(loop->vector_instructions, 2);
  EXPECT_EQ(loop->arithmetic_vectors, 1);
  EXPECT_EQ(loop->vector_bits, 512);
  EXPECT_EQ(loop->loads, 1);
  EXPECT_EQ(loop->stores, 0);
  EXPECT_GT(loop->parallelism, 1);
}

TEST(MachineCode, SaysSoWhereThereIsNoLoop) {
  const unsigned char straight[] = {0x90, 0x90, 0xc3};
  const auto loop = loop_around(0x1000, std::as_bytes(std::span(straight)),
                                [](size_t) { return std::span<const std::byte>(); });
  EXPECT_FALSE(loop.has_value());
}

#endif

TEST(MachineCode, SamplesLieInTheLoopThatRuns) {
  volatile double sum = 0;
  const auto samples = sample_addresses(
      [&] {
        for (int i = 0; i < 100000; ++i) sum = sum + i;
      },
      0.3);
  ASSERT_TRUE(samples.ok()) << samples.error().message;
  if (samples->size() < 8) GTEST_SKIP() << "the system ticks too rarely";
  const auto hot = hot_loop(*samples);
  ASSERT_TRUE(hot.ok()) << hot.error().message;
  EXPECT_GT(hot->share, 0.5);
  EXPECT_GT(hot->code.instructions, 2);
}

}  // namespace
}  // namespace edgewright
