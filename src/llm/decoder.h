#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/language/attention.h"
#include "kernels/language/linear.h"
#include "llm/kv_cache.h"
#include "llm/packed_model.h"

namespace edgewright {

// Consecutive tokens of one sequence to run through the model. Places in its cache are reserved.
struct DecoderRun {
  SequenceCache* cache = nullptr;
  std::span<const int> tokens;
  int logits = 1;  // of the last so many tokens, 0 to tokens.size()
  // The first token's place, where others of its sequence are still computed before it: the cache's
  // length is then left as it is. -1: cache->length(), which grows by the tokens.
  int first = -1;

  int place() const { return first < 0 ? cache->length() : first; }
};

// Runs a model on tokens. One call at a time. Scratch memory grows to the largest call.
class Decoder {
 public:
  Decoder(std::shared_ptr<const PackedModel> model, ThreadPool& pool);
  ~Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  const ModelConfig& config() const { return model_->config; }
  const PackedModel& model() const { return *model_; }
  ThreadPool& pool() { return pool_; }

  // Runs every sequence's tokens, which are in range, and adds them to its cache. `logits`: the
  // wanted rows in order, vocabulary values each; a run's only row as in decoding. A row's result
  // is the same bits whatever else is in the call; phase kDecode gives the same bits for a token
  // alone and among others.
  void run(std::span<const DecoderRun> runs, language::Phase phase, std::span<float> logits);
  // The same through layers `begin` to `end` - 1 only, where the others are computed elsewhere.
  // `states` (a row of `hidden` floats a token) is what comes into layer `begin`, unless that is 0,
  // and what comes out of the last one, unless that is the model's: then `logits` is written, and
  // `states` only where given. The cache holds keys and values of these layers.
  void run_layers(std::span<const DecoderRun> runs, language::Phase phase, int begin, int end,
                  std::span<float> states, std::span<float> logits);

  // Called before each matrix product when set: calibration looks on.
  struct Observed {
    std::string name;                 // "layers.0.down"
    std::span<const float> inputs;    // rows x columns of the matrix, normalised
    std::span<const float> residual;  // rows x hidden that the product is added to; empty: none
  };
  using Observer = std::function<void(const Observed& observed)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  // Called when a part of a call is done, when set: profiles look on. Parts in order: "embedding"
  // (layer -1); for every layer "qkv", "rope" (with storing keys and values), "attention",
  // "output-projection", "ffn-up", "ffn-down"; "head" (layer -1).
  using PartObserver = std::function<void(std::string_view part, int layer)>;
  void set_part_observer(PartObserver observer) { part_observer_ = std::move(observer); }

 private:
  struct Layer;
  struct Angles {
    std::vector<float> frequencies, cosines, sines;
    int length = 0;  // for which frequencies hold
  };
  void lay_out(std::span<const DecoderRun> runs);
  void embed(std::span<const DecoderRun> runs);
  void make_angles(const RopeConfig& rope, std::span<const DecoderRun> runs, Angles& angles);
  // What every run asks of its cache in this layer, into queries_.
  void ask_caches(int index, std::span<const DecoderRun> runs, size_t step, size_t attended);
  void attention_block(int layer, std::span<const DecoderRun> runs);
  void turn_and_store(const Layer& layer, std::span<const DecoderRun> runs, int index);
  void feed_forward_block(int layer);
  void head(std::span<const DecoderRun> runs, std::span<float> logits);
  size_t head_of_picked(std::span<float> logits, language::Phase phase);
  // `layer`: below 0 for the head; with `matrix` it names the product to observers.
  void product(const PackedStack& stack, language::LinearCall call, int layer, const char* matrix);
  void part_done(std::string_view part, int layer) {
    if (part_observer_) part_observer_(part, layer);
  }
  void each_row(size_t rows, FunctionRef<void(size_t row)> task);

  std::shared_ptr<const PackedModel> model_;
  ThreadPool& pool_;
  std::vector<Layer> layers_;
  Angles whole_angles_, windowed_angles_;
  std::vector<int> positions_;
  std::vector<language::AttentionQueries> queries_;
  std::vector<float> state_, projected_, attended_, gated_, block_, picked_;
  std::vector<std::byte> workspace_;
  size_t rows_ = 0;
  language::Phase phase_ = language::Phase::kDecode;
  Observer observer_;
  PartObserver part_observer_;
};

}  // namespace edgewright
