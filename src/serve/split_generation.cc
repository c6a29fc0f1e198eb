#include "serve/split_generation.h"

#include <algorithm>

#include "llm/answer.h"
#include "llm/cache_copy.h"
#include "llm/decoder.h"
#include "llm/speculate.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;
using language::Phase;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

int pages_for(int context) { return context / kPageTokens + 2; }

// Asks the server and keeps account.
class Partner {
 public:
  Partner(InferenceClient& client, const SplitGenerationOptions& options,
          SplitGenerationResult& result)
      : client_(client), options_(options), result_(result), random_(std::random_device{}()) {}

  RemoteAnswer ask(oip::InferRequest request) {
    request.model = options_.target;
    const auto deadline =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<double, std::micro>(options_.deadline_us));
    RemoteAnswer answer = infer_with_retries(client_, request, deadline, options_.retry, random_);
    ++result_.questions;
    for (const auto& input : request.inputs) {
      result_.sent_bytes += static_cast<double>(input.tensor.size_bytes());
    }
    for (const auto& output : answer.response.outputs) {
      result_.received_bytes += static_cast<double>(output.tensor.size_bytes());
      if (output.name == "time_us" && output.tensor.dtype() == DType::kFloat64 &&
          output.tensor.element_count() == 1) {
        result_.server_ms += output.tensor.elements<double>()[0] / 1e3;
      }
    }
    return answer;
  }
  uint64_t draw() { return random_(); }

 private:
  InferenceClient& client_;
  const SplitGenerationOptions& options_;
  SplitGenerationResult& result_;
  std::mt19937_64 random_;
};

void want(oip::InferRequest& request, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    oip::RequestedOutput& output = request.outputs.emplace_back();
    output.name = name;
    output.binary = true;
  }
}

const Tensor* output_of(const RemoteAnswer& answer, std::string_view name, DType dtype,
                        const Dims& dims) {
  for (const auto& output : answer.response.outputs) {
    if (output.name == name && output.tensor.dtype() == dtype && output.tensor.dims() == dims) {
      return &output.tensor;
    }
  }
  return nullptr;
}

// Gives logits of the tokens of a sequence, one run after the other.
class Machine {
 public:
  virtual ~Machine() = default;
  // Of the last of these tokens, which follow those of the calls before.
  virtual Status run(std::span<const int> tokens, Phase phase, std::span<float> logits) = 0;
};

// The server computes the prompt (or the device does that too), the device everything after it.
class PromptThere : public Machine {
 public:
  PromptThere(Partner& partner, std::shared_ptr<const PackedModel> model, ThreadPool& pool,
              const SplitGenerationOptions& options, SplitGenerationResult& result)
      : partner_(partner),
        options_(options),
        result_(result),
        decoder_(std::move(model), pool),
        cache_(decoder_.config(), language::CacheType::kF16, pages_for(decoder_.config().context)),
        sequence_(cache_) {}

  Status run(std::span<const int> tokens, Phase phase, std::span<float> logits) override {
    // The last token of the prompt makes logits, and that is the device's.
    if (phase == Phase::kPrefill && tokens.size() > 1 && !options_.is_alone) {
      EDGEWRIGHT_TRY(fetch(tokens.first(tokens.size() - 1)));
      tokens = tokens.last(1);
    }
    if (!sequence_.reserve(sequence_.length() + static_cast<int>(tokens.size()))) {
      return internal_error("the cache has no room for {} tokens", tokens.size());
    }
    const DecoderRun run{&sequence_, tokens, 1};
    decoder_.run(std::span(&run, 1), phase, logits);
    return {};
  }

 private:
  Status fetch(std::span<const int> tokens) {
    const auto count = static_cast<int>(tokens.size());
    const ModelConfig& config = decoder_.config();
    oip::InferRequest request;
    request.inputs = {
        {"tokens",
         Tensor::of<int32_t>({count}, std::vector<int32_t>(tokens.begin(), tokens.end())),
         {},
         true}};
    want(request, {"cache", "time_us"});
    const RemoteAnswer answer = partner_.ask(std::move(request));
    const Dims dims = {config.layers, 2, count, int64_t{config.kv_heads} * config.head_dim};
    const Tensor* numbers =
        answer.ok() ? output_of(answer, "cache", DType::kFloat16, dims) : nullptr;
    if (numbers != nullptr) {
      EDGEWRIGHT_CHECK(copy_to_cache(numbers->elements<Half>(), config.layers, count, sequence_));
      return {};
    }
    result_.failure = answer.ok() ? fmt::format(
                                        "found no output 'cache' of float16{}; the server "
                                        "has another model",
                                        dims_text(dims))
                                  : answer.message;
    if (!options_.fallback) return check_failed("{}", result_.failure);
    EDGEWRIGHT_CHECK(sequence_.reserve(count));
    catch_up(decoder_, sequence_, tokens, 0, Phase::kPrefill);
    return {};
  }

