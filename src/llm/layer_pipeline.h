#pragma once

#include <memory>
#include <span>
#include <vector>

#include "llm/decoder.h"
#include "llm/stage_cpus.h"

namespace edgewright {

// Where each stage begins, and the number of layers at the end: consecutive layers, at least one a
// stage, so divided that the slowest stage ends as soon as can be. Costs of layers and speeds of
// stages in any unit; as many layers as stages or more.
std::vector<int> divide_layers(std::span<const double> costs, std::span<const double> speeds);

// Tokens that go through all layers together.
struct PipelinePiece {
  std::vector<DecoderRun> runs;  // with `first` set
  language::Phase phase = language::Phase::kDecode;
  std::vector<float> logits;  // of all runs, in order

  // The pipeline's own.
  std::vector<float> states;
  std::vector<int> bounds;
};

// Runs a model as a pipeline: every stage computes consecutive layers on CPUs of its own, while the
// others compute other pieces. Cores of unequal speed get layers by what they are measured to do,
// and wait for none but those of their own stage. Results are those of Decoder::run, to the bit.
// One thread adds and takes, and is the last stage meanwhile.
class LayerPipeline {
 public:
  // At least as many layers as stages.
  LayerPipeline(const std::shared_ptr<const PackedModel>& model, const StageCpus& stages);
  ~LayerPipeline();  // after what is under way
  LayerPipeline(const LayerPipeline&) = delete;
  LayerPipeline& operator=(const LayerPipeline&) = delete;

  const StageCpus& stages() const { return cpus_; }
  // Pieces under way. More than there are stages wait for each other.
  size_t under_way() const { return under_way_; }
  // Whether a piece may be added now: a stage is free, and layers need not be divided anew, which
  // waits until nothing is under way.
  bool has_room() const;
  // Pieces leave in the order in which they came, so that a later one of the same sequence finds
  // the keys and values of those before.
  void add(std::unique_ptr<PipelinePiece> piece);
  // Computes the last stage of the oldest, as soon as it has come there, on the last stage's CPUs:
  // a token is chosen, and the next one begun, without waking another thread. At least one is under
  // way.
  std::unique_ptr<PipelinePiece> take();

  // As of the last division: where stages begin, and what share of the speed each was measured to
  // have.
  const std::vector<int>& bounds() const { return bounds_; }
  std::vector<double> speeds() const;

 private:
  struct Stage;
  struct Speeds;
  void compute(size_t stage, PipelinePiece& piece);
  void divide();
  void learn();

  StageCpus cpus_;
  size_t logit_columns_, state_columns_;
  std::vector<double> costs_;  // of each layer: bytes of weights; the last with the head's
  std::vector<int> bounds_, next_bounds_;
  std::unique_ptr<Speeds> speeds_;
  std::vector<std::unique_ptr<Stage>> stages_;
  size_t under_way_ = 0, since_learnt_ = 0;
};

}  // namespace edgewright
