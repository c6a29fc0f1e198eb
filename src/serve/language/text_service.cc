#include "serve/language/text_service.h"

#include <exception>
#include <utility>

#include "llm/beginning.h"

namespace edgewright {
namespace {

constexpr int kRunning = 8;  // sequences computed together

EngineOptions engine_options(const LanguageParts& parts, int max_waiting) {
  const PackedModel& model = *parts.model;
  EngineOptions options;
  options.on_phase = parts.on_phase;
  options.advice = parts.advice;
  options.stages = parts.stages;
  options.ledger = parts.ledger;
  options.max_running = kRunning;
  options.max_waiting = max_waiting;
  // Room for that many whole contexts; pages are only taken as they fill.
  options.cache_pages = kRunning * ((model.config.context + kPageTokens - 1) / kPageTokens + 1);
  return options;
}

}  // namespace

void TextAnswer::Shared::end(TextResult result) {
  const std::lock_guard lock(mutex);
  held.is_last = true;
  held.result = std::move(result);
  pieces.push_back(std::exchange(held, {}));
  ready.notify_one();
}

void TextAnswer::Shared::refuse(Refusal why) {
  const std::lock_guard lock(mutex);
  refusal = std::move(why);
  ready.notify_one();
}

bool TextAnswer::Shared::take(const TokenEvent& event) {
  const std::lock_guard lock(mutex);
  if (cancelled) return false;
  if (event.likelihood != nullptr) {
    held.tokens.push_back(event.token);
    held.likelihoods.push_back(*event.likelihood);
  }
  if (event.text.empty()) return true;
  held.text = event.text;
  pieces.push_back(std::exchange(held, {}));
  ready.notify_one();
  return true;
}

Reply<TextAnswer::Piece> TextAnswer::next(std::chrono::steady_clock::time_point deadline) {
  Shared& shared = *shared_;
  std::unique_lock lock(shared.mutex);
  const bool came = shared.ready.wait_until(
      lock, deadline, [&] { return !shared.pieces.empty() || shared.refusal.has_value(); });
  if (!came) return Refusal{RefusalKind::kDeadline, "the deadline passed before the text's end"};
  if (shared.pieces.empty()) return *shared.refusal;
  Piece piece = std::move(shared.pieces.front());
  shared.pieces.pop_front();
  return piece;
}

void TextAnswer::cancel() {
  const std::lock_guard lock(shared_->mutex);
  shared_->cancelled = true;
}

TextService::TextService(const LanguageParts& parts, int threads, int max_waiting)
    : parts_(parts),
      pool_(threads),
      engine_(parts.model, parts.tokenizer, pool_, engine_options(parts, max_waiting)),
      context_(engine_.context()),
      max_waiting_(static_cast<size_t>(max_waiting)),
      thread_([this] { work(); }) {}

TextService::~TextService() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Reply<std::vector<int>> TextService::prompt_tokens(const std::string& prompt) const {
  std::vector<int> tokens = parts_.tokenizer->encode(prompt, false);
  add_beginning(*parts_.model, *parts_.tokenizer, tokens);
  if (tokens.empty()) return Refusal{RefusalKind::kMalformed, "the prompt is empty"};
  return tokens;
}

Reply<std::vector<int>> TextService::chat_tokens(const std::vector<ChatTurn>& turns) const {
  Result<std::vector<int>> tokens =
      edgewright::chat_tokens(*parts_.model, *parts_.tokenizer, turns);
  if (!tokens.ok()) return std::move(tokens).error();
  return *std::move(tokens);
}

std::vector<std::string> TextService::chat_stops() const {
  return chat_stop_strings(parts_.model->tokenizer.chat_template);
}

Reply<std::unique_ptr<TextAnswer>> TextService::submit(TextRequest request) {
  auto shared = std::make_shared<TextAnswer::Shared>();
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return Refusal{RefusalKind::kUnavailable, "the model is being unloaded"};
    if (under_way_ >= max_waiting_) {
      return Refusal{RefusalKind::kExhausted,
                     fmt::format("{} texts are under way; try again later", under_way_)};
    }
    ++under_way_;
    pending_.push_back({std::move(request), shared});
  }
  wake_.notify_one();
  return std::unique_ptr<TextAnswer>(new TextAnswer(std::move(shared)));
}

void TextService::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

size_t TextService::under_way() const {
  const std::lock_guard lock(mutex_);
  return under_way_;
}

void TextService::start(Pending pending) {
  pending.request.on_token = [answer = pending.answer](const TokenEvent& event) {
    return answer->take(event);
  };
  Result<int64_t> id = engine_.submit(std::move(pending.request));
  if (id.ok()) {
    answers_[*id] = std::move(pending.answer);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    --under_way_;
  }
  pending.answer->refuse(refusal_of(std::move(id).error()));
}

void TextService::deliver(std::vector<TextResult> results) {
  for (TextResult& result : results) {
    const auto found = answers_.find(result.id);
    const auto answer = found->second;
    answers_.erase(found);
    {
      const std::lock_guard lock(mutex_);
      --under_way_;
    }
    answer->end(std::move(result));
  }
}

void TextService::refuse_all(const Refusal& why) {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& [id, answer] : answers_) answer->refuse(why);
  for (const Pending& pending : pending_) pending.answer->refuse(why);
  answers_.clear();
  pending_.clear();
  under_way_ = 0;
}

// A defect of the engine ends this model's service, not the program's.
bool TextService::step_all(std::deque<Pending> arrived) {
  try {
    for (Pending& pending : arrived) start(std::move(pending));
    engine_.step();
    deliver(engine_.take_finished());
    return true;
  } catch (const std::exception& error) {
    refuse_all({RefusalKind::kFailed, fmt::format("internal error: {}", error.what())});
    return false;
  }
}

void TextService::work() {
  while (true) {
    std::deque<Pending> arrived;
    {
      std::unique_lock lock(mutex_);
      if (answers_.empty()) wake_.wait(lock, [&] { return stop_ || !pending_.empty(); });
      if (stop_) break;
      arrived.swap(pending_);
    }
    if (!step_all(std::move(arrived))) return;
  }
  refuse_all({RefusalKind::kUnavailable, "the server shuts down"});
}

}  // namespace edgewright
