// Times the engine of src/llm on a model file, as a user runs it.
//   bench_engine FILE THREADS MODE...
// FILE: a packed model (.ewlm), a GGUF file or a Hugging Face folder. MODE, one line each:
//   decode@CONTEXT, batchN, prefillN   MODE tokens/s, the best of about two seconds, of the decoder
//                                      alone (no sampling), as llama_steps.py measures llama.cpp
//   requestsN     MODE tokens/s of N requests of 16 + 48 tokens through the batching engine
//   stagedN@CPUS/CPUS
//                 the same through a pipeline of layers on those CPUs
//   queueN@TOKENS MODE tokens/s of N requests of 128 + 128 tokens of which one is decoded at a
//   time,
//                 with so many tokens of the next prompt beside it (0: prompts have their own
//                 passes)
//   firstN        MODE milliseconds from opening the file to the first token after a prompt of N
//                 tokens, and the peak resident MiB above weights and cache; the first mode
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "api/language_open.h"
#include "llm/engine.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kBudgetS = 2.0;
constexpr int kRequestPrompt = 16, kRequestTokens = 48, kQueueTokens = 128;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The least of the times of about two seconds: what else the machine does only adds to it.
template <class Step>
double least_seconds(Step step) {
  step();
  const auto start = Clock::now();
  double least = 1e30;
  do {
    const auto begin = Clock::now();
    step();
    least = std::min(least, seconds_since(begin));
  } while (seconds_since(start) < kBudgetS);
  return least;
}

int number_in(const std::string& mode) {
  const size_t at = mode.find_first_of("0123456789");
  return at == std::string::npos ? 1 : std::atoi(mode.c_str() + at);
}

class Bench {
 public:
  Bench(const std::string& path, int threads) : path_(path), pool_(threads) {}

  Status open(int context) {
    EDGEWRIGHT_ASSIGN(PackedModel packed, open_packed_model(path_, {}, pool_));
    model_ = std::make_shared<const PackedModel>(std::move(packed));
    decoder_ = std::make_unique<Decoder>(model_, pool_);
    const int pages = 16 * ((context + kPageTokens) / kPageTokens + 1);
    cache_ = std::make_unique<KvCache>(model_->config, language::CacheType::kF16, pages);
    return {};
  }

  // Runs the tokens as a prompt, in pieces of 512.
  void fill(SequenceCache& sequence, int count) {
    const std::vector<int> tokens = prompt(count, 0);
    for (int first = 0; first < count; first += 512) {
      const auto size = static_cast<size_t>(std::min(512, count - first));
      const DecoderRun run{&sequence, std::span(tokens).subspan(static_cast<size_t>(first), size),
                           first + 512 >= count ? 1 : 0};
      logits_.resize(static_cast<size_t>(run.logits) * vocabulary());
      decoder_->run(std::span(&run, 1), language::Phase::kPrefill, logits_);
    }
  }

  double prefill(int tokens) {
    SequenceCache sequence(*cache_);
    EDGEWRIGHT_CHECK(sequence.reserve(tokens));
    return tokens / least_seconds([&] {
             sequence.truncate(0);
             EDGEWRIGHT_CHECK(sequence.reserve(tokens));
             fill(sequence, tokens);
           });
  }

  double decode(int sequences, int context) {
    std::vector<SequenceCache> caches;
    for (int i = 0; i < sequences; ++i) {
      caches.emplace_back(*cache_);
      EDGEWRIGHT_CHECK(caches.back().reserve(context + 1));
      fill(caches.back(), context);
    }
    const int token = 5;
    std::vector<DecoderRun> runs;
    for (SequenceCache& cache : caches) runs.push_back({&cache, std::span(&token, 1), 1});
    logits_.resize(runs.size() * vocabulary());
    return sequences / least_seconds([&] {
             for (SequenceCache& cache : caches) cache.set_length(context);
             decoder_->run(runs, language::Phase::kDecode, logits_);
           });
  }

