#include "llm/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace edgewright {
namespace {

using State = ScheduledRequest::State;

// Prompt tokens that one request gets at least, where it has them: a few large chunks are quicker
// than many small ones.
constexpr int kMinChunk = 128;

std::vector<int64_t> admissions(const ScheduleState& state) {
  int running = 0;
  int pages = state.limits.total_pages;
  for (const ScheduledRequest& request : state.requests) {
    if (request.state == State::kWaiting) continue;
    ++running;
    pages -= request.pages_reserved;
  }
  std::vector<int64_t> admitted;
  for (const ScheduledRequest& request : state.requests) {
    if (request.state != State::kWaiting) continue;
    if (running >= state.limits.max_running || request.pages_wanted > pages) break;
    admitted.push_back(request.id);
    pages -= request.pages_wanted;
    ++running;
  }
  return admitted;
}

void deal_prompts(std::vector<const ScheduledRequest*> prompts, const ScheduleState& state,
                  StepPlan& plan) {
  if (prompts.empty()) return;
  const auto first = static_cast<ptrdiff_t>(static_cast<uint64_t>(state.turn) % prompts.size());
  std::ranges::rotate(prompts, prompts.begin() + first);
  int budget = state.limits.prefill_tokens;
  const int share = std::max(kMinChunk, budget / static_cast<int>(prompts.size()));
  for (const ScheduledRequest* request : prompts) {
    const int tokens = std::min({request->to_compute, share, budget});
    if (tokens > 0) plan.prefill.push_back({request->id, tokens});
    budget -= std::max(0, tokens);
  }
  // What the others left over goes to those that can use it.
  for (size_t i = 0; i < plan.prefill.size() && budget > 0; ++i) {
    const int more = std::min(budget, prompts[i]->to_compute - plan.prefill[i].tokens);
    plan.prefill[i].tokens += more;
    budget -= more;
  }
}

}  // namespace

StepPlan plan_step(const ScheduleState& state) {
  StepPlan plan;
  plan.admitted = admissions(state);
  std::vector<const ScheduledRequest*> prompts;
  for (const ScheduledRequest& request : state.requests) {
    const bool admitted = std::ranges::find(plan.admitted, request.id) != plan.admitted.end();
    if (request.state == State::kDecode) plan.decode.push_back(request.id);
    if (request.state == State::kPrefill || admitted) prompts.push_back(&request);
  }
  deal_prompts(std::move(prompts), state, plan);
  return plan;
}

std::vector<std::string> validate(const ScheduleState& state) {
  std::vector<std::string> broken;
  std::set<int64_t> ids;
  int running = 0;
  int waiting = 0;
  int pages = 0;
  for (const ScheduledRequest& request : state.requests) {
    if (!ids.insert(request.id).second) {
      broken.push_back(fmt::format("request {} is there twice", request.id));
    }
    if (request.state == State::kWaiting) {
      ++waiting;
      if (request.pages_reserved != 0) {
        broken.push_back(fmt::format("request {} waits but holds pages", request.id));
      }
      continue;
    }
    ++running;
    pages += request.pages_reserved;
    const bool computed = request.to_compute == 0;
    if (computed != (request.state == State::kDecode)) {
      broken.push_back(fmt::format("request {} has {} prompt tokens to compute in state {}",
                                   request.id, request.to_compute,
                                   static_cast<int>(request.state)));
    }
  }
  if (running > state.limits.max_running) {
    broken.push_back(fmt::format("{} requests run, at most {}", running, state.limits.max_running));
  }
  if (waiting > state.limits.max_waiting) {
    broken.push_back(
        fmt::format("{} requests wait, at most {}", waiting, state.limits.max_waiting));
  }
  if (pages > state.limits.total_pages) {
    broken.push_back(fmt::format("{} pages are reserved of {}", pages, state.limits.total_pages));
  }
  return broken;
}

}  // namespace edgewright
