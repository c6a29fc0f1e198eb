#include "llm/engine.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "llm/engine_active.h"

namespace edgewright {
namespace {

using State = ScheduledRequest::State;

constexpr size_t kMaxPrefixes = 16;

int pages_of(int tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

int context_of(const ModelConfig& config, const EngineOptions& options) {
  return options.context > 0 ? options.context : config.context;
}

int pages_of(const ModelConfig& config, const EngineOptions& options) {
  return options.cache_pages > 0 ? options.cache_pages : pages_of(context_of(config, options));
}

bool keeps_all_tokens(const ModelConfig& config) {
  return config.window == 0 || std::ranges::find(config.windowed, false) != config.windowed.end();
}

}  // namespace

struct Engine::Fewer {
  Fewer(const std::shared_ptr<const PackedModel>& model,
        const std::shared_ptr<const PackedModel>& easy, int threads)
      : pool(threads), full(model, pool) {
    if (easy) light = std::make_unique<Decoder>(easy, pool);
  }
  ThreadPool pool;
  Decoder full;
  std::unique_ptr<Decoder> light;
};

Engine::Engine(std::shared_ptr<const PackedModel> model, std::shared_ptr<const Tokenizer> tokenizer,
               ThreadPool& pool, const EngineOptions& options)
    : model_(model),
      tokenizer_(std::move(tokenizer)),
      options_(options),
      context_(context_of(model->config, options)),
      cache_(model->config, options.cache, pages_of(model->config, options)),
      decoder_(std::move(model), pool) {
  if (options.light) light_ = std::make_unique<Decoder>(options.light, pool);
  take_stages(options.stages);
  schedule_.limits.max_running = options.max_running;
  schedule_.limits.max_waiting = options.max_waiting;
  schedule_.limits.prefill_tokens = options.prefill_tokens;
  schedule_.limits.beside_tokens = options.beside_tokens;
  schedule_.limits.total_pages = cache_.max_pages();
}

Engine::~Engine() = default;

Result<int64_t> Engine::submit(TextRequest request) {
  if (request.prompt.empty()) return usage_error("the prompt is empty");
  for (const int token : request.prompt) {
    if (token < 0 || token >= decoder_.config().vocabulary) {
      return usage_error("token {} is not among the model's {}", token,
                         decoder_.config().vocabulary);
    }
  }
  const int longest = std::min(context_, cache_.max_pages() * kPageTokens);
  if (std::ssize(request.prompt) >= longest) {
    if (request.overflow == Overflow::kStop) {
      return usage_error(
          "the prompt has {} tokens, at most {} fit; shorten it, or let the context "
          "slide",
          request.prompt.size(), longest - 1);
    }
    request.prompt.erase(request.prompt.begin(), request.prompt.end() - longest / 2);
  }
  const auto waiting = std::ranges::count_if(
      schedule_.requests, [](const ScheduledRequest& r) { return r.state == State::kWaiting; });
  if (waiting >= options_.max_waiting) {
    return internal_error("{} requests wait already; try again later", waiting);
  }
  ScheduledRequest entry;
  entry.id = next_id_++;
  entry.to_compute = static_cast<int>(request.prompt.size());
  const int64_t length = int64_t{entry.to_compute} + std::max(1, request.max_tokens);
  entry.pages_wanted = pages_of(static_cast<int>(std::min<int64_t>(length, longest)));
  schedule_.requests.push_back(entry);
  auto active = std::make_unique<Active>(std::move(request), cache_, *tokenizer_,
                                         decoder_.config().eos, options_.light_entropy);
  active->answer.result().id = entry.id;
  active_.emplace(entry.id, std::move(active));
  return entry.id;
}

void Engine::cancel(int64_t id) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  if (scheduled(id).in_flight > 0) {
    found->second->cancelled = true;
    return;
  }
  finish(*found->second, FinishReason::kCancelled);
  remove_finished();
}

Engine::Active& Engine::active(int64_t id) { return *active_.at(id); }

ScheduledRequest& Engine::scheduled(int64_t id) {
  return *std::ranges::find(schedule_.requests, id, &ScheduledRequest::id);
}

void Engine::tell(const EnginePhase& phase) {
  if (!options_.on_phase || phase.alike(told_)) return;
  told_ = phase;
  options_.on_phase(phase);
}

Decoder& Engine::full_decoder() { return fewer_ ? fewer_->full : decoder_; }
Decoder& Engine::light_decoder() { return fewer_ ? *fewer_->light : *light_; }

void Engine::take_threads(int threads) {
  if (threads <= 0 || threads >= decoder_.pool().threads()) {
    fewer_.reset();
  } else if (!fewer_ || fewer_->pool.threads() != threads) {
    fewer_ = std::make_unique<Fewer>(model_, options_.light, threads);
  }
}

void Engine::take_limits(const EngineAdvice& advice) {
  // Who runs already goes on; fewer join until the advice is met.
  const auto running =
      static_cast<int>(std::ranges::count_if(schedule_.requests, [](const ScheduledRequest& r) {
        return r.state != State::kWaiting && !r.ahead;
      }));
  const int advised = advice.batch > 0 ? advice.batch : options_.max_running;
  schedule_.limits.max_running = std::min(std::max(advised, running), options_.max_running);
  schedule_.limits.beside_tokens = advice.beside.value_or(options_.beside_tokens);
  take_threads(advice.threads);
  take_stages(advice.stages.value_or(options_.stages));
}

bool Engine::step() {
  if (!options_.advice) return compute_step();
  const EngineAdvice advice = options_.advice();
  take_limits(advice);
  const auto begin = std::chrono::steady_clock::now();
  const bool worked = compute_step();
  if (worked && advice.duty < 1) {
    while (!flights_.empty()) land();
    remove_finished();
    // Between steps nobody waits for a thread, so that rest here idles every core.
    std::this_thread::sleep_for((std::chrono::steady_clock::now() - begin) * (1 / advice.duty - 1));
  }
  return worked;
}

bool Engine::compute_step() {
  // A pipeline has prompts and tokens under way at once by itself.
  if (pipeline_) schedule_.limits.beside_tokens = 0;
  const StepPlan plan = plan_step(schedule_);
  ++schedule_.turn;
  for (const int64_t id : plan.placed) scheduled(id).ahead = false;
  for (const int64_t id : plan.admitted) {
    admit(id, std::ranges::find(plan.ahead, id) != plan.ahead.end());
  }
  bool worked = !plan.empty();
  if (pipeline_) {
    worked = pipelined_step(plan);
  } else {
    prefill(plan.prefill, false);
    prefill(plan.prefill, true);
    if (!plan.decode.empty()) decode(plan);
  }
  remove_finished();
  if (schedule_.requests.empty()) tell({});
  return worked;
}

void Engine::admit(int64_t id, bool ahead) {
  ScheduledRequest& entry = scheduled(id);
  Active& request = active(id);
  entry.state = State::kPrefill;
  entry.pages_reserved = entry.pages_wanted;
  entry.ahead = ahead;
  entry.beside = schedule_.limits.beside_tokens > 0;
  // What is asked of a prompt's tokens is not stored with their keys and values.
  if (options_.reuse_prefixes && !request.answer.asks_of_prompt()) {
    adopt_prefix(request, entry.beside);
  }
  entry.to_compute = static_cast<int>(request.answer.sequence().size()) - request.cache.length();
}

// The longest stored prefix of the prompt, in whole pages; the last token is always computed.
void Engine::adopt_prefix(Active& request, bool beside) {
  const std::vector<int>& sequence = request.answer.sequence();
  auto best = prefixes_.end();
  size_t longest = 0;
  for (auto it = prefixes_.begin(); it != prefixes_.end(); ++it) {
    if (it->beside != beside) continue;
    const auto [a, b] = std::ranges::mismatch(it->tokens, sequence);
    const auto length = std::min(static_cast<size_t>(a - it->tokens.begin()), sequence.size() - 1);
    if (length > longest) {
      longest = length;
      best = it;
    }
  }
  if (best == prefixes_.end()) return;
  request.answer.result().reused_tokens =
      request.cache.adopt(best->cache, static_cast<int>(longest));
  prefixes_.splice(prefixes_.begin(), prefixes_, best);
}

// Prompts only: their keys and values are the same bits for whoever begins the same way.
void Engine::store_prefix(Active& request, bool beside) {
  if (!options_.reuse_prefixes || request.cache.begin() > 0) return;
  const std::vector<int>& prompt = request.answer.request().prompt;
  if (std::ssize(prompt) < kPageTokens) return;
  for (const Prefix& prefix : prefixes_) {
    if (prefix.beside == beside && prefix.tokens == prompt) return;
  }
  Prefix prefix{prompt, beside, SequenceCache(cache_)};
  prefix.cache.adopt(request.cache, static_cast<int>(prefix.tokens.size()));
  prefixes_.push_front(std::move(prefix));
  if (prefixes_.size() > kMaxPrefixes) prefixes_.pop_back();
}

bool Engine::reserve(SequenceCache& cache, int length) {
  while (!cache.reserve(length)) {
    if (prefixes_.empty()) return false;
    prefixes_.pop_back();
  }
  return true;
}

// Chooses the next token of a request and decides whether it goes on.
void Engine::accept(Active& request, std::span<float> logits) {
  if (light_) request.difficulty.see(logits);
  const FinishReason reason = request.answer.add(logits);
  if (reason != FinishReason::kNone) return finish(request, reason);
  const int longest = std::min(context_, cache_.max_pages() * kPageTokens);
  if (std::ssize(request.answer.sequence()) > longest) {
    if (request.answer.request().overflow == Overflow::kStop)
      return finish(request, FinishReason::kContext);
    return slide(request);
  }
  const ModelConfig& config = decoder_.config();
  if (!keeps_all_tokens(config)) {
    request.cache.evict_before(request.cache.length() + 1 - config.window);
  }
}

void Engine::slide(Active& request) {
  request.cache.clear();
  const int longest = std::min(context_, cache_.max_pages() * kPageTokens);
  std::vector<int>& sequence = request.answer.sequence();
  sequence.erase(sequence.begin(), sequence.end() - longest / 2);
  ScheduledRequest& entry = scheduled(request.answer.result().id);
  entry.state = State::kPrefill;
  entry.to_compute = static_cast<int>(request.answer.sequence().size());
}

void Engine::finish(Active& request, FinishReason reason) {
  request.answer.finish(reason);
  request.cache.clear();
  if (options_.ledger) {
    request.answer.result().energy = options_.ledger->settle(*request.account);
  }
}

void Engine::remove_finished() {
  for (auto it = active_.begin(); it != active_.end();) {
    if (!it->second->answer.finished()) {
      ++it;
      continue;
    }
    std::erase_if(schedule_.requests,
                  [&](const ScheduledRequest& entry) { return entry.id == it->first; });
    finished_.push_back(std::move(it->second->answer.result()));
    it = active_.erase(it);
  }
}

std::vector<TextResult> Engine::take_finished() {
  std::vector<TextResult> out;
  out.swap(finished_);
  return out;
}

void Engine::trim() {
  prefixes_.clear();
  cache_.trim();
}

}  // namespace edgewright
