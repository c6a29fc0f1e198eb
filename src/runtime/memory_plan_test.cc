#include "runtime/memory_plan.h"

#include <gtest/gtest.h>

#include <random>

#include "tensor/tensor.h"

namespace edgewright {
namespace {

std::vector<Lifetime> random_blocks(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Lifetime> blocks(1 + random() % 120);
  const int32_t steps = 1 + static_cast<int32_t>(random() % 60);
  for (Lifetime& block : blocks) {
    block.size_bytes = random() % 5 == 0 ? random() % 200 : random() % 100000;
    block.first = static_cast<int32_t>(random() % static_cast<uint32_t>(steps));
    // Most values die soon, a few are skip connections.
    const uint32_t reach = random() % 8 == 0 ? 30 : 3;
    block.last = std::min(steps - 1, block.first + static_cast<int32_t>(random() % reach));
  }
  return blocks;
}

TEST(MemoryPlan, BlocksAliveTogetherDoNotOverlap) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    const auto blocks = random_blocks(seed);
    const MemoryPlan plan = plan_memory(blocks);
    ASSERT_EQ(plan.offsets.size(), blocks.size());
    for (size_t i = 0; i < blocks.size(); ++i) {
      ASSERT_EQ(plan.offsets[i] % kTensorAlignment, 0u);
      ASSERT_LE(plan.offsets[i] + blocks[i].size_bytes, plan.arena_bytes);
      for (size_t j = 0; j < i; ++j) {
        if (blocks[i].first > blocks[j].last || blocks[j].first > blocks[i].last) continue;
        const bool apart = plan.offsets[i] + blocks[i].size_bytes <= plan.offsets[j] ||
                           plan.offsets[j] + blocks[j].size_bytes <= plan.offsets[i];
        ASSERT_TRUE(apart || blocks[i].size_bytes == 0 || blocks[j].size_bytes == 0)
            << "seed " << seed << ": blocks " << i << " and " << j;
      }
    }
    ASSERT_GE(plan.arena_bytes, plan.live_set_bytes);
    ASSERT_LE(plan.arena_bytes, plan.live_set_bytes * 3 / 2) << "seed " << seed;
  }
}

TEST(MemoryPlan, AChainNeedsTwoBuffers) {
  std::vector<Lifetime> blocks;
  for (int32_t i = 0; i < 20; ++i) blocks.push_back({1 << 16, i, i + 1});
  const MemoryPlan plan = plan_memory(blocks);
  EXPECT_EQ(plan.live_set_bytes, size_t{2} << 16);
  EXPECT_EQ(plan.arena_bytes, plan.live_set_bytes);
}

// A transformer's layers: two residual streams, a product of three times their width, one of four
// times, and working memory of the attention that is no multiple of anything. Placed by size, the
// residual of every second half ends above the live set.
TEST(MemoryPlan, TransformerLayersNeedNoMoreThanTheLiveSet) {
  constexpr size_t kRow = 33280;
  std::vector<Lifetime> blocks;
  for (int32_t layer = 0; layer < 12; ++layer) {
    const int32_t t = layer * 7;
    for (const Lifetime& block : {Lifetime{kRow, t, t + 1},
                                  {kRow, t, t + 4},
                                  {3 * kRow, t + 1, t + 2},
                                  {39360, t + 2, t + 2},
                                  {kRow, t + 2, t + 3},
                                  {kRow, t + 3, t + 4},
                                  {kRow, t + 4, t + 5},
                                  {kRow, t + 4, t + 7},
                                  {4 * kRow, t + 5, t + 6},
                                  {kRow, t + 6, t + 7}}) {
      blocks.push_back(block);
    }
  }
  const MemoryPlan plan = plan_memory(blocks);
  EXPECT_EQ(plan.live_set_bytes, 5 * kRow + 39360);
  EXPECT_EQ(plan.arena_bytes, plan.live_set_bytes);
}

TEST(MemoryPlan, NoBlocksNeedNoArena) {
  const MemoryPlan plan = plan_memory({});
  EXPECT_EQ(plan.arena_bytes, 0u);
  EXPECT_EQ(plan.live_set_bytes, 0u);
}

}  // namespace
}  // namespace edgewright
