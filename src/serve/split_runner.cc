#include "serve/split_runner.h"

#include <algorithm>
#include <future>
#include <utility>

#include "serve/link_probe.h"
#include "serve/remote_workers.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

// Of the server's answer those that were asked for, each once.
Result<NamedValues> outputs_of(const RunnableCut& cut, const oip::InferResponse& response) {
  NamedValues outputs;
  for (const auto& output : response.outputs) outputs[output.name] = output.tensor;
  for (const std::string& name : cut.server_outputs) {
    if (!outputs.contains(name)) {
      return bad_input("{}: found no output '{}' in the server's answer", cut.server_model, name);
    }
  }
  return outputs;
}

}  // namespace

Result<oip::InferRequest> request_for(const RunnableCut& cut, const NamedValues& values,
                                      bool binary, std::optional<uint64_t> frame) {
  oip::InferRequest request;
  request.model = cut.server_model;
  EDGEWRIGHT_ASSIGN(const WireTensors wire,
                    to_wire(cut.form, cut.sent, values, cut.sender.get(), frame));
  for (const auto& [name, tensor] : wire) request.inputs.push_back({name, tensor, {}, binary});
  for (const std::string& name : cut.server_outputs) {
    oip::RequestedOutput& output = request.outputs.emplace_back();
    output.name = name;
    output.binary = binary;
  }
  return request;
}

Result<LinkEstimate> assess_link(InferenceClient& client, const RunnableCut& cut,
                                 const LinkEstimate& guess, bool binary,
                                 InferenceClient::Deadline deadline) {
  constexpr int kRepeats = 3;
  // Long enough to measure by, short enough not to be in the way.
  constexpr double kSendingUs = 30000;
  constexpr double kLeastBytes = 2048, kMostBytes = 262144;
  LinkEstimate link = guess;
  std::vector<double> trips, sendings;
  for (int i = 0; i < kRepeats; ++i) {
    EDGEWRIGHT_ASSIGN(trips.emplace_back(), client.ping(deadline));
  }
  link.round_trip_us = std::ranges::min(trips);
  LinkProbe probe(client, deadline);
  const auto bytes = static_cast<size_t>(
      std::clamp(guess.uplink_mbit_s * kSendingUs / 8, kLeastBytes, kMostBytes));
  for (int i = 0; i < kRepeats; ++i) {
    EDGEWRIGHT_ASSIGN(sendings.emplace_back(), probe.exchange_us(bytes, false, deadline));
  }
  std::ranges::sort(sendings);
  const double sending_us = std::max(1.0, sendings[kRepeats / 2] - link.round_trip_us);
  link.uplink_mbit_s = 8 * static_cast<double>(bytes) / sending_us;
  // The ways back and forth usually get better and worse together.
  link.downlink_mbit_s = guess.downlink_mbit_s * link.uplink_mbit_s / guess.uplink_mbit_s;
  EDGEWRIGHT_ASSIGN(const oip::InferRequest request, request_for(cut, cut.sample, binary));
  const RemoteAnswer answer = client.infer(request, deadline);
  if (!answer.ok()) return check_failed("{}", answer.message);
  // Where the server is next to nothing beside the link, what an exchange takes longer is the
  // link's noise: it must not count as many times the server's time.
  LinkEstimate unloaded = link;
  unloaded.server_slowdown = 1;
  const double expected_us = exchange_us(cut.times, unloaded);
  link.server_slowdown =
      std::max(0.2, 1 + (answer.elapsed_us - expected_us) /
                            std::max({1.0, cut.times.server_us, expected_us / 4}));
  return link;
}

class SplitRunner::Machine {
 public:
  Machine(DeviceParts& parts, std::vector<RunnableCut> cuts, ClientFactory connect,
          const LinkEstimate& link, const RunnerOptions& options)
      : parts_(parts),
        cuts_(std::move(cuts)),
        options_(options),
        choice_(times_of(cuts_), link, options.hysteresis, options.fixed_cut, options.goal),
        monitor_(options.monitor),
        workers_(cuts_, std::move(connect), options) {}