  Partner& partner_;
  const SplitGenerationOptions& options_;
  SplitGenerationResult& result_;
  Decoder decoder_;
  KvCache cache_;
  SequenceCache sequence_;
};

// The first layers here, the others there; both keep keys and values of theirs.
class LayersThere : public Machine {
 public:
  LayersThere(Partner& partner, std::shared_ptr<const PackedModel> model, ThreadPool& pool,
              const SplitGenerationOptions& options, bool is_greedy, SplitGenerationResult& result)
      : partner_(partner),
        options_(options),
        result_(result),
        is_greedy_(is_greedy),
        id_(partner.draw()),
        decoder_(std::move(model), pool),
        cache_(decoder_.config(), language::CacheType::kF16,
               2 * pages_for(decoder_.config().context)),
        lower_(cache_),
        upper_(cache_) {}

  Status run(std::span<const int> tokens, Phase phase, std::span<float> logits) override {
    const auto hidden = static_cast<size_t>(decoder_.config().hidden);
    const size_t before = states_.size();
    states_.resize(before + tokens.size() * hidden);
    EDGEWRIGHT_TRY(reserve(lower_, tokens.size()));
    const DecoderRun run{&lower_, tokens, 0};
    decoder_.run_layers(std::span(&run, 1), phase, 0, options_.device_layers,
                        std::span(states_).subspan(before), {});
    if (phase == Phase::kPrefill) prompt_rows_ = states_.size() / hidden;
    if (result_.failure.empty() && ask(before / hidden, phase, logits)) return {};
    if (!options_.fallback) return check_failed("{}", result_.failure);
    return go_on_alone(logits);
  }

 private:
  static Status reserve(SequenceCache& cache, size_t more) {
    if (cache.reserve(cache.length() + static_cast<int>(more))) return {};
    return internal_error("the cache has no room for {} more tokens", more);
  }

  // False when the server does not answer; why is then in the result.
  bool ask(size_t position, Phase phase, std::span<float> logits) {
    RemoteAnswer answer = partner_.ask(question(position, phase));
    if (answer.outcome == RemoteOutcome::kRefused && position > 0) {
      // It may have begun anew, or have had too many others since: it gets the prompt and then the
      // rest, as it did before.
      ++result_.repeated_sequences;
      const RemoteAnswer prompt = partner_.ask(question(0, Phase::kPrefill, prompt_rows_));
      answer = prompt.ok() && rows() > prompt_rows_
                   ? partner_.ask(question(prompt_rows_, Phase::kDecode))
                   : prompt;
    }
    if (answer.ok() && take(answer, logits)) return true;
    result_.failure =
        answer.ok() ? "the answer has no logits or token of this model" : answer.message;
    return false;
  }

  size_t rows() const { return states_.size() / static_cast<size_t>(decoder_.config().hidden); }

  oip::InferRequest question(size_t position, Phase phase, size_t end = 0) {
    const auto hidden = static_cast<size_t>(decoder_.config().hidden);
    const size_t last = end == 0 ? rows() : end;
    const auto sent =
        std::span<const float>(states_).subspan(position * hidden, (last - position) * hidden);
    const auto number = [](int32_t value) {
      return Tensor::of<int32_t>({1}, std::vector<int32_t>{value});
    };
    oip::InferRequest request;
    request.inputs = {
        {"sequence", Tensor::of<uint64_t>({1}, std::vector<uint64_t>{id_}), {}, true},
        {"position", number(static_cast<int32_t>(position)), {}, true},
        {"first_layer", number(options_.device_layers), {}, true},
        {"is_prompt", number(phase == Phase::kPrefill ? 1 : 0), {}, true},
        {"states",
         Tensor::of<float>({static_cast<int64_t>(last - position), static_cast<int64_t>(hidden)},
                           sent),
         {},
         true}};
    want(request, {is_greedy_ ? "token" : "logits", "time_us"});
    return request;
  }

