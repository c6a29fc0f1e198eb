#include "serve/service/rollout_desk.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace edgewright {
namespace {

// Copies that wait; more are dropped, since a candidate that cannot follow must not cost memory.
constexpr size_t kMaxCopies = 64;
constexpr auto kTick = std::chrono::milliseconds(20);
constexpr auto kCopyTimeout = std::chrono::seconds(30);

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(ServeClock::now().time_since_epoch())
      .count();
}

bool same(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) return false;
  return a.dtype() == DType::kString ? a.string_elements() == b.string_elements() : identical(a, b);
}

}  // namespace

std::vector<std::pair<std::vector<float>, std::vector<float>>> score_pairs(
    const std::vector<Tensor>& service, const std::vector<Tensor>& candidate) {
  std::vector<std::pair<std::vector<float>, std::vector<float>>> pairs;
  const Tensor& a = service.at(0);
  const bool comparable = !candidate.empty() && a.dims() == candidate[0].dims() &&
                          is_floating_point(a.dtype()) && is_floating_point(candidate[0].dtype());
  if (!comparable) {
    const bool equal = std::ranges::equal(service, candidate, same);
    pairs.push_back({{1, 0}, equal ? std::vector<float>{1, 0} : std::vector<float>{0, 1}});
    return pairs;
  }
  const auto first = a.to_doubles(), second = candidate[0].to_doubles();
  if (!first.ok() || !second.ok()) return pairs;
  const int64_t rows = a.rank() > 1 ? a.dim(0) : 1;
  const int64_t columns = rows == 0 ? 0 : a.element_count() / rows;
  for (int64_t row = 0; row < rows && columns > 0; ++row) {
    const auto begin = row * columns, end = begin + columns;
    pairs.emplace_back(std::vector<float>(first->begin() + begin, first->begin() + end),
                       std::vector<float>(second->begin() + begin, second->begin() + end));
  }
  return pairs;
}

RolloutDesk::RolloutDesk(Catalogue& catalogue, std::function<void(const std::string&)> on_event)
    : catalogue_(catalogue), on_event_(std::move(on_event)), thread_([this] { work(); }) {}

RolloutDesk::~RolloutDesk() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Reply<bool> RolloutDesk::begin_rollout(const std::string& model, const RolloutOrder& order) {
  Reply<std::shared_ptr<ModelVersion>> service = catalogue_.find(model, "");
  if (!service.ok()) return std::move(service).refusal();
  if ((*service)->text() != nullptr) {
    return Refusal{RefusalKind::kUnsupported, "rollouts compare tensors; this is a language model"};
  }
  int64_t number = 0;
  const std::string& text = order.candidate;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size() || number < 1) {
    return Refusal{RefusalKind::kMalformed, fmt::format("'{}' is no version", text)};
  }
  if (number == (*service)->number()) {
    return Refusal{RefusalKind::kConflict, fmt::format("version {} is in service already", number)};
  }
  // Pinned first, so that the candidate's presence alone moves no request to it.
  catalogue_.set_service(model, (*service)->number());
  Result<std::shared_ptr<ModelVersion>> candidate = catalogue_.add_version(model, number);
  if (!candidate.ok()) return std::move(candidate).error();
  const std::lock_guard lock(mutex_);
  Rollout& rollout = rollouts_[model];
  rollout.plan = order.plan;
  rollout.candidate = *candidate;
  rollout.state = ControlState();
  become(model, rollout,
         begin(order.plan, std::to_string((*service)->number()), order.candidate, now_ms()));
  wake_.notify_one();
  return true;
}

Reply<bool> RolloutDesk::stop_rollout(const std::string& model, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  const auto found = rollouts_.find(model);
  if (found == rollouts_.end()) {
    return Refusal{RefusalKind::kUnknown, fmt::format("no rollout of model '{}'", model)};
  }
  become(model, found->second, abort_rollout(found->second.state, reason));
  return true;
}

Reply<std::string> RolloutDesk::show(const std::string& model) const {
  const std::lock_guard lock(mutex_);
  const auto found = rollouts_.find(model);
  if (found == rollouts_.end()) {
    return Refusal{RefusalKind::kUnknown, fmt::format("no rollout of model '{}'", model)};
  }
  return encode_rollout(model, found->second.plan, found->second.state);
}

