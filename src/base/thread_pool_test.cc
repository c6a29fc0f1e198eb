#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <vector>

namespace edgewright {
namespace {

TEST(ThreadPool, RunsEveryIndexOnce) {
  for (const int threads : {1, 2, 3, -3}) {
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

}  // namespace
}  // namespace edgewright
