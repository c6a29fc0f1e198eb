#include "profile/thread_tracks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/thread_pool.h"

namespace edgewright {
namespace {

using Clock = PoolTrace::Clock;

TEST(WorkerTracks, NamesSlicesAfterTheSpanInWhichTheyBegan) {
  const auto begin = Clock::time_point();
  const auto at = [&](int time_us) { return begin + std::chrono::microseconds(time_us); };
  const PoolTrace::Slice slices[] = {
      {1, at(25), at(30)}, {0, at(2), at(8)}, {1, at(3), at(9)}, {0, at(24), at(40)}};
  const TrackSlice during[] = {{"a", "matrix", 1, 10}, {"b", "move", 20, 25}};
  const auto tracks = worker_tracks(slices, begin, during);
  ASSERT_EQ(tracks.size(), 2U);
  EXPECT_EQ(tracks[1].name, "thread 1");
  ASSERT_EQ(tracks[1].slices.size(), 2U);
  EXPECT_EQ(tracks[1].slices[0].name, "a");
  EXPECT_EQ(tracks[1].slices[1].name, "b");
  EXPECT_EQ(tracks[1].slices[1].kind, "move");
  EXPECT_DOUBLE_EQ(tracks[1].slices[1].start_us, 25);
  EXPECT_DOUBLE_EQ(tracks[0].slices[1].time_us, 16);
}

TEST(PoolTrace, HearsEveryThreadOfALoopAndNothingAfterwards) {
  ThreadPool pool(2);
  std::atomic<int> begun = 0;
  // One thread alone would never end: both are in the loop. No more tasks than threads may wait for
  // each other so.
  const auto meet = [&](size_t, int) {
    ++begun;
    while (begun < 2) std::this_thread::yield();
  };
  {
    const PoolTrace trace;
    pool.parallel_for(2, meet);
    const auto slices = trace.slices();
    ASSERT_EQ(slices.size(), 2U);
    EXPECT_NE(slices[0].worker, slices[1].worker);
    for (const auto& slice : slices) EXPECT_LE(slice.begin, slice.end);
  }
  EXPECT_EQ(PoolTrace::current(), nullptr);
  pool.parallel_for(2, meet);
  EXPECT_EQ(begun, 4);
}

}  // namespace
}  // namespace edgewright
