#include "llm/speculate.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/clock.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// Prompts run in pieces of this many tokens.
constexpr int kPrefillTokens = 512;
// Longest and shortest end of the sequence that prompt look-up searches for.
constexpr size_t kLongestEnd = 4, kShortestEnd = 2;
// Rounds between trials of what the policy would not do.
constexpr int64_t kTrialRounds = 24;
// Rounds without drafts at the beginning.
constexpr int64_t kPlainRounds = 4;
// A draft has to promise this much to be made.
constexpr double kWorthwhile = 1.03;
// So many times in a row that are longer than they can be are put down to other programs.
constexpr int kMostDoubted = 3;
// Plain steps at the beginning that are no measure of the others.
constexpr int64_t kSlowSteps = 2;

class PromptLookup final : public Proposer {
 public:
  std::vector<int> propose(const std::vector<int>& sequence, int count, const Sampling&,
                           uint64_t) override {
    for (size_t length = std::min(kLongestEnd, sequence.size() - 1); length >= kShortestEnd;
         --length) {
      const auto end = std::span(sequence).last(length);
      for (size_t at = sequence.size() - length; at-- > 0;) {
        if (!std::ranges::equal(std::span(sequence).subspan(at, length), end)) continue;
        const size_t begin = at + length;
        const size_t take = std::min(static_cast<size_t>(count), sequence.size() - begin);
        const auto first = sequence.begin() + static_cast<ptrdiff_t>(begin);
        return {first, first + static_cast<ptrdiff_t>(take)};
      }
    }
    return {};
  }
};

class DraftModel final : public Proposer {
 public:
  DraftModel(std::shared_ptr<const PackedModel> model, ThreadPool& pool, int context)
      : cache_(model->config, language::CacheType::kF16, context / kPageTokens + 2),
        decoder_(std::move(model), pool),
        sequence_(cache_),
        logits_(static_cast<size_t>(decoder_.config().vocabulary)) {}

  std::vector<int> propose(const std::vector<int>& sequence, int count, const Sampling& sampling,
                           uint64_t index) override {
    if (!sequence_.reserve(static_cast<int>(sequence.size()) + count)) return {};
    // What the cache holds beyond the common beginning was proposed in vain.
    const auto [a, b] = std::ranges::mismatch(held_, sequence);
    const auto common = std::min(static_cast<size_t>(a - held_.begin()), sequence.size() - 1);
    if (static_cast<size_t>(sequence_.length()) > common) {
      sequence_.truncate(static_cast<int>(common));
      if (!sequence_.reserve(static_cast<int>(sequence.size()) + count)) return {};
    }
    held_ = sequence;
    const bool far = sequence.size() - static_cast<size_t>(sequence_.length()) > 16;
    // The answer's own tokens go through the arithmetic that the target used for them, so that a
    // draft that equals the target proposes what the target says.
    const size_t answered = std::max<size_t>(1, index);
    if (far) catch_up(decoder_, sequence_, held_, answered, language::Phase::kPrefill);
    std::vector<int> proposed;
    for (int i = 0; i < count; ++i) {
      const auto rest = std::span(held_).subspan(static_cast<size_t>(sequence_.length()));
      const DecoderRun run{&sequence_, rest, 1};
      decoder_.run(std::span(&run, 1), language::Phase::kDecode, logits_);
      const int token =
          sample(logits_, held_, sampling, index + static_cast<uint64_t>(i), scratch_);
      proposed.push_back(token);
      held_.push_back(token);
    }
    return proposed;
  }
  int64_t bytes_per_token() const override { return decoder_.model().bytes_per_token(); }

 private:
  KvCache cache_;
  Decoder decoder_;
  SequenceCache sequence_;
  std::vector<int> held_;  // the tokens that the cache holds, and the last one proposed
  std::vector<float> logits_, scratch_;
};

// A speculative generation in progress.
class Speculation {
 public:
  Speculation(Decoder& target, KvCache& cache, Proposer& proposer, TextRequest request,
              const Tokenizer& tokenizer, int context)
      : target_(target),
        cache_(cache),
        proposer_(proposer),
        answer_(std::move(request), tokenizer, target.config().eos),
        policy_(static_cast<double>(proposer.bytes_per_token()) /
                static_cast<double>(target.model().bytes_per_token())),
        context_(context),
        vocabulary_(static_cast<size_t>(target.config().vocabulary)) {}

