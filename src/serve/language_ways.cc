#include "serve/language_ways.h"

#include <algorithm>
#include <random>

#include "base/clock.h"
#include "base/thread_pool.h"
#include "llm/decoder.h"
#include "serve/link_probe.h"
#include "serve/remote_speculation.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;
using language::Phase;

// Enough to tell a token's time by, and little beside an answer.
constexpr size_t kSampleTokens = 32;
constexpr int kSteps = 4;

double milliseconds_since(Clock::time_point start) { return microseconds_since(start) / 1e3; }

// The model on this machine.
void measure_device(const std::shared_ptr<const PackedModel>& model, ThreadPool& pool,
                    std::span<const int> tokens, SharedTimes& figures) {
  Decoder decoder(model, pool);
  const int pages = (static_cast<int>(tokens.size()) + kSteps) / kPageTokens + 2;
  KvCache cache(decoder.config(), language::CacheType::kF16, pages);
  std::vector<float> logits(static_cast<size_t>(decoder.config().vocabulary));
  // The first time touches the weights.
  for (int round = 0; round < 2; ++round) {
    SequenceCache sequence(cache);
    EDGEWRIGHT_CHECK(sequence.reserve(static_cast<int>(tokens.size()) + kSteps));
    const auto start = Clock::now();
    const DecoderRun prompt{&sequence, tokens, 1};
    decoder.run(std::span(&prompt, 1), Phase::kPrefill, logits);
    figures.device_prompt_ms = milliseconds_since(start) / static_cast<double>(tokens.size());
    const auto steps_start = Clock::now();
    for (int step = 0; step < kSteps; ++step) {
      const DecoderRun run{&sequence, tokens.first(1), 1};
      decoder.run(std::span(&run, 1), Phase::kDecode, logits);
    }
    figures.device_step_ms = milliseconds_since(steps_start) / kSteps;
  }
}

// Asks and returns the time that the server says to have worked.
class ServerClock {
 public:
  ServerClock(InferenceClient& client, InferenceClient::Deadline deadline)
      : client_(client), deadline_(deadline) {}

  Result<double> ask_ms(oip::InferRequest request, const std::string& target) {
    request.model = target;
    request.outputs.clear();
    oip::RequestedOutput& wanted = request.outputs.emplace_back();
    wanted.name = "time_us";
    wanted.binary = true;
    const RemoteAnswer answer = client_.infer(request, deadline_);
    if (!answer.ok()) return check_failed("{}", answer.message);
    for (const auto& output : answer.response.outputs) {
      if (output.name == "time_us" && output.tensor.dtype() == DType::kFloat64 &&
          output.tensor.element_count() == 1) {
        return output.tensor.elements<double>()[0] / 1e3;
      }
    }
    return check_failed("{} does not say how long it works", target);
  }

 private:
  InferenceClient& client_;
  InferenceClient::Deadline deadline_;
};

oip::NamedTensor number(const char* name, int32_t value) {
  return {name, Tensor::of<int32_t>({1}, std::vector<int32_t>{value}), {}, true};
}

oip::InferRequest states_question(uint64_t sequence, int position, int rows, int hidden,
                                  bool is_prompt) {
  const std::vector<float> states(static_cast<size_t>(rows) * static_cast<size_t>(hidden), 0.01F);
  oip::InferRequest request;
  request.inputs = {
      {"sequence", Tensor::of<uint64_t>({1}, std::vector<uint64_t>{sequence}), {}, true},
      number("position", position),
      number("first_layer", 1),
      number("is_prompt", is_prompt ? 1 : 0),
      {"states", Tensor::of<float>({rows, hidden}, states), {}, true}};
  return request;
}

Status measure_layers(ServerClock& server, const std::string& target, const ModelConfig& config,
                      int rows, SharedTimes& figures) {
  const uint64_t sequence = std::random_device{}();
  // One layer is left out of what it computes.
  const double share = static_cast<double>(config.layers) / (config.layers - 1);
  for (int round = 0; round < 2; ++round) {
    EDGEWRIGHT_ASSIGN(
        const double time_ms,
        server.ask_ms(states_question(sequence, 0, rows, config.hidden, true), target));
    figures.server_prompt_ms = share * time_ms / rows;
  }
  std::vector<double> steps;
  for (int step = 0; step < kSteps; ++step) {
    EDGEWRIGHT_ASSIGN(
        steps.emplace_back(),
        server.ask_ms(states_question(sequence, rows + step, 1, config.hidden, false), target));
  }
  figures.server_step_ms = share * std::ranges::min(steps);
  figures.has_layers = true;
  return {};
}

Status measure_prompt(ServerClock& server, const std::string& target, std::span<const int> tokens,
                      SharedTimes& figures) {
  oip::InferRequest request;
  request.inputs = {{"tokens",
                     Tensor::of<int32_t>({std::ssize(tokens)},
                                         std::vector<int32_t>(tokens.begin(), tokens.end())),
                     {},
                     true}};
  for (int round = 0; round < 2; ++round) {
    EDGEWRIGHT_ASSIGN(const double time_ms, server.ask_ms(request, target));
    figures.server_prompt_ms = time_ms / static_cast<double>(tokens.size());
  }
  figures.has_prompt = true;
  return {};
}

