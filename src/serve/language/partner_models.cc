#include "serve/language/partner_models.h"

#include <algorithm>
#include <chrono>
#include <list>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "llm/cache_copy.h"
#include "llm/decoder.h"
#include "llm/sampler.h"
#include "llm/speculate.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kSequences = 8;

int pages_for(int context, int sequences) { return sequences * (context / kPageTokens + 2); }

Tensor time_since(Clock::time_point start) {
  return Tensor::of<double>({1}, std::vector<double>{microseconds_since(start)});
}

ServedPort port(const char* name, DType dtype, std::vector<int64_t> shape) {
  return {name, dtype, false, std::move(shape)};
}

class PromptModel : public ServedModel {
 public:
  PromptModel(const LanguageParts& parts, int threads)
      : pool_(threads),
        decoder_(parts.model, pool_),
        cache_(parts.model->config, language::CacheType::kF16,
               pages_for(parts.model->config.context, 1)) {
    const ModelConfig& config = decoder_.config();
    outputs_ = {port("cache", DType::kFloat16,
                     {config.layers, 2, -1, int64_t{config.kv_heads} * config.head_dim}),
                port("time_us", DType::kFloat64, {1})};
  }
  const std::vector<ServedPort>& inputs() const override { return inputs_; }
  const std::vector<ServedPort>& outputs() const override { return outputs_; }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    const auto start = Clock::now();
    const ModelConfig& config = decoder_.config();
    const auto given = inputs[0].elements<int32_t>();
    const std::vector<int> tokens(given.begin(), given.end());
    const bool in_range = std::ranges::all_of(
        tokens, [&](int token) { return token >= 0 && token < config.vocabulary; });
    if (tokens.empty() || std::ssize(tokens) > config.context || !in_range) {
      return bad_input("found {} tokens, expected 1 to {}, each below {}", tokens.size(),
                       config.context, config.vocabulary);
    }
    SequenceCache sequence(cache_);
    const auto count = static_cast<int>(tokens.size());
    EDGEWRIGHT_CHECK(sequence.reserve(count));
    catch_up(decoder_, sequence, tokens, 0, language::Phase::kPrefill);
    const auto numbers = copy_from_cache(sequence, config.layers, count);
    return std::vector<Tensor>{
        Tensor::of<Half>({config.layers, 2, count, int64_t{config.kv_heads} * config.head_dim},
                         numbers),
        time_since(start)};
  }

 private:
  ThreadPool pool_;
  Decoder decoder_;
  KvCache cache_;
  std::vector<ServedPort> inputs_ = {port("tokens", DType::kInt32, {-1})};
  std::vector<ServedPort> outputs_;
};

class LayersModel : public ServedModel {
 public:
  LayersModel(const LanguageParts& parts, int threads)
      : pool_(threads),
        decoder_(parts.model, pool_),
        cache_(parts.model->config, language::CacheType::kF16,
               pages_for(parts.model->config.context, kSequences)) {
    const ModelConfig& config = decoder_.config();
    inputs_ = {port("sequence", DType::kUint64, {1}), port("position", DType::kInt32, {1}),
               port("first_layer", DType::kInt32, {1}), port("is_prompt", DType::kInt32, {1}),
               port("states", DType::kFloat32, {-1, config.hidden})};
    outputs_ = {port("logits", DType::kFloat32, {config.vocabulary}),
                port("token", DType::kInt32, {1}), port("time_us", DType::kFloat64, {1})};
    logits_.resize(static_cast<size_t>(config.vocabulary));
  }
  const std::vector<ServedPort>& inputs() const override { return inputs_; }
  const std::vector<ServedPort>& outputs() const override { return outputs_; }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    const auto start = Clock::now();
    const uint64_t id = inputs[0].elements<uint64_t>()[0];
    const int position = inputs[1].elements<int32_t>()[0];
    const int first_layer = inputs[2].elements<int32_t>()[0];
    const bool is_prompt = inputs[3].elements<int32_t>()[0] != 0;
    const auto given = inputs[4].elements<float>();
    const auto rows = static_cast<int>(inputs[4].dim(0));
    const ModelConfig& config = decoder_.config();
    if (rows < 1 || position < 0 || rows > config.context - position || first_layer < 1 ||
        first_layer >= config.layers) {
      return bad_input(
          "found {} rows at position {} for layer {}, expected at least one, within the context of "
          "{}, and a layer of 1 to {}",
          rows, position, first_layer, config.context, config.layers - 1);
    }
    EDGEWRIGHT_ASSIGN(SequenceCache* const sequence, sequence_at(id, first_layer, position));
    EDGEWRIGHT_CHECK(sequence->reserve(position + rows));
    states_.assign(given.begin(), given.end());
    const std::vector<int> places(static_cast<size_t>(rows), 0);
    const DecoderRun run{sequence, places, 1};
    decoder_.run_layers(std::span(&run, 1),
                        is_prompt ? language::Phase::kPrefill : language::Phase::kDecode,
                        first_layer, config.layers, states_, logits_);
    return std::vector<Tensor>{Tensor::of<float>({config.vocabulary}, logits_),
                               Tensor::of<int32_t>({1}, std::vector<int32_t>{likeliest(logits_)}),
                               time_since(start)};
  }

 private:
  struct Kept {
    uint64_t id;
    int first_layer;
    SequenceCache cache;
  };

  // The sequence as it was before the position, the last used first.
  Result<SequenceCache*> sequence_at(uint64_t id, int first_layer, int position) {
    const auto it = std::ranges::find_if(kept_, [&](const Kept& kept) {
      return kept.id == id && kept.first_layer == first_layer && kept.cache.length() >= position;
    });
    if (it != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, it);
      kept_.front().cache.truncate(position);
      return &kept_.front().cache;
    }
    if (position > 0) {
      return bad_input("sequence {} is not known up to position {}; send it from 0", id, position);
    }
    std::erase_if(kept_, [&](const Kept& kept) { return kept.id == id; });
    if (kept_.size() == kSequences) kept_.pop_back();
    kept_.push_front({id, first_layer, SequenceCache(cache_)});
    return &kept_.front().cache;
  }

  ThreadPool pool_;
  Decoder decoder_;
  KvCache cache_;
  std::list<Kept> kept_;
  std::vector<float> states_, logits_;
  std::vector<ServedPort> inputs_, outputs_;
};

Status check_context(const LanguageParts& parts) {
  if (parts.model->config.context >= 2) return {};
  return unsupported("the model's context is {}, expected at least 2 tokens",
                     parts.model->config.context);
}

}  // namespace

Result<std::unique_ptr<ServedModel>> prompt_model(const LanguageParts& parts, int threads) {
  EDGEWRIGHT_TRY(check_context(parts));
  return std::unique_ptr<ServedModel>(std::make_unique<PromptModel>(parts, threads));
}

Result<std::unique_ptr<ServedModel>> layers_model(const LanguageParts& parts, int threads) {
  EDGEWRIGHT_TRY(check_context(parts));
  if (parts.model->config.layers < 2) return unsupported("the model has one layer, expected two");
  return std::unique_ptr<ServedModel>(std::make_unique<LayersModel>(parts, threads));
}

}  // namespace edgewright