  TextResult run(SpeculationFigures& figures) {
    prefill();
    const auto start = Clock::now();
    const size_t before = answer_.result().tokens.size();
    while (!answer_.finished()) round(figures);
    const double time_us = microseconds_since(start);
    const auto tokens = static_cast<double>(answer_.result().tokens.size() - before);
    figures.acceptance = policy_.acceptance();
    if (tokens > 0 && policy_.mean_plain_step_us() > 0) {
      figures.measured_speedup = tokens * policy_.mean_plain_step_us() / time_us;
      figures.predicted_speedup = predicted_tokens_ > 0 ? tokens / predicted_steps_ : 1;
    }
    return std::move(answer_.result());
  }

 private:
  void prefill() {
    const std::vector<int>& sequence = answer_.sequence();
    if (!cache_.reserve(static_cast<int>(sequence.size()))) {
      return answer_.finish(FinishReason::kContext);
    }
    catch_up(target_, cache_, sequence, 1, language::Phase::kPrefill);
    logits_.resize(vocabulary_);
    const DecoderRun run{&cache_, std::span(sequence).last(1), 1};
    target_.run(std::span(&run, 1), language::Phase::kPrefill, logits_);
    add(logits_);
  }

  void add(std::span<float> logits) {
    const FinishReason reason = answer_.add(logits);
    if (reason != FinishReason::kNone) return answer_.finish(reason);
    if (std::ssize(answer_.sequence()) > context_) answer_.finish(FinishReason::kContext);
  }

  std::vector<int> proposal(int wanted) {
    if (wanted == 0) return {};
    const auto start = Clock::now();
    std::vector<int> proposed = proposer_.propose(
        answer_.sequence(), wanted, answer_.request().sampling, answer_.result().tokens.size());
    // A proposer that found nothing took its time all the same.
    policy_.saw_proposal(std::max(1, static_cast<int>(proposed.size())), microseconds_since(start));
    return proposed;
  }

  void round(SpeculationFigures& figures) {
    const int length = cache_.length();
    const int room = context_ - length - 1;
    const int left =
        answer_.request().max_tokens - static_cast<int>(answer_.result().tokens.size()) - 1;
    const int wanted = std::max(0, std::min({policy_.next_draft(figures.rounds), room, left}));
    const std::vector<int> proposed = proposal(wanted);
    std::vector<int> rows = {answer_.sequence().back()};
    rows.insert(rows.end(), proposed.begin(), proposed.end());
    if (!cache_.reserve(length + static_cast<int>(rows.size()))) {
      return answer_.finish(FinishReason::kContext);
    }
    logits_.resize(rows.size() * vocabulary_);
    const auto start = Clock::now();
    const DecoderRun run{&cache_, rows, static_cast<int>(rows.size())};
    target_.run(std::span(&run, 1), language::Phase::kDecode, logits_);
    policy_.saw_target(static_cast<int>(rows.size()), microseconds_since(start));
    size_t right = 0;
    for (size_t i = 0; i < rows.size() && !answer_.finished(); ++i) {
      add(std::span(logits_).subspan(i * vocabulary_, vocabulary_));
      if (i == proposed.size() || answer_.sequence().back() != proposed[i]) break;
      ++right;
    }
    cache_.truncate(std::min(cache_.length(), length + 1 + static_cast<int>(right)));
    note(figures, static_cast<int>(proposed.size()), static_cast<int>(right));
  }

  void note(SpeculationFigures& figures, int proposed, int right) {
    ++figures.rounds;
    figures.proposed += proposed;
    figures.accepted += right;
    policy_.saw_acceptance(proposed, right);
    predicted_tokens_ += right + 1;
    // What this round took in plain steps, by the policy's figures: expected tokens / speed-up.
    const double a = policy_.acceptance();
    const double expected = a < 1 ? (1 - std::pow(a, proposed + 1)) / (1 - a) : proposed + 1;
    predicted_steps_ += expected / policy_.predicted_speedup(proposed);
  }

  Decoder& target_;
  SequenceCache cache_;
  Proposer& proposer_;
  Answer answer_;
  DraftPolicy policy_;
  int context_;
  size_t vocabulary_;
  std::vector<float> logits_;
  double predicted_tokens_ = 0, predicted_steps_ = 0;
};

}  // namespace

void catch_up(Decoder& decoder, SequenceCache& cache, std::span<const int> sequence, size_t keep,
              language::Phase phase) {
  while (static_cast<size_t>(cache.length()) + keep < sequence.size()) {
    const auto begin = static_cast<size_t>(cache.length());
    const size_t count = std::min<size_t>(kPrefillTokens, sequence.size() - keep - begin);
    const DecoderRun run{&cache, sequence.subspan(begin, count), 0};
    decoder.run(std::span(&run, 1), phase, {});
  }
}

