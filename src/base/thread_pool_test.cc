#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <vector>

namespace edgewright {
namespace {

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (const int threads : {1, 2, 3, -3, 16}) {
    ThreadPool pool(std::abs(threads));
    if (threads < 0) pool.divide_by_speed();
    for (int round = 0; round < 200; ++round) {
      std::vector<std::atomic<int>> seen(97);
      pool.parallel_for(seen.size(), [&](size_t i, int worker) {
        ASSERT_LT(worker, pool.threads());
        seen[i].fetch_add(1);
      });
      for (const auto& count : seen) ASSERT_EQ(count.load(), 1);
    }
  }
}

// More threads than cores and hardly any work: most workers come when the loop is over, some when
// the next one is open.
TEST(ThreadPool, WorkersThatComeLateTouchNothing) {
  ThreadPool pool(16);
  for (size_t round = 1; round <= 3000; ++round) {
    std::vector<size_t> seen(2);
    pool.parallel_for(seen.size(), [&](size_t i, int) { seen[i] += round; });
    ASSERT_EQ(seen, (std::vector<size_t>{round, round}));
  }
}

}  // namespace
}  // namespace edgewright
