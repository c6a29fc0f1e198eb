#include "serve/split_schedule.h"

#include <algorithm>

#include "base/result.h"

namespace edgewright {
namespace {

bool is_finished(const SplitRequest& request) {
  return request.stage == RequestStage::kAnswered || request.stage == RequestStage::kFailed;
}

}  // namespace

void SplitSchedule::add(uint64_t request, double now_us, double deadline_us) {
  const bool is_added =
      requests_.emplace(request, SplitRequest{now_us, deadline_us, deadline_us}).second;
  EDGEWRIGHT_CHECK(is_added);
  unfinished_.insert(request);
}

void SplitSchedule::expire(double now_us) {
  const std::set<uint64_t> before = unfinished_;
  for (const uint64_t id : before) {
    const SplitRequest& request = requests_.at(id);
    // Whoever should have said by now that it is lost did not.
    if (request.stage == RequestStage::kInFlight && now_us >= request.give_up_us) {
      server_lost(id, now_us);
    } else if (request.stage == RequestStage::kWaiting && now_us >= request.deadline_us) {
      failed(id);
    }
  }
}

ScheduleStep SplitSchedule::next(double now_us, const ReadyCut& cut, const ReadyCut& local) {
  expire(now_us);
  if (unfinished_.empty()) return {ScheduleStep::Kind::kDone};
  ScheduleStep wait{ScheduleStep::Kind::kWait, 0, now_us + 1e6};
  std::optional<uint64_t> waiting;
  for (const uint64_t id : unfinished_) {
    SplitRequest& request = requests_.at(id);
    if (request.stage == RequestStage::kLost && !beside_) {
      request.stage = RequestStage::kRest;
      return {ScheduleStep::Kind::kRunRest, id};
    }
    if (request.stage == RequestStage::kInFlight) {
      wait.until_us = std::min(wait.until_us, request.give_up_us);
    }
    if (request.stage == RequestStage::kWaiting && !waiting) waiting = id;
  }
  if (beside_) return wait;
  // A device that has nothing else to do races the server, where that was asked for.
  if (unfinished_.size() == 1 && !waiting && options_.has_fallback) {
    SplitRequest& only = requests_.at(*unfinished_.begin());
    if (only.stage == RequestStage::kInFlight && only.cut.is_raced) {
      only.stage = RequestStage::kRaced;
      beside_ = *unfinished_.begin();
      return {ScheduleStep::Kind::kRunBeside, *beside_};
    }
  }
  if (!waiting) return wait;
  SplitRequest& request = requests_.at(*waiting);
  const double latest_us = latest_local_us(request, local);
  const bool must_be_local = options_.has_fallback && now_us >= latest_us;
  const ReadyCut& chosen = must_be_local ? local : cut_for(request, now_us, cut, local);
  if (!chosen.is_local && in_flight() >= options_.in_flight) {
    if (options_.has_fallback) wait.until_us = std::min(wait.until_us, latest_us);
    return wait;
  }
  // Nothing is begun that would still run when one that is in flight must be taken back.
  if (in_flight() > 0 && options_.has_fallback && now_us + chosen.device_us >= wait.until_us) {
    return wait;
  }
  request.stage = RequestStage::kHead;
  request.cut = chosen;
  return {ScheduleStep::Kind::kRunHead, *waiting};
}

bool SplitSchedule::head_done(uint64_t id, double now_us) {
  SplitRequest& request = requests_.at(id);
  EDGEWRIGHT_CHECK(request.stage == RequestStage::kHead);
  if (request.cut.is_local) {
    finish(id, RequestStage::kAnswered, AnsweredBy::kDevice, now_us);
    return false;
  }
  request.stage = RequestStage::kInFlight;
  request.give_up_us = give_up_us(request, now_us);
  return true;
}

bool SplitSchedule::server_answered(uint64_t id, double now_us) {
  SplitRequest& request = requests_.at(id);
  if (request.stage != RequestStage::kInFlight && request.stage != RequestStage::kLost &&
      request.stage != RequestStage::kRaced) {
    return false;
  }
  finish(id, RequestStage::kAnswered, AnsweredBy::kServer, now_us);
  return true;
}

void SplitSchedule::server_lost(uint64_t id, double now_us) {
  SplitRequest& request = requests_.at(id);
  if (request.stage != RequestStage::kInFlight) return;
  if (options_.has_fallback) {
    request.stage = RequestStage::kLost;
  } else {
    finish(id, RequestStage::kFailed, AnsweredBy::kNobody, now_us);
  }
}

void SplitSchedule::rest_done(uint64_t id, double now_us) {
  EDGEWRIGHT_CHECK(requests_.at(id).stage == RequestStage::kRest);
  finish(id, RequestStage::kAnswered, AnsweredBy::kDeviceAfterServer, now_us);
}

bool SplitSchedule::beside_done(uint64_t id, double now_us) {
  EDGEWRIGHT_CHECK(beside_ == id);
  beside_.reset();
  if (requests_.at(id).stage != RequestStage::kRaced) return false;
  finish(id, RequestStage::kAnswered, AnsweredBy::kDeviceAfterServer, now_us);
  return true;
}

void SplitSchedule::failed(uint64_t id) {
  if (unfinished_.contains(id)) finish(id, RequestStage::kFailed, AnsweredBy::kNobody, 0);
}

void SplitSchedule::finish(uint64_t id, RequestStage stage, AnsweredBy by, double now_us) {
  SplitRequest& request = requests_.at(id);
  request.stage = stage;
  request.answered_by = by;
  request.is_late = stage == RequestStage::kAnswered && now_us > request.deadline_us;
  unfinished_.erase(id);
}

size_t SplitSchedule::in_flight() const {
  return static_cast<size_t>(std::ranges::count_if(unfinished_, [this](uint64_t id) {
    const RequestStage stage = requests_.at(id).stage;
    return stage == RequestStage::kInFlight || stage == RequestStage::kRaced;
  }));
}

// Machines that are busy wake a process up late, and who asks for an answer within a second has
// more to lose by that than to win in the last hundredths of it.
double SplitSchedule::slack_us(const SplitRequest& request) const {
  const double given_us = request.deadline_us - request.arrived_us;
  return std::max(options_.slack_us, options_.slack_share * given_us);
}

// All that are in flight may come back at once, while the device is busy with a head.
double SplitSchedule::give_up_us(const SplitRequest& request, double now_us) const {
  if (!options_.has_fallback) return request.deadline_us;
  const double device_us = request.cut.rest_us * static_cast<double>(in_flight()) +
                           (options_.in_flight > 1 ? request.cut.device_us : 0);
  const double give_up =
      request.deadline_us - (1 + options_.margin) * device_us - slack_us(request);
  // Where the device cannot do it in time any more, the server may have all the time there is.
  return give_up > now_us ? give_up : request.deadline_us - slack_us(request);
}

// All that are in flight may have to be finished before it.
double SplitSchedule::latest_local_us(const SplitRequest& request, const ReadyCut& local) const {
  double device_us = local.device_us;
  for (const uint64_t id : unfinished_) {
    const SplitRequest& other = requests_.at(id);
    if (other.stage == RequestStage::kInFlight) device_us += other.cut.rest_us;
  }
  return request.deadline_us - (1 + options_.margin) * device_us - slack_us(request);
}

const ReadyCut& SplitSchedule::cut_for(const SplitRequest& request, double now_us,
                                       const ReadyCut& cut, const ReadyCut& local) const {
  if (!options_.has_fallback || cut.is_local) return cut;
  // Nothing is sent that would be taken back before it can come.
  const double rest_us = (1 + options_.margin) * cut.rest_us + slack_us(request);
  const double left_us = request.deadline_us - now_us - cut.device_us - rest_us;
  const bool local_fits = now_us + local.device_us + slack_us(request) < request.deadline_us;
  return left_us <= 0 && local_fits ? local : cut;
}

std::vector<std::string> SplitSchedule::violations() const {
  std::vector<std::string> broken;
  for (const auto& [id, request] : requests_) {
    if (is_finished(request) == unfinished_.contains(id)) {
      broken.push_back(fmt::format("request {} is finished and unfinished", id));
    }
    const bool has_answer = request.answered_by != AnsweredBy::kNobody;
    if (has_answer != (request.stage == RequestStage::kAnswered)) {
      broken.push_back(fmt::format("request {} is answered by nobody, or unanswered by one", id));
    }
    if (request.give_up_us > request.deadline_us) {
      broken.push_back(fmt::format("request {} is given up after its deadline", id));
    }
    if (request.cut.is_local && request.answered_by == AnsweredBy::kServer) {
      broken.push_back(fmt::format("request {} was never sent, and the server answered it", id));
    }
  }
  if (in_flight() > options_.in_flight) {
    broken.push_back(fmt::format("found {} requests in flight, expected at most {}", in_flight(),
                                 options_.in_flight));
  }
  return broken;
}

}  // namespace edgewright
