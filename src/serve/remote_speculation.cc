#include "serve/remote_speculation.h"

#include <algorithm>
#include <optional>

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// Plain tokens by which the target's own time is measured.
constexpr int kMeasured = 4;
// Rounds that find out how often drafts are right, and the length of those.
constexpr int kTrialRounds = 3, kTrialLength = 3;
constexpr double kFirstAcceptance = 0.7;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

Tensor one(int32_t value) { return Tensor::of<int32_t>({1}, std::vector<int32_t>{value}); }

class HttpTarget : public RemoteTarget {
 public:
  HttpTarget(std::unique_ptr<InferenceClient> client, std::string model, double deadline_us)
      : client_(std::move(client)), model_(std::move(model)), deadline_us_(deadline_us) {}

  Result<Reply> ask(const DraftQuestion& question) override {
    oip::InferRequest request = encode_question(question);
    request.model = model_;
    const auto deadline =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(
                           std::chrono::duration<double, std::micro>(deadline_us_));
    const RemoteAnswer answer =
        infer_with_retries(*client_, request, deadline, RetryPolicy{}, random_);
    if (!answer.ok()) return check_failed("{}", answer.message);
    Reply reply;
    reply.elapsed_us = answer.elapsed_us;
    for (const auto& output : answer.response.outputs) {
      if (output.name == "chosen" && output.tensor.dtype() == DType::kInt32) {
        const auto chosen = output.tensor.elements<int32_t>();
        reply.tokens.assign(chosen.begin(), chosen.end());
      }
      if (output.name == "time_us" && output.tensor.dtype() == DType::kFloat64 &&
          output.tensor.element_count() == 1) {
        reply.server_us = output.tensor.elements<double>()[0];
      }
    }
    if (reply.tokens.empty()) {
      return bad_input("{}: found no output 'chosen' of int32 with a token in it", model_);
    }
    return reply;
  }

 private:
  std::unique_ptr<InferenceClient> client_;
  std::string model_;
  double deadline_us_;
  std::mt19937_64 random_{1};
};

// One generation in progress.
class Generation {
 public:
  Generation(RemoteTarget& target, Proposer& proposer, const std::vector<int>& prompt,
             const std::vector<int>& ends, const RemoteSpeculationOptions& options)
      : target_(target), proposer_(proposer), ends_(ends), options_(options) {
    question_.tokens = prompt;
    question_.prompt = static_cast<int>(prompt.size());
    question_.sampling = options.sampling;
  }

  Result<RemoteSpeculationResult> run() {
    const auto start = Clock::now();
    EDGEWRIGHT_TRY(ask(0, 0));
    result_.first_ms = milliseconds(Clock::now() - start);
    const auto after_first = Clock::now();
    if (!is_over()) EDGEWRIGHT_TRY(ask(0, std::min(kMeasured, left()) - 1));
    while (!is_over()) {
      const int length = std::min(wanted(), left() - 1);
      EDGEWRIGHT_TRY(ask(length, length == 0 ? std::min(options_.chunk, left()) - 1 : 0));
    }
    const auto count = static_cast<double>(result_.tokens.size());
    if (count > 1) result_.ms_per_token = milliseconds(Clock::now() - after_first) / (count - 1);
    result_.length = wanted();
    if (control_) {
      result_.acceptance = control_->acceptance();
      result_.predicted_speedup = plan_speculation(result_.costs, result_.acceptance).speedup;
    }
    return std::move(result_);
  }

 private:
  int left() const { return options_.max_tokens - static_cast<int>(result_.tokens.size()); }
  bool is_over() const { return result_.has_ended || left() <= 0; }

  // The length of the next draft.
  int wanted() const {
    if (options_.length >= 0) return options_.length;
    if (result_.rounds < kTrialRounds && may_win()) return kTrialLength;
    return control_ ? control_->length() : 0;
  }
  // Whether drafts would pay if every one of them were right.
  bool may_win() const { return plan_speculation(result_.costs, 1).length > 0; }

  Status ask(int drafted, int more) {
    const std::vector<int> before = question_.tokens;
    const auto start = Clock::now();
    std::vector<int> draft;
    if (drafted > 0) {
      draft = proposer_.propose(before, drafted, options_.sampling, result_.tokens.size());
    }
    const double draft_ms = milliseconds(Clock::now() - start);
    question_.tokens.insert(question_.tokens.end(), draft.begin(), draft.end());
    question_.drafted = static_cast<int>(draft.size());
    question_.more = more;
    EDGEWRIGHT_ASSIGN(const RemoteTarget::Reply reply, target_.ask(question_));
    question_.tokens = before;
    const auto right =
        static_cast<int>(std::ranges::mismatch(draft, reply.tokens).in1 - draft.begin());
    learn(draft_ms, static_cast<int>(draft.size()), right, reply);
    for (const int token : reply.tokens) {
      if (is_over()) break;
      if (std::ranges::find(ends_, token) != ends_.end()) {
        result_.has_ended = true;
        break;
      }
      result_.tokens.push_back(token);
      question_.tokens.push_back(token);
    }
    return {};
  }