Status measure_checker(ServerClock& server, const std::string& target, std::span<const int> tokens,
                       Proposer& proposer, SharedTimes& figures) {
  DraftQuestion question;
  question.tokens.assign(tokens.begin(), tokens.end());
  question.prompt = static_cast<int>(tokens.size());
  question.more = kSteps - 1;
  EDGEWRIGHT_ASSIGN(const double first_ms, server.ask_ms(encode_question(question), target));
  // The prompt is known the second time.
  EDGEWRIGHT_ASSIGN(const double again_ms, server.ask_ms(encode_question(question), target));
  SpeculationCosts costs;
  costs.target_ms = again_ms / kSteps;
  if (figures.server_prompt_ms == 0) {
    figures.server_prompt_ms =
        std::max(0.0, first_ms - again_ms) / static_cast<double>(tokens.size());
  }
  // A drafted token is one more row of a pass, as a token of a prompt is.
  costs.check_ms = std::min(costs.target_ms, figures.server_prompt_ms);
  proposer.propose(question.tokens, kSteps, {}, 0);
  const auto start = Clock::now();
  proposer.propose(question.tokens, kSteps, {}, 0);
  costs.draft_ms = milliseconds_since(start) / kSteps;
  figures.draft = costs;
  return {};
}

Result<LinkEstimate> measure_link(InferenceClient& client, InferenceClient::Deadline deadline) {
  // Whoever waits for an answer does not wait for a long measurement.
  constexpr size_t kRepeats = 3, kLargestBytes = 1 << 16;
  constexpr double kMost = 10000;
  LinkProbe probe(client, deadline);
  EDGEWRIGHT_ASSIGN(const LinkMeasurement found,
                    probe.measure(kRepeats, kLargestBytes, 0, deadline));
  const double up = std::min(kMost, found.uplink.mbit_s.value);
  const double down = found.downlink_mbit_s ? found.downlink_mbit_s->value : up;
  return LinkEstimate{up, std::min(kMost, down), found.round_trip_us.value, 1};
}

bool has_port(const std::vector<oip::TensorMetadata>& ports, std::string_view name) {
  return std::ranges::find(ports, name, &oip::TensorMetadata::name) != ports.end();
}

}  // namespace

Result<LanguageTargets> language_targets(InferenceClient& client,
                                         std::span<const std::string> names,
                                         InferenceClient::Deadline deadline) {
  LanguageTargets targets;
  for (const std::string& name : names) {
    EDGEWRIGHT_ASSIGN(const oip::ModelMetadata metadata, client.model(name, "", deadline));
    if (has_port(metadata.inputs, "states")) {
      targets.layers = name;
    } else if (has_port(metadata.inputs, "drafted")) {
      targets.checker = name;
    } else if (has_port(metadata.outputs, "cache")) {
      targets.prompt = name;
    } else {
      return unsupported(
          "the server's model '{}' does no part of a language model; it has to be served as "
          "prompt, layers or checker (.ewlm, .gguf or a folder)",
          name);
    }
  }
  return targets;
}

Result<SharedTimes> measure_ways(InferenceClient& client, const LanguageTargets& targets,
                                 const std::shared_ptr<const PackedModel>& model, ThreadPool& pool,
                                 Proposer* proposer, const std::vector<int>& prompt,
                                 int answer_tokens, InferenceClient::Deadline deadline) {
  const ModelConfig& config = model->config;
  SharedTimes figures;
  figures.prompt_tokens = static_cast<int>(prompt.size());
  figures.answer_tokens = answer_tokens;
  figures.layers = config.layers;
  figures.cache_bytes = 2.0 * 2 * config.layers * config.kv_heads * config.head_dim;
  figures.state_bytes = 4.0 * config.hidden;
  const auto most = std::min({kSampleTokens, prompt.size(),
                              static_cast<size_t>(std::max(1, config.context - kSteps - 1))});
  const std::span<const int> sample(prompt.data(), most);
  measure_device(model, pool, sample, figures);
  EDGEWRIGHT_ASSIGN(figures.link, measure_link(client, deadline));
  ServerClock server(client, deadline);
  if (!targets.prompt.empty()) {
    EDGEWRIGHT_TRY(measure_prompt(server, targets.prompt, sample, figures));
  }
  if (!targets.layers.empty()) {
    EDGEWRIGHT_TRY(measure_layers(server, targets.layers, config, static_cast<int>(most), figures));
  }
  if (!targets.checker.empty() && proposer != nullptr) {
    EDGEWRIGHT_TRY(measure_checker(server, targets.checker, sample, *proposer, figures));
  }
  return figures;
}

}  // namespace edgewright
