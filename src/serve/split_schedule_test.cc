#include "serve/split_schedule.h"

#include <gtest/gtest.h>

#include <random>

namespace edgewright {
namespace {

using Kind = ScheduleStep::Kind;

const ReadyCut kCut{"middle", 5000, 8000, 500, 4096, 40};
const ReadyCut kLocal{"output", 13000, 0, 0, 0, 0, true};

void run_head(SplitSchedule& schedule, uint64_t request, double now_us) {
  const ScheduleStep step = schedule.next(now_us, kCut, kLocal);
  ASSERT_EQ(step.kind, Kind::kRunHead);
  ASSERT_EQ(step.request, request);
}

TEST(SplitSchedule, TheDeviceWorksOnTheNextWhileTheServerWorks) {
  SplitSchedule schedule({2});
  schedule.add(0, 0, 1e6);
  schedule.add(1, 0, 1e6);
  schedule.add(2, 0, 1e6);
  run_head(schedule, 0, 0);
  EXPECT_TRUE(schedule.head_done(0, 5000));
  run_head(schedule, 1, 5000);
  EXPECT_TRUE(schedule.head_done(1, 10000));
  // Two are under way; the third waits for one of them.
  EXPECT_EQ(schedule.next(10000, kCut, kLocal).kind, Kind::kWait);
  EXPECT_TRUE(schedule.server_answered(0, 11000));
  run_head(schedule, 2, 11000);
  EXPECT_EQ(schedule.request(0).answered_by, AnsweredBy::kServer);
  EXPECT_TRUE(schedule.violations().empty());
}

TEST(SplitSchedule, WhatTheServerDoesNotAnswerTheDeviceFinishesInTime) {
  SplitSchedule schedule({1});
  schedule.add(0, 0, 50000);
  run_head(schedule, 0, 0);
  EXPECT_TRUE(schedule.head_done(0, 5000));
  const ScheduleStep wait = schedule.next(6000, kCut, kLocal);
  ASSERT_EQ(wait.kind, Kind::kWait);
  EXPECT_LE(wait.until_us + kCut.rest_us, 50000);
  const ScheduleStep step = schedule.next(wait.until_us, kCut, kLocal);
  ASSERT_EQ(step.kind, Kind::kRunRest);
  // The server's answer comes too late and is dropped.
  EXPECT_FALSE(schedule.server_answered(0, wait.until_us + 1000));
  schedule.rest_done(0, wait.until_us + kCut.rest_us);
  EXPECT_EQ(schedule.request(0).answered_by, AnsweredBy::kDeviceAfterServer);
  EXPECT_FALSE(schedule.request(0).is_late);
  EXPECT_EQ(schedule.next(5e4, kCut, kLocal).kind, Kind::kDone);
}

// Begins the only request with a race; the device works beside the server from 5 ms on.
SplitSchedule racing() {
  SplitSchedule schedule({2});
  ReadyCut raced = kCut;
  raced.is_raced = true;
  schedule.add(0, 0, 1e6);
  EXPECT_EQ(schedule.next(0, raced, kLocal).kind, Kind::kRunHead);
  EXPECT_TRUE(schedule.head_done(0, 5000));
  const ScheduleStep step = schedule.next(5000, raced, kLocal);
  EXPECT_EQ(step.kind, Kind::kRunBeside);
  EXPECT_EQ(step.request, 0U);
  return schedule;
}

TEST(SplitSchedule, InARaceTheServerMayBeFirst) {
  SplitSchedule schedule = racing();
  EXPECT_TRUE(schedule.server_answered(0, 7000));
  EXPECT_EQ(schedule.request(0).answered_by, AnsweredBy::kServer);
  // The device is busy until its part of the race has ended.
  schedule.add(1, 7000, 1e6);
  EXPECT_EQ(schedule.next(7000, kCut, kLocal).kind, Kind::kWait);
  EXPECT_FALSE(schedule.beside_done(0, 13000));
  EXPECT_EQ(schedule.next(13000, kCut, kLocal).kind, Kind::kRunHead);
  EXPECT_TRUE(schedule.violations().empty());
}

TEST(SplitSchedule, InARaceTheDeviceMayBeFirst) {
  SplitSchedule schedule = racing();
  EXPECT_TRUE(schedule.beside_done(0, 13000));
  EXPECT_EQ(schedule.request(0).answered_by, AnsweredBy::kDeviceAfterServer);
  EXPECT_FALSE(schedule.server_answered(0, 14000));
  EXPECT_EQ(schedule.next(14000, kCut, kLocal).kind, Kind::kDone);
  EXPECT_TRUE(schedule.violations().empty());
}

TEST(SplitSchedule, ALostServerLeavesTheRaceToTheDevice) {
  SplitSchedule schedule = racing();
  schedule.server_lost(0, 8000);
  EXPECT_EQ(schedule.next(8000, kCut, kLocal).kind, Kind::kWait);
  EXPECT_TRUE(schedule.beside_done(0, 13000));
  EXPECT_EQ(schedule.request(0).stage, RequestStage::kAnswered);
}

TEST(SplitSchedule, WhatCannotComeBackInTimeIsNotSent) {
  SplitSchedule schedule({1});
  schedule.add(0, 0, 19000);
  const ScheduleStep step = schedule.next(0, kCut, kLocal);
  EXPECT_EQ(step.kind, Kind::kRunHead);
  EXPECT_TRUE(schedule.request(0).cut.is_local);
  EXPECT_FALSE(schedule.head_done(0, 13000));
  EXPECT_EQ(schedule.request(0).answered_by, AnsweredBy::kDevice);
}

TEST(SplitSchedule, WithoutFallbackALostRequestFails) {
  SplitSchedule schedule({1, false});
  schedule.add(0, 0, 50000);
  run_head(schedule, 0, 0);
  EXPECT_TRUE(schedule.head_done(0, 5000));
  EXPECT_EQ(schedule.request(0).give_up_us, 50000);
  schedule.server_lost(0, 20000);
  EXPECT_EQ(schedule.request(0).stage, RequestStage::kFailed);
  EXPECT_FALSE(schedule.server_answered(0, 21000));
  EXPECT_EQ(schedule.next(2e4, kCut, kLocal).kind, Kind::kDone);
}

TEST(SplitSchedule, WhatCouldNotBeBegunInTimeFails) {
  SplitSchedule schedule({1});
  schedule.add(0, 0, 1000);
  EXPECT_EQ(schedule.next(1000, kCut, kLocal).kind, Kind::kDone);
  EXPECT_EQ(schedule.request(0).stage, RequestStage::kFailed);
  EXPECT_TRUE(schedule.violations().empty());
}

TEST(SplitSchedule, WhoWaitsBehindASilentServerIsServedHereInTime) {
  SplitSchedule schedule({1});
  schedule.add(0, 0, 100000);
  schedule.add(1, 0, 60000);
  run_head(schedule, 0, 0);
  EXPECT_TRUE(schedule.head_done(0, 5000));
  const ScheduleStep wait = schedule.next(6000, kCut, kLocal);
  ASSERT_EQ(wait.kind, Kind::kWait);
  EXPECT_LE(wait.until_us + kLocal.device_us, 60000);
  const ScheduleStep step = schedule.next(wait.until_us, kCut, kLocal);
  ASSERT_EQ(step.kind, Kind::kRunHead);
  EXPECT_EQ(step.request, 1U);
  EXPECT_TRUE(schedule.request(1).cut.is_local);
}

// Plays a server that answers, refuses or stays silent at random, in virtual time.
TEST(SplitSchedule, EveryRequestIsAnsweredOnceAndInTimeWhateverTheServerDoes) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    std::mt19937_64 random(seed);
    const size_t window = 1 + seed % 4;
    SplitSchedule schedule({window});
    std::multimap<double, std::pair<uint64_t, bool>> coming;  // time -> request, is an answer
    double now_us = 0;
    for (uint64_t id = 0; id < 50; ++id) {
      const double arrival_us = 20000 * static_cast<double>(id);
      schedule.add(id, arrival_us, arrival_us + 120000);
    }
    while (true) {
      while (!coming.empty() && coming.begin()->first <= now_us) {
        const auto [id, is_answer] = coming.begin()->second;
        coming.erase(coming.begin());
        if (is_answer) {
          schedule.server_answered(id, now_us);
        } else {
          schedule.server_lost(id, now_us);
        }
      }
      ASSERT_EQ(schedule.violations(), std::vector<std::string>());
      const ScheduleStep step = schedule.next(now_us, kCut, kLocal);
      if (step.kind == Kind::kDone) break;
      if (step.kind == Kind::kWait) {
        now_us = coming.empty() ? step.until_us : std::min(step.until_us, coming.begin()->first);
      } else if (step.kind == Kind::kRunRest) {
        now_us += kCut.rest_us;
        schedule.rest_done(step.request, now_us);
      } else {
        now_us = std::max(now_us, schedule.request(step.request).arrived_us) + kCut.device_us;
        if (!schedule.head_done(step.request, now_us)) continue;
        const auto what = random() % 3;
        if (what < 2) {
          const double after_us = static_cast<double>(random() % 150000);
          coming.emplace(now_us + after_us, std::pair(step.request, what == 0));
        }
      }
    }
    for (uint64_t id = 0; id < 50; ++id) {
      EXPECT_EQ(schedule.request(id).stage, RequestStage::kAnswered) << seed << " " << id;
      EXPECT_FALSE(schedule.request(id).is_late) << seed << " " << id;
    }
  }
}

}  // namespace
}  // namespace edgewright