std::unique_ptr<Proposer> prompt_lookup() { return std::make_unique<PromptLookup>(); }

std::unique_ptr<Proposer> draft_model(std::shared_ptr<const PackedModel> draft, ThreadPool& pool,
                                      int context) {
  return std::make_unique<DraftModel>(std::move(draft), pool, context);
}

double LeastOfLast::time_us() const {
  if (!any()) return 0;
  return *std::min_element(times_us_, times_us_ + std::min(count_, kKept));
}

// Whether a time is to be learnt from. More than what plain steps would take can only be because
// another program ran in between: trials are so few that one such time would end them.
bool DraftPolicy::believes(double time_us, double most_us) {
  if (most_us == 0 || time_us <= most_us || doubted_ >= kMostDoubted) {
    doubted_ = 0;
    return true;
  }
  ++doubted_;
  return false;
}

void DraftPolicy::saw_target(int rows, double time_us) {
  rows = std::min(rows, kMaxDraft + 1);
  if (rows > 1 && !believes(time_us, rows * target_us_[1].time_us())) return;
  target_us_[rows].add(time_us);
  if (rows > 1 || ++plain_seen_ <= kSlowSteps) return;
  plain_us_ += time_us;
  ++plain_steps_;
}

void DraftPolicy::saw_proposal(int tokens, double time_us) {
  if (believes(time_us, tokens * target_us_[1].time_us())) proposal_us_.add(time_us / tokens);
}

void DraftPolicy::saw_acceptance(int proposed, int accepted) {
  // Each accepted token is a success, the first rejected one a failure, the rest tells nothing.
  for (int i = 0; i < std::min(proposed, accepted + 1); ++i) {
    ++trials_;
    const double weight = std::max(0.01, 1.0 / static_cast<double>(trials_ + 10));
    acceptance_ += weight * ((i < accepted ? 1.0 : 0.0) - acceptance_);
  }
}

// What was seen of that many rows, or what lies on the line through one row and the nearest other;
// never less than that of one.
double DraftPolicy::target_us(int rows) const {
  const double plain = target_us_[1].time_us();
  if (target_us_[rows].any()) return std::max(plain, target_us_[rows].time_us());
  int known = 0;
  for (int other = 2; other <= kMaxDraft + 1; ++other) {
    if (!target_us_[other].any()) continue;
    if (known == 0 || std::abs(other - rows) < std::abs(known - rows)) known = other;
  }
  if (known == 0) return plain;
  const double per_row = (target_us_[known].time_us() - plain) / (known - 1);
  return plain + std::max(0.0, per_row) * (rows - 1);
}

double DraftPolicy::predicted_speedup(int draft) const {
  const double plain = target_us_[1].time_us();
  if (plain == 0) return 1;
  const double a = acceptance_;
  // Tokens that a round gives (Leviathan et al. 2023, equation 1).
  const double tokens = a < 1 ? (1 - std::pow(a, draft + 1)) / (1 - a) : draft + 1;
  return tokens * plain / (draft * proposal_us_.time_us() + target_us(draft + 1));
}

int DraftPolicy::next_draft(int64_t round) {
  // Plain steps first: the very first ones are slow.
  if (!may_pay_ || round < kPlainRounds) return 0;
  if (round == kPlainRounds) return 4;
  int best = 0;
  double most = kWorthwhile;
  for (int draft = 1; draft <= kMaxDraft; ++draft) {
    const double speedup = predicted_speedup(draft);
    if (speedup > most) {
      most = speedup;
      best = draft;
    }
  }
  if (best > 0) {
    pause_ = 0;
    return round % kTrialRounds == 0 ? 0 : best;
  }
  // A trial costs what it shows to be lost.
  if (pause_ == 0) {
    pause_ = kTrialRounds;
    next_trial_ = round + pause_;
  }
  if (round < next_trial_) return 0;
  pause_ *= 2;
  next_trial_ = round + pause_;
  return 2;
}

TextResult run_speculative(Decoder& target, KvCache& cache, Proposer& proposer, TextRequest request,
                           const Tokenizer& tokenizer, int context, SpeculationFigures& figures) {
  return Speculation(target, cache, proposer, std::move(request), tokenizer, context).run(figures);
}

}  // namespace edgewright