  double requests(int count, int prompt_tokens, int tokens, EngineOptions options) {
    options.context = prompt_tokens + tokens + 64;
    options.cache_pages = count * (options.context / kPageTokens + 1);
    options.reuse_prefixes = false;
    double best = 0;
    for (int round = 0; round < 2; ++round) {
      Engine engine(model_, number_tokenizer(model_->config.vocabulary), pool_, options);
      const auto start = Clock::now();
      for (int i = 0; i < count; ++i) {
        TextRequest request;
        request.prompt = prompt(prompt_tokens, i);
        request.max_tokens = tokens;
        request.ignore_end = true;
        EDGEWRIGHT_CHECK(engine.submit(std::move(request)).ok());
      }
      while (engine.step()) {
      }
      best = std::max(best, count * tokens / seconds_since(start));
    }
    return best;
  }

  double staged(int count, const std::string& stages) {
    auto cpus = parse_stages(stages);
    EDGEWRIGHT_CHECK(cpus.ok());
    return requests(count, kRequestPrompt, kRequestTokens, {.stages = *std::move(cpus)});
  }

  double queue(int count, int beside) {
    return requests(count, kQueueTokens, kQueueTokens, {.max_running = 1, .beside_tokens = beside});
  }

  // `start`: when opening began.
  void first(const std::string& mode, Clock::time_point start) {
    SequenceCache sequence(*cache_);
    EDGEWRIGHT_CHECK(sequence.reserve(number_in(mode)));
    fill(sequence, number_in(mode));
    const double time_ms = seconds_since(start) * 1e3;
    struct rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const double held =
        static_cast<double>(model_->weight_bytes()) + static_cast<double>(cache_->held_bytes());
    const double over = static_cast<double>(usage.ru_maxrss) / 1024 - held / (1 << 20);
    fmt::print("{} {:.1f} ms {:.1f} MiB over weights and cache\n", mode, time_ms, over);
  }

  void measure(const std::string& mode) {
    const int number = number_in(mode);
    const std::string after = mode.substr(std::min(mode.size(), mode.find('@') + 1));
    const double rate = mode.starts_with("prefill") ? prefill(number)
                        : mode.starts_with("batch") ? decode(number, 16)
                        : mode.starts_with("requests")
                            ? requests(number, kRequestPrompt, kRequestTokens, {})
                        : mode.starts_with("staged") ? staged(number, after)
                        : mode.starts_with("queue")  ? queue(number, number_in(after))
                                                     : decode(1, number);
    fmt::print("{} {:.1f}\n", mode, rate);
  }

 private:
  size_t vocabulary() const { return static_cast<size_t>(model_->config.vocabulary); }
  std::vector<int> prompt(int count, int seed) const {
    std::vector<int> tokens;
    tokens.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) tokens.push_back((1 + i + 37 * seed) % 4000);
    return tokens;
  }

  std::string path_;
  ThreadPool pool_;
  std::shared_ptr<const PackedModel> model_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<KvCache> cache_;
  std::vector<float> logits_;
};

int run(int argc, char** argv) {
  int longest = 64;
  for (int i = 3; i < argc; ++i) longest = std::max(longest, number_in(argv[i]));
  const auto start = Clock::now();
  Bench bench(argv[1], std::atoi(argv[2]));
  if (const Status opened = bench.open(longest); !opened.ok()) {
    fmt::print(stderr, "bench_engine: {}\n", opened.error().message);
    return 3;
  }
  for (int i = 3; i < argc; ++i) {
    const std::string mode = argv[i];
    if (mode.starts_with("first")) {
      bench.first(mode, start);
    } else {
      bench.measure(mode);
    }
  }
  return 0;
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  if (argc < 4 || std::atoi(argv[2]) < 1) {
    fmt::print(stderr, "usage: bench_engine FILE THREADS MODE...\n");
    return 2;
  }
  return edgewright::run(argc, argv);
}