  Result<RunnerResult> run(size_t count, double interval_us, double deadline_us,
                           const std::function<NamedValues(size_t)>& inputs_of) {
    beside_ = {};  // of a run that ended early: waited for
    start_ = Clock::now();
    schedule_ = SplitSchedule(options_.schedule);
    result_ = {};
    result_.answers.resize(count);
    values_.assign(count, {});
    chosen_.assign(count, std::nullopt);
    raced_.assign(count, std::nullopt);
    size_t added = 0;
    while (true) {
      while (added < count && is_due(added, interval_us)) {
        values_[added] = inputs_of(added);
        const double arrival_us =
            interval_us > 0 ? interval_us * static_cast<double>(added) : now();
        schedule_.add(added, arrival_us, arrival_us + deadline_us);
        result_.answers[added].arrived_us = arrival_us;
        ++added;
      }
      handle(workers_.wait_until(Clock::now()));
      EDGEWRIGHT_TRY(end_race());
      look_if_needed();
      const ScheduleStep step = schedule_.next(now(), wanted_cut(), local_cut());
      if (step.kind == ScheduleStep::Kind::kDone && added == count) break;
      EDGEWRIGHT_TRY(take(step, added < count && interval_us > 0
                                    ? interval_us * static_cast<double>(added)
                                    : now() + 1e6));
    }
    finish();
    return std::move(result_);
  }

