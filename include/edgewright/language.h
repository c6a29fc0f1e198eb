#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edgewright/power.h"
#include "edgewright/result.h"
#include "edgewright/serve.h"

namespace edgewright {

// Language models: a Hugging Face folder (config.json and safetensors), a packed model (.ewlm) or a
// GGUF file.
bool is_language_model(const std::string& path);

struct LanguageOptions {
  // "stored" keeps the weights' own types; fp32, fp16, bf16, int8, int4 (groups of 32) and
  // int4-g128 round them while the model is opened. Packed models have theirs already. Two, as in
  // "int8/int4" or "int8/int4@0.8": the second computes tokens that are easy to foresee, those
  // after distributions of at most so many nats of entropy (1 where none is given).
  std::string precision = "stored";
  std::string kv_cache = "fp16";  // or "int8"; "fp32" for checks of exactness
  int context = 0;                // tokens of the longest sequence; 0: the model's
  int threads = 1;
  // A tokenizer.model or tokenizer.json; empty: the model's own, or one in its folder or the one
  // above.
  std::string tokenizer;
  // A smaller model of the same vocabulary that proposes tokens; see GenerateOptions::speculate.
  std::string draft, draft_precision = "stored";
  // Told what the engine does, and asked how many sequences it may compute together and how much of
  // the time (power_govern); empty: none.
  std::string phase_file, advice_file;
  // CPUs of the stages of a pipeline of layers, as in "0-3/4-7": pieces of a prompt are in several
  // at once; empty: none.
  std::string stages;
  std::string power_root = "/";  // the tree of sys whose energy counters and sensors are read
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};

// In this order: repetition penalty, temperature, top-k, top-p, min-p.
struct SamplingOptions {
  float temperature = 0;  // 0: always the likeliest token
  int top_k = 0;          // 0: all
  float top_p = 1, min_p = 0;
  float repetition_penalty = 1;
  uint64_t seed = 0;
};

struct ChatMessage {
  std::string role, content;  // role: "system", "user" or "assistant"
};

struct GenerateOptions {
  std::string prompt;
  std::vector<int> prompt_tokens;  // in place of a prompt, used as they are
  std::vector<ChatMessage> chat;   // in place of a prompt: formatted by the model's template
  int max_tokens = 128;
  SamplingOptions sampling;
  std::vector<std::string> stop;  // the text ends before the first of these
  std::string overflow = "stop";  // or "slide": the last half of a full context goes on
  // "none", "lookup" (what followed the same words before) or "draft" (the default with a draft
  // model): proposals save steps and change no token. Used as far as they are predicted to pay.
  std::string speculate;
  bool log_probabilities = false;
  bool ignore_end = false;  // go on where the model ends its text
  // Measure the memory's speed too, once: takes a tenth of a second and at most 256 MiB.
  bool measure_bandwidth = true;
  // Text as it becomes certain; returns false to cancel. May be empty.
  std::function<bool(std::string_view text)> on_text;
};

// Speed and memory of one generation. Rates exclude the other phase; 0 where nothing was measured.
struct LanguageFigures {
  double load_us = 0;
  double ttft_us = 0;  // from the call to the first token
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;
  double bytes_per_token = 0;  // weights and cache that one decoded token reads
  double bandwidth_share = 0;  // bytes_per_token * decode rate / memory_bandwidth_bytes_per_s
  // Of reading bytes_per_token (at most 256 MiB) again and again: the speed of the cache that holds
  // the weights, or of memory.
  double memory_bandwidth_bytes_per_s = 0;
  int64_t weight_bytes = 0, cache_bytes = 0, peak_rss_bytes = 0;
  EnergyFigures energy;  // of the call, prompt and answer, per token of the answer
};

// How proposals of tokens fared.
struct SpeculationReport {
  std::string method;
  int64_t proposed = 0, accepted = 0;
  double acceptance = 0;         // of one token after right ones
  double predicted_speedup = 1;  // over decoding without, from acceptance and costs
  double measured_speedup = 1;   // against the time of the plain steps among the run's own
};

struct GenerateReport {
  std::string text;
  std::vector<int> tokens;
  std::vector<double> log_probabilities;  // of tokens, where asked for
  std::string finish;                     // "end", "stop", "length", "context", "cancelled"
  int prompt_tokens = 0, reused_tokens = 0;
  int light_tokens = 0;  // of the answer, computed with the second precision
  std::optional<SpeculationReport> speculation;
  LanguageFigures figures;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const GenerateReport& report);

struct PerplexityOptions {
  int window = 512;  // tokens predicted per window; at most the context
  int windows = 0;   // the first so many; 0: all whole ones
  bool bos = false;  // every window begins with the beginning-of-text token
};

// exp(mean negative log-likelihood) over windows that are run alone; with two precisions token by
// token, each with the weights that generate would take for it.
struct PerplexityReport {
  double perplexity = 0;
  int64_t tokens = 0;
  int64_t light_tokens = 0;  // of them, computed with the second precision
  double tokens_per_s = 0;
  bool passed = true;
  std::vector<std::string> warnings;
};
std::string to_json(const PerplexityReport& report);

struct LanguageInfo {
  std::string architecture, precision, tokenizer;  // tokenizer: "sentencepiece", "json" or "none"
  int64_t parameters = 0, weight_bytes = 0;
  int layers = 0, hidden = 0, heads = 0, kv_heads = 0, head_size = 0, ffn = 0, vocabulary = 0,
      context = 0;
  std::map<std::string, int64_t> types;  // weight type -> matrices
  std::vector<std::string> warnings;
};
// Reads a model's description; weights are not touched.
Result<LanguageInfo> inspect_language_model(const std::string& path);
std::string to_json(const LanguageInfo& info);

struct LanguageConvertOptions {
  std::string to;                    // "ewlm" or "gguf"; empty: from the output's ending
  std::string precision = "stored";  // gguf: fp16 (also for stored), int8 (Q8_0) or int4 (Q4_0)
  std::string calibrate;  // a text file: int4 weights are rounded so that its activations come out
                          // right (GPTQ, Frantar et al. 2022)
  std::string tokenizer;
  int threads = 1;
  std::function<void(std::string_view stage, size_t done, size_t total)> progress;
};
struct LanguageConvertReport {
  std::map<std::string, std::string> precision;  // matrix -> type
  double bits_per_weight = 0;                    // of the matrices
  int64_t parameters = 0, size_bytes = 0;
  // Of the distributions of the next token, against the original, on a seeded sequence.
  double mean_kl_divergence = 0, top1_agreement = 1;
  bool passed = true;
  std::vector<std::string> warnings;
};
// Packs a model for the engine (.ewlm) or writes it as GGUF. The output appears only when complete.
Result<LanguageConvertReport> convert_language_model(const std::string& input,
                                                     const std::string& output,
                                                     const LanguageConvertOptions& options = {});
std::string to_json(const LanguageConvertReport& report);

struct LanguageBenchOptions {
  LanguageOptions language;
  std::vector<int> contexts;  // tokens before the first decoded one; empty: some that fit
  int tokens = 32;            // decoded at each context
  uint64_t seed = 0;          // of the prompts
};
struct ContextFigures {
  int context = 0;
  double ttft_us = 0, tpot_us = 0;  // time to the first token, and per token after it
  double prefill_tokens_per_s = 0, decode_tokens_per_s = 0;
  double bytes_per_token = 0, bandwidth_share = 0;
};
struct LanguageBenchReport {
  LanguageInfo model;
  LanguageFigures figures;  // of the first context
  std::vector<ContextFigures> contexts;
  int threads = 1;
  bool passed = true;
  std::vector<std::string> warnings;
};
Result<LanguageBenchReport> bench_language_model(const std::string& path,
                                                 const LanguageBenchOptions& options = {});
std::string to_json(const LanguageBenchReport& report);

// An opened model. One call at a time.
class LanguageModel {
 public:
  static Result<LanguageModel> open(const std::string& path, const LanguageOptions& options = {});
  ~LanguageModel();
  LanguageModel(LanguageModel&&) noexcept;
  LanguageModel& operator=(LanguageModel&&) noexcept;