  void learn(double draft_ms, int drafted, int right, const RemoteTarget::Reply& reply) {
    SpeculationCosts& costs = result_.costs;
    const double trip_ms = std::max(0.0, reply.elapsed_us - reply.server_us) / 1e3;
    const bool is_first = result_.tokens.empty();
    // Waits only ever lengthen a trip.
    costs.round_trip_ms = is_first ? trip_ms : std::min(costs.round_trip_ms, trip_ms);
    if (is_first) return;
    const double server_ms = reply.server_us / 1e3;
    if (drafted == 0) {
      ++result_.plain_rounds;
      costs.target_ms = server_ms / static_cast<double>(reply.tokens.size());
    } else {
      ++result_.rounds;
      result_.proposed += drafted;
      result_.accepted += right;
      costs.draft_ms = blended(costs.draft_ms, draft_ms / drafted);
      costs.check_ms =
          blended(costs.check_ms, std::max(0.0, server_ms - costs.target_ms) / drafted);
    }
    if (!control_ && drafted > 0) control_.emplace(costs, kFirstAcceptance);
    if (!control_) return;
    if (drafted > 0) control_->observe(drafted, right);
    control_->set_costs(costs);
  }
  static double blended(double average, double value) {
    constexpr double kNewest = 0.2;
    return average == 0 ? value : average + kNewest * (value - average);
  }

  RemoteTarget& target_;
  Proposer& proposer_;
  const std::vector<int>& ends_;
  RemoteSpeculationOptions options_;
  DraftQuestion question_;
  std::optional<SpeculationControl> control_;
  RemoteSpeculationResult result_;
};

Result<int> single(const oip::NamedTensor& input) {
  if (input.tensor.dtype() != DType::kInt32 || input.tensor.element_count() != 1) {
    return bad_input("input '{}': expected one int32", input.name);
  }
  return input.tensor.elements<int32_t>()[0];
}

Status read_sampling(const oip::NamedTensor& input, Sampling& sampling) {
  if (input.tensor.dtype() != DType::kFloat32 || input.tensor.element_count() != 5) {
    return bad_input(
        "input 'sampling': expected five float32: temperature, top-k, top-p, min-p "
        "and repetition penalty");
  }
  const auto values = input.tensor.elements<float>();
  const bool is_sane = values[0] >= 0 && values[1] >= 0 && values[1] < 1e9f && values[2] > 0 &&
                       values[2] <= 1 && values[3] >= 0 && values[3] <= 1 && values[4] > 0;
  if (!is_sane) return bad_input("input 'sampling': found values out of their ranges");
  sampling.temperature = values[0];
  sampling.top_k = static_cast<int>(values[1]);
  sampling.top_p = values[2];
  sampling.min_p = values[3];
  sampling.repetition_penalty = values[4];
  return {};
}

Status read_input(const oip::NamedTensor& input, DraftQuestion& question) {
  if (input.name == "tokens") {
    if (input.tensor.dtype() != DType::kInt32) {
      return bad_input("input 'tokens': expected int32");
    }
    const auto tokens = input.tensor.elements<int32_t>();
    question.tokens.assign(tokens.begin(), tokens.end());
    return {};
  }
  if (input.name == "sampling") return read_sampling(input, question.sampling);
  if (input.name == "seed") {
    if (input.tensor.dtype() != DType::kUint64 || input.tensor.element_count() != 1) {
      return bad_input("input 'seed': expected one uint64");
    }
    question.sampling.seed = input.tensor.elements<uint64_t>()[0];
    return {};
  }
  int* const place = input.name == "prompt"    ? &question.prompt
                     : input.name == "drafted" ? &question.drafted
                     : input.name == "more"    ? &question.more
                                               : nullptr;
  if (place == nullptr) return bad_input("found input '{}', which is none of these", input.name);
  EDGEWRIGHT_ASSIGN(*place, single(input));
  return {};
}

}  // namespace

oip::InferRequest encode_question(const DraftQuestion& question) {
  const std::vector<int32_t> tokens(question.tokens.begin(), question.tokens.end());
  const Sampling& sampling = question.sampling;
  const std::vector<float> numbers = {sampling.temperature, static_cast<float>(sampling.top_k),
                                      sampling.top_p, sampling.min_p, sampling.repetition_penalty};
  oip::InferRequest request;
  request.inputs = {
      {"tokens", Tensor::of<int32_t>({std::ssize(tokens)}, tokens), {}, true},
      {"prompt", one(question.prompt), {}, true},
      {"drafted", one(question.drafted), {}, true},
      {"more", one(question.more), {}, true},
      {"sampling", Tensor::of<float>({5}, numbers), {}, true},
      {"seed", Tensor::of<uint64_t>({1}, std::vector<uint64_t>{sampling.seed}), {}, true}};
  for (const char* name : {"chosen", "time_us"}) {
    oip::RequestedOutput& output = request.outputs.emplace_back();
    output.name = name;
    output.binary = true;
  }
  return request;
}

Result<DraftQuestion> decode_question(const std::vector<oip::NamedTensor>& inputs) {
  DraftQuestion question;
  for (const oip::NamedTensor& input : inputs) EDGEWRIGHT_TRY(read_input(input, question));
  return question;
}

std::unique_ptr<RemoteTarget> remote_target(std::unique_ptr<InferenceClient> client,
                                            std::string model, double deadline_us) {
  return std::make_unique<HttpTarget>(std::move(client), std::move(model), deadline_us);
}

Result<RemoteSpeculationResult> speculate_over_link(RemoteTarget& target, Proposer& proposer,
                                                    const std::vector<int>& prompt,
                                                    const std::vector<int>& ends,
                                                    const RemoteSpeculationOptions& options) {
  if (prompt.empty() || options.max_tokens < 1 || options.chunk < 1) {
    return usage_error(
        "found a prompt of {} tokens, {} tokens wanted, {} at once; expected at "
        "least one of each",
        prompt.size(), options.max_tokens, options.chunk);
  }
  return Generation(target, proposer, prompt, ends, options).run();
}

}  // namespace edgewright
