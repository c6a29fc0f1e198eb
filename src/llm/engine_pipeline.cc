// Steps of an engine whose layers are divided among stages: groups of requests are in different
// stages at the same time, each going on with its next token as soon as its last one is chosen.

#include <algorithm>

#include "llm/engine_active.h"

namespace edgewright {

using State = ScheduledRequest::State;

void Engine::take_stages(const StageCpus& stages) {
  const bool possible =
      !options_.light && stages.size() > 1 && std::ssize(stages) <= decoder_.config().layers;
  if (possible && pipeline_ && pipeline_->stages() == stages) return;
  if (!possible && !pipeline_) return;
  while (!flights_.empty()) land();
  remove_finished();
  pipeline_ = possible ? std::make_unique<LayerPipeline>(model_, stages) : nullptr;
}

// Fills the stages, then waits for the oldest piece.
bool Engine::pipelined_step(const StepPlan& plan) {
  size_t decoding = 0, chunk = 0;
  const auto done = [this](int64_t id) {
    return scheduled(id).to_compute == 0 || active(id).cancelled;
  };
  while (pipeline_->has_room()) {
    // A prompt has as many pieces under way as there is room for.
    while (chunk < plan.prefill.size() && done(plan.prefill[chunk].id)) ++chunk;
    const bool tokens = decoding < plan.decode.size(), prompt = chunk < plan.prefill.size();
    if (!tokens && !prompt) break;
    // In turns, so that neither waits for the other's end.
    prompt_next_ = prompt && (prompt_next_ || !tokens);
    if (prompt_next_) {
      start_chunk(plan.prefill[chunk]);
    } else {
      start_group(plan.decode, decoding);
    }
    prompt_next_ = !prompt_next_;
  }
  if (flights_.empty()) return false;
  land();
  return true;
}

// Requests that decode are divided into as many groups as there are stages.
void Engine::start_group(const std::vector<int64_t>& ids, size_t& next) {
  const auto decoding = static_cast<size_t>(
      std::ranges::count(schedule_.requests, State::kDecode, &ScheduledRequest::state));
  const size_t stages = pipeline_->stages().size();
  const size_t end = std::min(ids.size(), next + (decoding + stages - 1) / stages);
  EnginePhase phase{.kind = EnginePhase::Kind::kDecode, .batch = static_cast<int>(decoding)};
  std::vector<int64_t> group;
  Runs runs;
  for (; next < end; ++next) {
    Active& request = active(ids[next]);
    const int length = request.cache.length();
    EDGEWRIGHT_CHECK(reserve(request.cache, length + 1));
    phase.context += length;
    group.push_back(ids[next]);
    runs.push_back({&request.cache, std::span(request.answer.sequence()).last(1), 1, length});
  }
  phase.context /= static_cast<double>(group.size());
  tell(phase);
  start(std::move(group), std::move(runs), language::Phase::kDecode);
}

void Engine::start_chunk(const StepPlan::Chunk& chunk) {
  // Several pieces of a prompt are under way at once; of fewer rows the weights are read for too
  // little.
  constexpr int kFewest = 32, kPiecesPerStage = 4;
  const ScheduledRequest& entry = scheduled(chunk.id);
  const int pieces = kPiecesPerStage * static_cast<int>(pipeline_->stages().size());
  const int tokens = std::min(entry.to_compute, std::max(kFewest, chunk.tokens / pieces));
  tell({.kind = EnginePhase::Kind::kPrefill, .tokens = tokens});
  // All its pages at once: stages read their list while later pieces begin.
  Active& request = active(chunk.id);
  EDGEWRIGHT_CHECK(reserve(request.cache, static_cast<int>(request.answer.sequence().size())));
  DecoderRun run = run_of({chunk.id, tokens});
  run.first = static_cast<int>(run.tokens.data() - request.answer.sequence().data());
  start({chunk.id}, {run}, entry.beside ? language::Phase::kDecode : language::Phase::kPrefill);
}

void Engine::start(std::vector<int64_t> ids, Runs runs, language::Phase phase) {
  for (const int64_t id : ids) ++scheduled(id).in_flight;
  auto piece = std::make_unique<PipelinePiece>();
  const int64_t pass = begin_pass(ids, runs);
  piece->runs = std::move(runs);
  piece->phase = phase;
  flights_.push_back({std::move(ids), pass});
  pipeline_->add(std::move(piece));
}

// Takes the oldest piece out of the pipeline and goes on with what it was for.
void Engine::land() {
  const auto piece = pipeline_->take();
  const Flight flight = std::move(flights_.front());
  flights_.pop_front();
  end_pass(flight.pass);
  const auto vocabulary = static_cast<size_t>(decoder_.config().vocabulary);
  size_t row = 0;
  for (size_t i = 0; i < flight.ids.size(); ++i) {
    const DecoderRun& run = piece->runs[i];
    const auto own = static_cast<size_t>(run.logits);
    land_run(flight.ids[i], run,
             std::span(piece->logits).subspan(row * vocabulary, own * vocabulary));
    row += own;
  }
}

void Engine::land_run(int64_t id, const DecoderRun& run, std::span<float> logits) {
  Active& request = active(id);
  const int in_flight = --scheduled(id).in_flight;
  request.cache.set_length(run.first + static_cast<int>(run.tokens.size()));
  if (request.cancelled) {
    if (in_flight == 0) finish(request, FinishReason::kCancelled);
    return;
  }
  take_logits(id, run, logits);
}

}  // namespace edgewright
