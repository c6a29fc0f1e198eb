#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "llm/answer.h"
#include "llm/decoder.h"
#include "llm/energy_ledger.h"
#include "llm/layer_pipeline.h"
#include "llm/phase.h"
#include "llm/request.h"
#include "llm/schedule.h"

namespace edgewright {

struct EngineOptions {
  language::CacheType cache = language::CacheType::kF16;
  int context = 0;      // longest sequence; 0: the model's
  int cache_pages = 0;  // 0: enough for one sequence of the whole context
  int max_running = 16, max_waiting = 256, prefill_tokens = 512;
  // Prompt tokens that go with decoding in one pass over the weights (ScheduleLimits); 0: none.
  int beside_tokens = 0;
  // CPUs of the stages of a pipeline of layers (layer_pipeline.h), through which groups of the
  // running requests go at the same time; empty: every pass is divided among the pool's threads.
  // Not together with `light`, nor for models of fewer layers.
  StageCpus stages;
  // Told of every pass and for whom it is; null: nobody is.
  std::shared_ptr<EnergyLedger> ledger;
  bool reuse_prefixes = true;
  // The same model with weights of fewer bits, which computes the tokens that are easy to foresee
  // (difficulty.h): below so many nats. Keys and values are one cache. Null: none.
  std::shared_ptr<const PackedModel> light;
  double light_entropy = 1;
  // Told whenever what the engine does changes; may be empty.
  std::function<void(const EnginePhase&)> on_phase;
  // Asked before every step; may be empty.
  std::function<EngineAdvice()> advice;
};

// Computes many requests together: they join and leave between steps, each with the result that it
// would have alone; prompts that are computed beside decoding are rounded as decoding is, which
// where CPUs have tiles of bf16 differs from prompts that are not. Not thread-safe: one thread
// submits, cancels and steps.
class Engine {
 public:
  Engine(std::shared_ptr<const PackedModel> model, std::shared_ptr<const Tokenizer> tokenizer,
         ThreadPool& pool, const EngineOptions& options);
  ~Engine();

  // The request's id. Errors: an empty prompt or a token out of range (usage), a prompt that does
  // not fit (usage), a full queue (internal: resource exhausted; try later).
  Result<int64_t> submit(TextRequest request);
  // A request that has finished or never was is left alone.
  void cancel(int64_t id);
  // One step of all running requests; false when there is nothing to do.
  bool step();
  // Results of requests that have finished since the last call.
  std::vector<TextResult> take_finished();

  int context() const { return context_; }
  const ScheduleState& schedule() const { return schedule_; }
  const KvCache& cache() const { return cache_; }
  Decoder& decoder() { return decoder_; }
  // Forgets stored prefixes and gives unused memory back.
  void trim();

 private:
  struct Active;
  // The same models with fewer threads, while an advice says so.
  struct Fewer;
  struct Prefix {
    std::vector<int> tokens;
    bool beside;  // how it was rounded
    SequenceCache cache;
  };
  // What a pipeline's piece is for, run by run.
  struct Flight {
    std::vector<int64_t> ids;
    int64_t pass = -1;
  };
  using Runs = std::vector<DecoderRun>;
  Active& active(int64_t id);
  ScheduledRequest& scheduled(int64_t id);
  void admit(int64_t id, bool ahead);
  void adopt_prefix(Active& request, bool beside);
  void store_prefix(Active& request, bool beside);
  bool reserve(SequenceCache& cache, int length);
  void take_limits(const EngineAdvice& advice);
  // engine_passes.cc
  DecoderRun run_of(const StepPlan::Chunk& chunk);
  void prefill(const std::vector<StepPlan::Chunk>& chunks, bool beside);
  void decode(const StepPlan& plan);
  void compute(Decoder& decoder, const std::vector<int64_t>& ids,
               const std::vector<StepPlan::Chunk>& chunks, language::Phase phase);
  int64_t begin_pass(const std::vector<int64_t>& ids, const Runs& runs);
  void end_pass(int64_t pass);
  void take_logits(int64_t id, const DecoderRun& run, std::span<float> logits);
  void accept_row(Active& request, std::span<float> logits);
  // engine_pipeline.cc
  void take_stages(const StageCpus& stages);
  bool pipelined_step(const StepPlan& plan);
  void start_group(const std::vector<int64_t>& ids, size_t& next);
  void start_chunk(const StepPlan::Chunk& chunk);
  void start(std::vector<int64_t> ids, Runs runs, language::Phase phase);
  void land();
  void land_run(int64_t id, const DecoderRun& run, std::span<float> logits);
  Decoder& full_decoder();
  Decoder& light_decoder();
  void take_threads(int threads);
  void tell(const EnginePhase& phase);
  bool compute_step();
  void accept(Active& request, std::span<float> logits);
  void slide(Active& request);
  void finish(Active& request, FinishReason reason);
  void remove_finished();

  std::shared_ptr<const PackedModel> model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  EngineOptions options_;
  int context_;
  KvCache cache_;
  Decoder decoder_;
  std::unique_ptr<Decoder> light_;
  std::unique_ptr<Fewer> fewer_;  // null: every thread computes
  EnginePhase told_;
  ScheduleState schedule_;
  std::map<int64_t, std::unique_ptr<Active>> active_;
  std::list<Prefix> prefixes_;  // the last used first
  std::vector<TextResult> finished_;
  std::vector<float> logits_;
  int64_t next_id_ = 1;
  std::deque<Flight> flights_;               // the oldest first
  bool prompt_next_ = true;                  // in a pipeline
  std::unique_ptr<LayerPipeline> pipeline_;  // ends before what its pieces are made of
};

}  // namespace edgewright