void RolloutDesk::become(const std::string& model, Rollout& rollout, ControlState next) {
  const ControlStage before = rollout.state.stage;
  rollout.state = std::move(next);
  const ControlState& state = rollout.state;
  if (state.stage == before) return;
  if (state.stage == ControlStage::kPromoted) {
    catalogue_.set_service(model, rollout.candidate->number());
  }
  int running = 0;
  for (const auto& [name, other] : rollouts_) {
    const ControlStage stage = other.state.stage;
    running += stage == ControlStage::kShadow || stage == ControlStage::kCanary ? 1 : 0;
  }
  under_way_ = running;
  const auto folder = std::filesystem::path(catalogue_.repository()) / model;
  const Status recorded = record_rollout(folder.string(), state);
  if (!on_event_) return;
  on_event_(fmt::format("rollout of {} to version {}: {}{}", model, state.rollout.candidate,
                        stage_name(state.stage),
                        state.rollout.reason.empty() ? "" : ", " + state.rollout.reason));
  if (!recorded.ok()) on_event_("cannot record the rollout: " + recorded.error().message);
}

RolloutDesk::Route RolloutDesk::route(const std::string& model,
                                      std::shared_ptr<ModelVersion> service,
                                      const std::string& key) const {
  Route route{std::move(service), false, false};
  if (under_way_ == 0) return route;
  const std::lock_guard lock(mutex_);
  const auto found = rollouts_.find(model);
  if (found == rollouts_.end()) return route;
  const ControlState& state = found->second.state;
  route.wants_copy = state.stage == ControlStage::kShadow;
  if (state.stage == ControlStage::kCanary && goes_to_candidate(state.rollout, key)) {
    route.version = found->second.candidate;
    route.is_candidate = true;
  }
  return route;
}

void RolloutDesk::saw_answer(const std::string& model, const Route& route, bool failed,
                             double latency_ms, const std::vector<Tensor>& inputs,
                             const std::vector<Tensor>& outputs) {
  if (under_way_ == 0) return;
  {
    const std::lock_guard lock(mutex_);
    const auto found = rollouts_.find(model);
    if (found == rollouts_.end()) return;
    Rollout& rollout = found->second;
    if (!route.wants_copy) {
      rollout.state =
          edgewright::saw_answer(std::move(rollout.state), route.is_candidate, failed, latency_ms);
      return;
    }
    if (failed || outputs.empty() || copies_.size() >= kMaxCopies) return;
    copies_.push_back({model, rollout.candidate, inputs, outputs, latency_ms});
  }
  wake_.notify_one();
}

void RolloutDesk::run_copy(const Copy& copy) {
  const auto start = ServeClock::now();
  const Reply<std::vector<Tensor>> outputs =
      copy.candidate->run({copy.inputs, start + kCopyTimeout});
  const std::chrono::duration<double, std::milli> took = ServeClock::now() - start;
  // A candidate that fails where the service answers counts as one that answers differently.
  const auto pairs = score_pairs(copy.outputs, outputs.ok() ? *outputs : std::vector<Tensor>());
  const std::lock_guard lock(mutex_);
  const auto found = rollouts_.find(copy.model);
  if (found == rollouts_.end() || found->second.candidate != copy.candidate) return;
  Rollout& rollout = found->second;
  for (const auto& [service, candidate] : pairs) {
    become(copy.model, rollout,
           saw_pair(rollout.plan, rollout.state,
                    {service, candidate, copy.service_ms, took.count()}, now_ms()));
  }
}

void RolloutDesk::work() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (under_way_ == 0) {
      wake_.wait(lock, [&] { return stop_ || under_way_ > 0; });
    } else if (copies_.empty()) {
      wake_.wait_for(lock, kTick);
    }
    if (stop_) return;
    while (!copies_.empty() && !stop_) {
      Copy copy = std::move(copies_.front());
      copies_.pop_front();
      lock.unlock();
      run_copy(copy);
      lock.lock();
    }
    for (auto& [model, rollout] : rollouts_) {
      become(model, rollout, advance(rollout.plan, rollout.state, now_ms()));
    }
  }
}

}  // namespace edgewright