  bool take(const RemoteAnswer& answer, std::span<float> logits) const {
    if (is_greedy_) {
      const Tensor* token = output_of(answer, "token", DType::kInt32, {1});
      const int found = token == nullptr ? -1 : token->elements<int32_t>()[0];
      if (found < 0 || found >= std::ssize(logits)) return false;
      // The likeliest is all that is chosen by.
      std::ranges::fill(logits, 0.0F);
      logits[static_cast<size_t>(found)] = 1;
      return true;
    }
    const Tensor* numbers = output_of(answer, "logits", DType::kFloat32, {std::ssize(logits)});
    if (numbers == nullptr) return false;
    std::ranges::copy(numbers->elements<float>(), logits.begin());
    return true;
  }

  // The other layers for what they have not seen, in the arithmetic that the server uses.
  Status go_on_alone(std::span<float> logits) {
    const auto hidden = static_cast<size_t>(decoder_.config().hidden);
    while (static_cast<size_t>(upper_.length()) < rows()) {
      const auto begin = static_cast<size_t>(upper_.length());
      const bool is_prompt = begin < prompt_rows_;
      const size_t end = is_prompt ? prompt_rows_ : rows();
      EDGEWRIGHT_TRY(reserve(upper_, end - begin));
      const std::vector<int> places(end - begin, 0);
      const DecoderRun run{&upper_, places, 1};
      std::vector<float> states(states_.begin() + std::ptrdiff_t(begin * hidden),
                                states_.begin() + std::ptrdiff_t(end * hidden));
      decoder_.run_layers(std::span(&run, 1), is_prompt ? Phase::kPrefill : Phase::kDecode,
                          options_.device_layers, decoder_.config().layers, states, logits);
    }
    return {};
  }

  Partner& partner_;
  const SplitGenerationOptions& options_;
  SplitGenerationResult& result_;
  const bool is_greedy_;
  const uint64_t id_;
  Decoder decoder_;
  KvCache cache_;
  SequenceCache lower_, upper_;
  std::vector<float> states_;  // all that was sent, to send or compute it again
  size_t prompt_rows_ = 0;
};

}  // namespace

Result<SplitGenerationResult> generate_split(InferenceClient& client,
                                             const std::shared_ptr<const PackedModel>& model,
                                             const Tokenizer& tokenizer, ThreadPool& pool,
                                             const TextRequest& request,
                                             const SplitGenerationOptions& options) {
  const ModelConfig& config = model->config;
  if (options.device_layers < 0 || options.device_layers >= config.layers) {
    return usage_error(
        "found {} layers for the device, expected 0 (the prompt at the server) to {}",
        options.device_layers, config.layers - 1);
  }
  if (request.prompt.empty() || std::ssize(request.prompt) >= config.context) {
    return usage_error("found a prompt of {} tokens, expected 1 to {}", request.prompt.size(),
                       config.context - 1);
  }
  SplitGenerationResult result;
  Partner partner(client, options, result);
  const Sampling& sampling = request.sampling;
  const bool is_greedy = sampling.greedy() && sampling.repetition_penalty == 1;
  std::unique_ptr<Machine> machine;
  if (options.device_layers == 0) {
    machine = std::make_unique<PromptThere>(partner, model, pool, options, result);
  } else {
    machine = std::make_unique<LayersThere>(partner, model, pool, options, is_greedy, result);
  }
  Answer answer(request, tokenizer, config.eos);
  std::vector<float> logits(static_cast<size_t>(config.vocabulary));
  const auto start = Clock::now();
  EDGEWRIGHT_TRY(machine->run(request.prompt, Phase::kPrefill, logits));
  FinishReason reason = answer.add(logits);
  result.first_ms = milliseconds_since(start);
  const auto after_first = Clock::now();
  while (reason == FinishReason::kNone && std::ssize(answer.sequence()) <= config.context) {
    const int last = answer.sequence().back();
    const bool was_joint = result.failure.empty();
    const auto known = static_cast<int>(answer.result().tokens.size());
    EDGEWRIGHT_TRY(machine->run(std::span(&last, 1), Phase::kDecode, logits));
    if (was_joint && !result.failure.empty()) result.tokens_before_failure = known;
    reason = answer.add(logits);
  }
  answer.finish(reason == FinishReason::kNone ? FinishReason::kContext : reason);
  const auto tokens = static_cast<double>(answer.result().tokens.size());
  if (tokens > 1) result.ms_per_token = milliseconds_since(after_first) / (tokens - 1);
  result.text = std::move(answer.result());
  return result;
}

}  // namespace edgewright
