#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "split/cut_choice.h"

namespace edgewright {

// Where a request is on its way. A request is answered once, whoever does it first.
enum class RequestStage : uint8_t {
  kWaiting,   // for the device
  kHead,      // the device works on its part
  kInFlight,  // sent; the server works
  kRaced,     // sent; the server works, and so does the device
  kLost,      // the server will not answer it in time: the device is to do the rest
  kRest,      // the device works on the rest
  kAnswered,
  kFailed,
};

// Who gave the answer.
enum class AnsweredBy : uint8_t { kNobody, kDevice, kServer, kDeviceAfterServer };

struct SplitRequest {
  double arrived_us = 0, deadline_us = 0;
  double give_up_us = 0;  // from then on the device does the rest itself
  RequestStage stage = RequestStage::kWaiting;
  AnsweredBy answered_by = AnsweredBy::kNobody;
  ReadyCut cut;  // that it was begun with
  bool is_late = false;
};

struct ScheduleOptions {
  size_t in_flight = 2;      // most requests beyond the device at one time
  bool has_fallback = true;  // the device may do everything itself
  // Room for what takes longer than expected, as a share of the device's times.
  double margin = 0.5;
  // And for waking up late: so many microseconds, or a share of the time that the request has.
  double slack_us = 5000;
  double slack_share = 0.05;
};

// What the device is to do next.
struct ScheduleStep {
  // kRunBeside: the rest, while the server's answer may still come.
  enum class Kind : uint8_t { kRunHead, kRunRest, kRunBeside, kWait, kDone };
  Kind kind = Kind::kWait;
  uint64_t request = 0;
  double until_us = 0;  // kWait: unless something happens before
};

// Decides what a device does that works on one thing at a time while a server works on others.
// Plain state without a clock or threads: times are given to it, in microseconds from any
// beginning.
class SplitSchedule {
 public:
  explicit SplitSchedule(const ScheduleOptions& options) : options_(options) {}

  void add(uint64_t request, double now_us, double deadline_us);
  // `cut` is the one to begin requests with now; `local` does everything on the device (unused
  // without fallback). A request whose deadline has passed before it was begun fails here.
  ScheduleStep next(double now_us, const ReadyCut& cut, const ReadyCut& local);

  // The device's part is done; says whether the rest is to be sent (until its give_up_us).
  bool head_done(uint64_t request, double now_us);
  // False: it is answered already, or the device has begun to answer it; this answer is dropped.
  bool server_answered(uint64_t request, double now_us);
  // The server refused it, or did not answer until give_up_us.
  void server_lost(uint64_t request, double now_us);
  void rest_done(uint64_t request, double now_us);
  // The device is free again. False: the server was first.
  bool beside_done(uint64_t request, double now_us);
  void failed(uint64_t request);

  const SplitRequest& request(uint64_t request) const { return requests_.at(request); }
  size_t unfinished() const { return unfinished_.size(); }
  // Every broken rule, in words.
  std::vector<std::string> violations() const;

 private:
  void finish(uint64_t request, RequestStage stage, AnsweredBy by, double now_us);
  // Takes back what is overdue, and fails what can no longer be begun in time.
  void expire(double now_us);
  size_t in_flight() const;
  double slack_us(const SplitRequest& request) const;
  double give_up_us(const SplitRequest& request, double now_us) const;
  double latest_local_us(const SplitRequest& request, const ReadyCut& local) const;
  const ReadyCut& cut_for(const SplitRequest& request, double now_us, const ReadyCut& cut,
                          const ReadyCut& local) const;

  ScheduleOptions options_;
  std::map<uint64_t, SplitRequest> requests_;
  std::set<uint64_t> unfinished_;
  std::optional<uint64_t> beside_;  // what the device works on beside the server
};

}  // namespace edgewright