 private:
  static std::vector<ReadyCut> times_of(const std::vector<RunnableCut>& cuts) {
    std::vector<ReadyCut> times;
    times.reserve(cuts.size());
    for (const RunnableCut& cut : cuts) times.push_back(cut.times);
    return times;
  }
  double now() const { return microseconds(Clock::now() - start_); }
  Clock::time_point at(double time_us) const {
    return start_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double, std::micro>(time_us));
  }
  const ReadyCut& local_cut() const {
    const auto it = std::ranges::find_if(cuts_, [](const auto& cut) { return cut.times.is_local; });
    return it == cuts_.end() ? cuts_.front().times : it->times;
  }
  bool may_send() const {
    return (monitor_.is_up() && !is_guard_closed_) || !options_.schedule.has_fallback;
  }
  const ReadyCut& present_cut() const { return may_send() ? choice_.cut() : local_cut(); }
  // The cut of the next request. A policy is asked once for each, and its word holds until the
  // request is begun.
  const ReadyCut& wanted_cut() {
    if (!options_.ways || options_.fixed_cut || !may_send()) return present_cut();
    if (!drawn_) drawn_ = options_.ways->choose(choice_.cuts(), choice_.link());
    drawn_cut_ = choice_.cuts()[drawn_->way];
    drawn_cut_.is_raced = drawn_->is_raced;
    return drawn_cut_;
  }
  // A policy learns of what it chose itself, not of what a deadline or a lost server chose.
  void note_choice(uint64_t id, size_t cut) {
    if (!drawn_ || drawn_->way != cut) return;
    if (drawn_->is_raced) raced_[id] = drawn_;
    chosen_[id] = std::exchange(drawn_, std::nullopt);
  }
  // What the server's answer says of a race, even where it came second.
  void learn_unraced(uint64_t id, const RemoteEvent& event) {
    if (!raced_[id]) return;
    const ReadyCut& cut = cuts_[event.cut].times;
    const SplitRequest& request = schedule_.request(id);
    const double given_up_us = request.give_up_us - result_.answers[id].begun_us + cut.rest_us;
    options_.ways->learn_unraced(
        *raced_[id], choice_.cuts(), choice_.link(),
        event.answer.ok() ? cut.device_us + event.answer.elapsed_us : given_up_us);
    raced_[id].reset();
  }
  void learn(uint64_t id, double latency_us, std::optional<double> exchange_us) {
    if (!chosen_[id]) return;
    options_.ways->learn(*chosen_[id], choice_.cuts(), choice_.link(), latency_us, exchange_us);
    chosen_[id].reset();
  }
  size_t index_of(const ReadyCut& cut) const {
    return static_cast<size_t>(
        std::ranges::find_if(cuts_,
                             [&](const auto& known) { return known.times.name == cut.name; }) -
        cuts_.begin());
  }
  // The remote cut that a look at the server tries: the present one, or the best of them.
  std::optional<size_t> looked_at() const {
    std::optional<size_t> best;
    for (size_t i = 0; i < cuts_.size(); ++i) {
      if (cuts_[i].times.is_local) continue;
      if (i == choice_.current()) return i;
      if (!best || latency_us(cuts_[i].times, choice_.link()) <
                       latency_us(cuts_[*best].times, choice_.link())) {
        best = i;
      }
    }
    return best;
  }
  bool is_due(size_t request, double interval_us) const {
    if (interval_us > 0) return now() >= interval_us * static_cast<double>(request);
    return schedule_.unfinished() < options_.schedule.in_flight;
  }

  Status take(const ScheduleStep& step, double next_arrival_us) {
    switch (step.kind) {
      case ScheduleStep::Kind::kRunHead: return run_head(step.request);
      case ScheduleStep::Kind::kRunRest: return run_rest(step.request);
      case ScheduleStep::Kind::kRunBeside: run_beside(step.request); return {};
      case ScheduleStep::Kind::kWait:
        handle(workers_.wait_until(at(std::min(
            {step.until_us, next_arrival_us, now() + options_.monitor.assess_down_us / 4}))));
        return {};
      case ScheduleStep::Kind::kDone: handle(workers_.wait_until(at(next_arrival_us))); return {};
    }
    return {};
  }

  Status run_head(uint64_t id) {
    const ReadyCut begun_with = schedule_.request(id).cut;
    const size_t cut = index_of(begun_with);
    SplitAnswer& answer = result_.answers[id];
    answer.cut = cut;
    answer.begun_us = now();
    note_choice(id, cut);
    auto made = parts_.run_head(cut, values_[id]);
    if (!made.ok()) return std::move(made).error();
    if (!schedule_.head_done(id, now())) {
      answer.outputs = *std::move(made);
      close(id);
      return {};
    }
    NamedValues& values = values_[id];
    for (auto& [name, value] : *made) values[name] = std::move(value);
    auto message = message_for(cut, values, id);
    if (!message.ok()) {
      // The form has no room for these values; that says nothing of the server.
      answer.failure = std::move(message).error().message;
      schedule_.server_lost(id, now());
      return {};
    }
    RemoteJob job{id, *std::move(message), at(schedule_.request(id).give_up_us), cut, {}};
    job.message.id = fmt::format("{}", id);
    workers_.submit(std::move(job));
    return {};
  }

  // What leaves of the values, as a question to the server.
  Result<oip::InferRequest> message_for(size_t cut, const NamedValues& values, uint64_t id) {
    if (!options_.guard) return request_for(cuts_[cut], values, options_.binary, id);
    auto guarded = options_.guard(cuts_[cut], values);
    if (guarded.ok()) return request_for(cuts_[cut], *guarded, options_.binary, id);
    ++result_.kept_here;
    if (guarded.error().kind == ErrorKind::kCheckFailed && !is_guard_closed_) {
      is_guard_closed_ = true;
      result_.events.push_back(
          {now(), "budget", cuts_[cut].times.name, local_cut().name, guarded.error().message});
    }
    return std::move(guarded).error();
  }

  Status run_rest(uint64_t id) {
    const size_t cut = result_.answers[id].cut;
    EDGEWRIGHT_ASSIGN(auto outputs, parts_.run_rest(cut, values_[id]));
    schedule_.rest_done(id, now());
    result_.answers[id].outputs = std::move(outputs);
    add_device_outputs(id);
    close(id);
    return {};
  }

  // The device's parts are its own thread's until the race has ended.
  void run_beside(uint64_t id) {
    const size_t cut = result_.answers[id].cut;
    beside_id_ = id;
    beside_ = std::async(std::launch::async, [this, cut, values = values_[id]] {
      auto outputs = parts_.run_rest(cut, values);
      workers_.wake();
      return outputs;
    });
  }
  Status end_race() {
    using std::chrono_literals::operator""s;
    if (!beside_.valid() || beside_.wait_for(0s) != std::future_status::ready) return {};
    EDGEWRIGHT_ASSIGN(auto outputs, beside_.get());
    if (!schedule_.beside_done(beside_id_, now())) return {};
    result_.answers[beside_id_].outputs = std::move(outputs);
    add_device_outputs(beside_id_);
    close(beside_id_);
    return {};
  }

  void add_device_outputs(uint64_t id) {
    for (const std::string& name : cuts_[result_.answers[id].cut].device_outputs) {
      result_.answers[id].outputs[name] = values_[id].at(name);
    }
  }

  void close(uint64_t id) {
    const SplitRequest& request = schedule_.request(id);
    SplitAnswer& answer = result_.answers[id];
    answer.by = request.answered_by;
    answer.is_late = request.is_late;
    answer.latency_us = now() - request.arrived_us;
    values_[id].clear();
    learn(id, now() - answer.begun_us,
          answer.by == AnsweredBy::kServer ? std::optional(answer.exchange_us) : std::nullopt);
  }

  void handle(std::vector<RemoteEvent> events) {
    for (RemoteEvent& event : events) {
      if (event.request) {
        handle_answer(event);
      } else {
        handle_look(event);
      }
    }
  }

  void handle_answer(RemoteEvent& event) {
    const uint64_t id = *event.request;
    SplitAnswer& answer = result_.answers[id];
    const RunnableCut& cut = cuts_[event.cut];
    answer.attempts = event.answer.attempts;
    learn_unraced(id, event);
    Result<NamedValues> outputs = NamedValues();
    if (event.answer.ok()) outputs = outputs_of(cut, event.answer.response);
    if (cut.sender != nullptr) {
      // After a refusal the server may lack what frames are differences to.
      if (event.answer.ok()) cut.sender->acknowledged(id);
      if (event.answer.outcome == RemoteOutcome::kRefused) cut.sender->forget();
    }
    answer.exchange_us = event.answer.elapsed_us;
    if (!event.answer.ok() || !outputs.ok()) {
      const bool is_malformed = event.answer.ok();
      answer.failure = is_malformed ? outputs.error().message : event.answer.message;
      schedule_.server_lost(id, now());
      note_failure(is_malformed ? RemoteOutcome::kRefused : event.answer.outcome, answer.failure);
      return;
    }
    monitor_.answered(event.answer.elapsed_us, exchange_us(cut.times, choice_.link()));
    if (!schedule_.server_answered(id, now())) {
      ++result_.dropped_answers;
      return;
    }
    answer.failure.clear();
    answer.outputs = *std::move(outputs);
    add_device_outputs(id);
    close(id);
  }

  void note_failure(RemoteOutcome outcome, const std::string& why) {
    const bool was_up = monitor_.is_up();
    monitor_.failed(outcome);
    if (was_up && !monitor_.is_up()) {
      result_.events.push_back({now(), "down", present_cut().name, local_cut().name, why});
    }
  }

  void look_if_needed() {
    const auto cut = looked_at();
    if (!cut || !monitor_.wants_assessment(now(), !choice_.cut().is_local)) return;
    if (options_.fixed_cut && monitor_.is_up()) return;
    monitor_.assessment_begins(now());
    workers_.submit({std::nullopt, {}, at(now() + options_.assessment_us), *cut, choice_.link()});
  }

  void handle_look(const RemoteEvent& event) {
    const bool was_up = monitor_.is_up();
    monitor_.assessment_ended(now(), event.link.has_value());
    if (was_up && !event.link) {
      result_.events.push_back(
          {now(), "down", choice_.cut().name, local_cut().name, event.answer.message});
    }
    if (!event.link) return;
    if (!was_up) result_.events.push_back({now(), "up", local_cut().name, choice_.cut().name, ""});
    const std::string before = choice_.cut().name;
    if (!choice_.update(*event.link)) return;
    result_.events.push_back(
        {now(), "cut", before, choice_.cut().name,
         fmt::format("{:.3g} Mbit/s, {:.3g} ms, server {:.2g} times as slow as measured",
                     event.link->uplink_mbit_s, event.link->round_trip_us / 1e3,
                     event.link->server_slowdown)});
  }

  void finish() {
    if (beside_.valid()) beside_.wait();
    result_.link = choice_.link();
    for (size_t id = 0; id < result_.answers.size(); ++id) {
      const SplitRequest& request = schedule_.request(id);
      SplitAnswer& answer = result_.answers[id];
      if (request.stage == RequestStage::kFailed && answer.failure.empty()) {
        answer.failure = "its deadline passed before the device could begin it";
      }
      // What nobody answered cost all the time that it had.
      learn(id, request.deadline_us - request.arrived_us, std::nullopt);
    }
    EDGEWRIGHT_CHECK(schedule_.violations().empty());
  }

  DeviceParts& parts_;
  std::vector<RunnableCut> cuts_;
  RunnerOptions options_;
  CutChoice choice_;
  LinkMonitor monitor_;
  SplitSchedule schedule_{ScheduleOptions{}};
  RunnerResult result_;
  std::vector<NamedValues> values_;
  std::optional<WayChoice::Choice> drawn_;                // for the next request
  std::vector<std::optional<WayChoice::Choice>> chosen_;  // of those under way
  std::vector<std::optional<WayChoice::Choice>> raced_;   // until the server's answer is known
  ReadyCut drawn_cut_;
  bool is_guard_closed_ = false;
  Clock::time_point start_;
  RemoteWorkers workers_;
  // Destroyed, and so waited for, before what it uses.
  std::future<Result<NamedValues>> beside_;
  uint64_t beside_id_ = 0;
};

SplitRunner::SplitRunner(DeviceParts& parts, std::vector<RunnableCut> cuts, ClientFactory connect,
                         const LinkEstimate& link, const RunnerOptions& options)
    : machine_(
          std::make_unique<Machine>(parts, std::move(cuts), std::move(connect), link, options)) {}
SplitRunner::~SplitRunner() = default;

Result<RunnerResult> SplitRunner::run(size_t count, double interval_us, double deadline_us,
                                      const std::function<NamedValues(size_t)>& inputs_of) {
  return machine_->run(count, interval_us, deadline_us, inputs_of);
}

}  // namespace edgewright
