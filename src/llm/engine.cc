#include "llm/engine.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "llm/difficulty.h"

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

struct Engine::Active {
  Active(TextRequest request, KvCache& kv, const Tokenizer& tokenizer, const std::vector<int>& ends,
         double easy_below)
      : cache(kv), answer(std::move(request), tokenizer, ends), difficulty(easy_below) {}

  SequenceCache cache;
  Answer answer;  // its sequence is what the cache stands for, and the tokens still to compute
  Difficulty difficulty;
  bool prompt_done = false;
};

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
  schedule_.limits.max_running = options.max_running;
  schedule_.limits.max_waiting = options.max_waiting;
  schedule_.limits.prefill_tokens = options.prefill_tokens;
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
  if (found != active_.end()) finish(*found->second, FinishReason::kCancelled);
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

bool Engine::step() {
  if (!options_.advice) return compute_step();
  const EngineAdvice advice = options_.advice();
  // Who runs already goes on; fewer join until the advice is met.
  const auto running = static_cast<int>(std::ranges::count_if(
      schedule_.requests, [](const ScheduledRequest& r) { return r.state != State::kWaiting; }));
  const int advised = advice.batch > 0 ? advice.batch : options_.max_running;
  schedule_.limits.max_running = std::min(std::max(advised, running), options_.max_running);
  take_threads(advice.threads);
  const auto begin = std::chrono::steady_clock::now();
  const bool worked = compute_step();
  if (worked && advice.duty < 1) {
    // Between steps nobody waits for a thread, so that rest here idles every core.
    std::this_thread::sleep_for((std::chrono::steady_clock::now() - begin) * (1 / advice.duty - 1));
  }
  return worked;
}

bool Engine::compute_step() {
  const StepPlan plan = plan_step(schedule_);
  ++schedule_.turn;
  for (const int64_t id : plan.admitted) admit(id);
  if (!plan.prefill.empty()) prefill(plan);
  if (!plan.decode.empty()) decode(plan.decode);
  remove_finished();
  if (schedule_.requests.empty()) tell({});
  return !plan.empty();
}

void Engine::admit(int64_t id) {
  ScheduledRequest& entry = scheduled(id);
  Active& request = active(id);
  entry.state = State::kPrefill;
  entry.pages_reserved = entry.pages_wanted;
  if (options_.reuse_prefixes) adopt_prefix(request);
  entry.to_compute = static_cast<int>(request.answer.sequence().size()) - request.cache.length();
}

// The longest stored prefix of the prompt, in whole pages; the last token is always computed.
void Engine::adopt_prefix(Active& request) {
  const std::vector<int>& sequence = request.answer.sequence();
  auto best = prefixes_.end();
  size_t longest = 0;
  for (auto it = prefixes_.begin(); it != prefixes_.end(); ++it) {
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
void Engine::store_prefix(Active& request) {
  if (!options_.reuse_prefixes || request.cache.begin() > 0) return;
  const std::vector<int>& prompt = request.answer.request().prompt;
  if (std::ssize(prompt) < kPageTokens) return;
  for (const Prefix& prefix : prefixes_) {
    if (prefix.tokens == prompt) return;
  }
  Prefix prefix{prompt, SequenceCache(cache_)};
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

void Engine::prefill(const StepPlan& plan) {
  std::vector<DecoderRun> runs;
  std::vector<Active*> complete;
  for (const StepPlan::Chunk& chunk : plan.prefill) {
    Active& request = active(chunk.id);
    ScheduledRequest& entry = scheduled(chunk.id);
    // A reused prefix leaves less to do than was planned.
    const int tokens = std::min(chunk.tokens, entry.to_compute);
    if (tokens == 0) continue;
    const int length = request.cache.length();
    EDGEWRIGHT_CHECK(reserve(request.cache, length + tokens));
    const auto begin = static_cast<size_t>(length);
    entry.to_compute -= tokens;
    DecoderRun run;
    run.cache = &request.cache;
    run.tokens = std::span(request.answer.sequence()).subspan(begin, static_cast<size_t>(tokens));
    run.logits = entry.to_compute == 0 ? 1 : 0;
    runs.push_back(run);
    if (entry.to_compute == 0) {
      entry.state = State::kDecode;
      complete.push_back(&request);
    }
  }
  EnginePhase phase{.kind = EnginePhase::Kind::kPrefill};
  for (const DecoderRun& run : runs) phase.tokens += static_cast<int>(run.tokens.size());
  tell(phase);
  const auto vocabulary = static_cast<size_t>(decoder_.config().vocabulary);
  logits_.resize(complete.size() * vocabulary);
  full_decoder().run(runs, language::Phase::kPrefill, logits_);
  for (size_t i = 0; i < complete.size(); ++i) {
    if (!complete[i]->prompt_done) store_prefix(*complete[i]);
    complete[i]->prompt_done = true;
    accept(*complete[i], std::span(logits_).subspan(i * vocabulary, vocabulary));
  }
}

void Engine::decode(const std::vector<int64_t>& ids) {
  EnginePhase phase{.kind = EnginePhase::Kind::kDecode, .batch = static_cast<int>(ids.size())};
  for (const int64_t id : ids) {
    phase.context += active(id).cache.length() / static_cast<double>(ids.size());
  }
  tell(phase);
  if (!light_) return decode_with(full_decoder(), ids);
  std::vector<int64_t> easy, hard;
  for (const int64_t id : ids) (active(id).difficulty.easy() ? easy : hard).push_back(id);
  for (const int64_t id : easy) ++active(id).answer.result().light_tokens;
  if (!hard.empty()) decode_with(full_decoder(), hard);
  if (!easy.empty()) decode_with(light_decoder(), easy);
}

void Engine::decode_with(Decoder& decoder, const std::vector<int64_t>& ids) {
  std::vector<DecoderRun> runs;
  std::vector<Active*> requests;
  for (const int64_t id : ids) {
    Active& request = active(id);
    if (request.answer.finished()) continue;
    EDGEWRIGHT_CHECK(reserve(request.cache, request.cache.length() + 1));
    runs.push_back({&request.cache, std::span(request.answer.sequence()).last(1), 1});
    requests.push_back(&request);
  }
  const auto vocabulary = static_cast<size_t>(decoder_.config().vocabulary);
  logits_.resize(requests.size() * vocabulary);
  decoder.run(runs, language::Phase::kDecode, logits_);
  for (size_t i = 0; i < requests.size(); ++i) {
    accept(*requests[i], std::span(logits_).subspan(i * vocabulary, vocabulary));
  }
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
