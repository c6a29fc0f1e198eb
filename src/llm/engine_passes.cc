// Passes over the weights: prompts, tokens, and pieces of prompts beside tokens.

#include "llm/engine_active.h"

namespace edgewright {

using State = ScheduledRequest::State;

// Rows of logits of a prompt that a pass gives at most: each has a number for every word.
constexpr int kAskedRows = 32;

// The next tokens of a prompt, as many as were planned and are left.
DecoderRun Engine::run_of(const StepPlan::Chunk& chunk) {
  Active& request = active(chunk.id);
  ScheduledRequest& entry = scheduled(chunk.id);
  const std::vector<int>& sequence = request.answer.sequence();
  // A reused prefix leaves less to do than was planned.
  int tokens = std::min(chunk.tokens, entry.to_compute);
  const bool asked = request.answer.asks_of_prompt();
  if (asked) tokens = std::min(tokens, kAskedRows);
  const auto begin = sequence.size() - static_cast<size_t>(entry.to_compute);
  EDGEWRIGHT_CHECK(reserve(request.cache, static_cast<int>(begin) + tokens));
  entry.to_compute -= tokens;
  if (entry.to_compute == 0) entry.state = State::kDecode;
  return {&request.cache, std::span(sequence).subspan(begin, static_cast<size_t>(tokens)),
          asked                   ? tokens
          : entry.to_compute == 0 ? 1
                                  : 0};
}

void Engine::prefill(const std::vector<StepPlan::Chunk>& chunks, bool beside) {
  std::vector<StepPlan::Chunk> alike;
  EnginePhase phase{.kind = EnginePhase::Kind::kPrefill};
  for (const StepPlan::Chunk& chunk : chunks) {
    const ScheduledRequest& entry = scheduled(chunk.id);
    if (entry.beside != beside || entry.to_compute == 0) continue;
    alike.push_back(chunk);
    phase.tokens += std::min(chunk.tokens, entry.to_compute);
  }
  if (alike.empty()) return;
  tell(phase);
  compute(full_decoder(), {}, alike, beside ? language::Phase::kDecode : language::Phase::kPrefill);
}

void Engine::decode(const StepPlan& plan) {
  const std::vector<int64_t>& ids = plan.decode;
  EnginePhase phase{.kind = EnginePhase::Kind::kDecode, .batch = static_cast<int>(ids.size())};
  for (const int64_t id : ids) {
    phase.context += active(id).cache.length() / static_cast<double>(ids.size());
  }
  tell(phase);
  std::vector<int64_t> easy, hard;
  for (const int64_t id : ids) {
    (light_ && active(id).difficulty.easy() ? easy : hard).push_back(id);
  }
  for (const int64_t id : easy) ++active(id).answer.result().light_tokens;
  compute(full_decoder(), hard, plan.beside, language::Phase::kDecode);
  if (!easy.empty()) compute(light_decoder(), easy, {}, language::Phase::kDecode);
}

// One pass: a token of each request, and pieces of prompts.
void Engine::compute(Decoder& decoder, const std::vector<int64_t>& ids,
                     const std::vector<StepPlan::Chunk>& chunks, language::Phase phase) {
  Runs runs;
  std::vector<int64_t> whose;
  for (const int64_t id : ids) {
    Active& request = active(id);
    if (request.answer.finished()) continue;
    EDGEWRIGHT_CHECK(reserve(request.cache, request.cache.length() + 1));
    runs.push_back({&request.cache, std::span(request.answer.sequence()).last(1), 1});
    whose.push_back(id);
  }
  for (const StepPlan::Chunk& chunk : chunks) {
    if (scheduled(chunk.id).to_compute == 0) continue;
    runs.push_back(run_of(chunk));
    whose.push_back(chunk.id);
  }
  if (runs.empty()) return;
  size_t rows = 0;
  for (const DecoderRun& run : runs) rows += static_cast<size_t>(run.logits);
  const auto vocabulary = static_cast<size_t>(decoder_.config().vocabulary);
  logits_.resize(rows * vocabulary);
  const int64_t pass = begin_pass(whose, runs);
  decoder.run(runs, phase, logits_);
  end_pass(pass);
  size_t row = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto own = static_cast<size_t>(runs[i].logits);
    take_logits(whose[i], runs[i], std::span(logits_).subspan(row * vocabulary, own * vocabulary));
    row += own;
  }
}

int64_t Engine::begin_pass(const std::vector<int64_t>& ids, const Runs& runs) {
  if (!options_.ledger) return -1;
  std::vector<EnergyLedger::Share> shares;
  shares.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    shares.push_back({active(ids[i]).account, static_cast<double>(runs[i].tokens.size())});
  }
  return options_.ledger->begin(std::move(shares));
}

void Engine::end_pass(int64_t pass) {
  if (options_.ledger) options_.ledger->end(pass);
}

// The logits of a run's last tokens: those before the sequence's last only tell how likely the next
// tokens of a prompt are.
void Engine::take_logits(int64_t id, const DecoderRun& run, std::span<float> logits) {
  Active& request = active(id);
  const auto vocabulary = static_cast<size_t>(decoder_.config().vocabulary);
  const std::vector<int>& sequence = request.answer.sequence();
  const bool ends = run.tokens.data() + run.tokens.size() == sequence.data() + sequence.size();
  for (; !logits.empty(); logits = logits.subspan(vocabulary)) {
    if (!ends || logits.size() > vocabulary) {
      request.answer.see_prompt(logits.first(vocabulary));
    } else {
      accept_row(request, logits);
    }
  }
}

void Engine::accept_row(Active& request, std::span<float> logits) {
  if (!request.prompt_done) store_prefix(request, scheduled(request.answer.result().id).beside);
  request.prompt_done = true;
  accept(request, logits);
}

}  // namespace edgewright
