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

// Fills who is admitted, ahead and placed.
void admit(const ScheduleState& state, StepPlan& plan) {
  int running = 0;
  int pages = state.limits.total_pages;
  const ScheduledRequest* ahead = nullptr;
  for (const ScheduledRequest& request : state.requests) {
    if (request.state == State::kWaiting) continue;
    pages -= request.pages_reserved;
    if (request.ahead) {
      ahead = &request;
    } else {
      ++running;
    }
  }
  if (ahead != nullptr && running < state.limits.max_running) {
    plan.placed.push_back(ahead->id);
    ahead = nullptr;
    ++running;
  }
  for (const ScheduledRequest& request : state.requests) {
    if (request.state != State::kWaiting) continue;
    const bool full = running >= state.limits.max_running;
    const bool goes_ahead = state.limits.beside_tokens > 0 && ahead == nullptr;
    if (request.pages_wanted > pages || (full && !goes_ahead)) break;
    plan.admitted.push_back(request.id);
    pages -= request.pages_wanted;
    if (full) {
      plan.ahead.push_back(request.id);
      ahead = &request;
    } else {
      ++running;
    }
  }
}

bool holds(const std::vector<int64_t>& ids, int64_t id) {
  return std::ranges::find(ids, id) != ids.end();
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

void deal_beside(const std::vector<const ScheduledRequest*>& prompts, int budget, StepPlan& plan) {
  for (const ScheduledRequest* request : prompts) {
    const int tokens = std::min(request->to_compute, budget);
    if (tokens > 0) plan.beside.push_back({request->id, tokens});
    budget -= tokens;
  }
}

}  // namespace

StepPlan plan_step(const ScheduleState& state) {
  StepPlan plan;
  admit(state, plan);
  std::vector<const ScheduledRequest*> prompts, beside;
  const auto has_place = [&](const ScheduledRequest& request) {
    return !holds(plan.ahead, request.id) && (!request.ahead || holds(plan.placed, request.id));
  };
  for (const ScheduledRequest& request : state.requests) {
    const bool decodes = request.state == State::kDecode && request.in_flight == 0;
    if (decodes && has_place(request)) plan.decode.push_back(request.id);
  }
  const int besides = plan.decode.empty() ? 0 : state.limits.beside_tokens;
  for (const ScheduledRequest& request : state.requests) {
    const bool admitted = holds(plan.admitted, request.id);
    if (request.state != State::kPrefill && !admitted) continue;
    if (besides > 0 && (request.beside || admitted)) {
      beside.push_back(&request);
    } else if (has_place(request)) {
      prompts.push_back(&request);
    }
  }
  deal_prompts(std::move(prompts), state, plan);
  deal_beside(beside, besides, plan);
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
    if (!request.ahead) ++running;
    pages += request.pages_reserved;
    const bool computed = request.to_compute == 0;
    if (request.in_flight == 0 && computed != (request.state == State::kDecode)) {
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
