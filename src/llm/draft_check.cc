#include "llm/draft_check.h"

#include <algorithm>

#include "llm/speculate.h"

namespace edgewright {
namespace {

size_t common_beginning(std::span<const int> a, std::span<const int> b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

DraftChecker::DraftChecker(std::shared_ptr<const PackedModel> model, ThreadPool& pool, int context,
                           int sequences)
    : cache_(model->config, language::CacheType::kF16, sequences * (context / kPageTokens + 2)),
      decoder_(std::move(model), pool),
      context_(context),
      most_kept_(static_cast<size_t>(sequences)) {}

Status DraftChecker::validate(const DraftQuestion& question) const {
  const auto count = static_cast<int>(question.tokens.size());
  if (question.prompt < 1 || question.drafted < 0 || question.more < 0 ||
      question.prompt + question.drafted > count) {
    return usage_error(
        "found {} tokens, {} of the prompt, {} drafted and {} more wanted; expected a prompt, and "
        "drafts within the tokens behind it",
        count, question.prompt, question.drafted, question.more);
  }
  if (count + question.more >= context_) {
    return usage_error("found {} tokens and {} more wanted, expected fewer than the context of {}",
                       count, question.more, context_);
  }
  const int vocabulary = decoder_.config().vocabulary;
  const auto out_of_range = [vocabulary](int token) { return token < 0 || token >= vocabulary; };
  const auto it = std::ranges::find_if(question.tokens, out_of_range);
  if (it != question.tokens.end()) {
    return usage_error("found token {}, expected 0 to {}", *it, vocabulary - 1);
  }
  return {};
}

// A kept sequence may be gone on with when it is of the same prompt.
DraftChecker::Kept& DraftChecker::sequence_for(const DraftQuestion& question) {
  const auto prompt = std::span(question.tokens).first(static_cast<size_t>(question.prompt));
  auto it = std::ranges::find_if(kept_, [&](const Kept& kept) {
    return common_beginning(kept.tokens, question.tokens) >= prompt.size();
  });
  if (it == kept_.end()) {
    if (kept_.size() == most_kept_) kept_.pop_back();
    kept_.push_front({{}, SequenceCache(cache_)});
    return kept_.front();
  }
  kept_.splice(kept_.begin(), kept_, it);
  return kept_.front();
}

void DraftChecker::choose(Kept& kept, const DraftQuestion& question, std::span<const int> rows,
                          language::Phase phase, std::vector<int>& chosen) {
  const auto vocabulary = static_cast<size_t>(decoder_.config().vocabulary);
  const int length = kept.cache.length();
  EDGEWRIGHT_CHECK(kept.cache.reserve(length + static_cast<int>(rows.size())));
  logits_.resize(rows.size() * vocabulary);
  const DecoderRun run{&kept.cache, rows, static_cast<int>(rows.size())};
  decoder_.run(std::span(&run, 1), phase, logits_);
  size_t right = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    kept.tokens.push_back(rows[i]);
    const auto index = kept.tokens.size() - static_cast<size_t>(question.prompt);
    chosen.push_back(sample(std::span(logits_).subspan(i * vocabulary, vocabulary), kept.tokens,
                            question.sampling, index, scratch_));
    if (i + 1 == rows.size() || chosen.back() != rows[i + 1]) break;
    ++right;
  }
  kept.cache.truncate(length + 1 + static_cast<int>(right));
}

Result<std::vector<int>> DraftChecker::check(const DraftQuestion& question) {
  EDGEWRIGHT_TRY(validate(question));
  Kept& kept = sequence_for(question);
  const std::span<const int> tokens = question.tokens;
  // Everything before the last token that is no draft must be in the cache, and nothing else.
  const size_t sure = tokens.size() - static_cast<size_t>(question.drafted) - 1;
  const size_t common = std::min(common_beginning(kept.tokens, tokens), sure);
  kept.tokens.resize(common);
  kept.cache.truncate(static_cast<int>(common));
  const auto prompt = static_cast<size_t>(question.prompt);
  // The prompt and the answer's own tokens go through the arithmetic that the target alone uses.
  EDGEWRIGHT_CHECK(kept.cache.reserve(static_cast<int>(sure)));
  catch_up(decoder_, kept.cache, tokens.first(std::min(prompt, sure)), 0,
           language::Phase::kPrefill);
  catch_up(decoder_, kept.cache, tokens.first(sure), 0, language::Phase::kDecode);
  kept.tokens.assign(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(sure));
  std::vector<int> chosen;
  if (sure + 1 == prompt) {
    // The prompt's last token alone, and what is drafted behind it on its own.
    choose(kept, question, tokens.subspan(sure, 1), language::Phase::kPrefill, chosen);
    const auto drafts = tokens.subspan(prompt);
    if (!drafts.empty() && chosen.back() == drafts[0]) {
      choose(kept, question, drafts, language::Phase::kDecode, chosen);
    }
  } else {
    choose(kept, question, tokens.subspan(sure), language::Phase::kDecode, chosen);
  }
  const auto& ends = decoder_.config().eos;
  const auto is_end = [&ends](int token) { return std::ranges::find(ends, token) != ends.end(); };
  for (int i = 0; i < question.more && !is_end(chosen.back()); ++i) {
    const int last = chosen.back();
    choose(kept, question, std::span(&last, 1), language::Phase::kDecode, chosen);
  }
  return chosen;
}

}  // namespace edgewright