  LanguageInfo info() const;
  std::vector<int> encode(std::string_view text) const;
  std::string decode(const std::vector<int>& tokens) const;
  Result<GenerateReport> generate(const GenerateOptions& options);
  Result<PerplexityReport> perplexity(std::string_view text, const PerplexityOptions& options = {});
  // The logits after each of the tokens, vocabulary values each; computed as a prompt, or one by
  // one.
  Result<std::vector<float>> logits(const std::vector<int>& tokens, bool stepwise = false);

 private:
  struct State;
  explicit LanguageModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// ---- split generate ----

struct SplitGenerateOptions {
  std::string model;  // the whole language model, here; the server has it as well
  ServerOptions server;
  // Its names there (docs/commands/split-generate.md): one for each way that the server has.
  std::vector<std::string> targets;
  std::string draft;  // a small model here for the way "draft"; empty: none
  std::string prompt;
  // "device": no server. "prompt": the server computes the prompt, the device everything after it.
  // "layers": the first layers here, the others there, for every token. "draft": tokens are drafted
  // here and checked there. "auto": the quickest by what is measured first.
  std::string way = "auto";
  int device_layers = 0;  // of "layers"; 0: the best number
  int max_tokens = 128;
  float temperature = 0;
  double deadline_ms = 30000;  // of each question
  bool fallback = true;        // the device goes on alone when the server does not answer
  int threads = 1;
  uint64_t seed = 0;
};
// A way to share the work, and what it was predicted to take for the whole answer.
struct SplitGenerateWay {
  std::string way;
  int device_layers = 0;
  double predicted_ms = 0;
};
struct SplitGenerateReport {
  std::string text, finish;
  std::vector<int> tokens;
  int prompt_tokens = 0;
  double ttft_ms = 0, ms_per_token = 0, server_ms = 0;
  int64_t questions = 0, repeated_sequences = 0;
  double sent_bytes = 0, received_bytes = 0;
  std::string failure;  // why the device went on alone; empty: it did not
  int tokens_before_failure = 0;
  std::string way;  // that was taken
  int device_layers = 0;
  std::vector<SplitGenerateWay> ways;
  std::vector<std::string> warnings;
};
std::string to_json(const SplitGenerateReport& report);
// Text from a language model of which a server does a part. The text is that of the model alone.
Result<SplitGenerateReport> generate_split(const SplitGenerateOptions& options);

}  // namespace edgewright
