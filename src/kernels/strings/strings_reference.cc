// Operators on strings: StringConcat, StringSplit, RegexFullMatch and StringNormalizer.
#include <algorithm>
#include <string>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/walk.h"
#include "kernels/strings/pattern.h"
#include "kernels/strings/tfidf.h"

namespace edgewright {
namespace {

using namespace reference;

Result<const Tensor*> string_input(const OpCall& call, size_t i) {
  EDGEWRIGHT_ASSIGN(const Tensor* tensor, call.tensor(i));
  EDGEWRIGHT_TRY(expect_type(call, *tensor, DType::kString));
  return tensor;
}

// More characters than this in one tensor are a hostile model.
constexpr size_t kMostCharacters = size_t{1} << 30;

Status string_concat(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* a, string_input(call, 0));
  EDGEWRIGHT_ASSIGN(const Tensor* b, string_input(call, 1));
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({a, b}));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kString, plan.dims()));
  size_t characters = 0;
  map_broadcast(plan, a->string_elements().data(), b->string_elements().data(),
                out->mutable_string_elements().data(),
                [&](const std::string& x, const std::string& y) {
                  characters += x.size() + y.size();
                  return characters > kMostCharacters ? std::string() : x + y;
                });
  if (characters > kMostCharacters) return bad_input("StringConcat: the result is too large");
  return {};
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Parts between runs of white space, none of them empty.
std::vector<std::string> split_at_spaces(std::string_view text, int64_t most_splits) {
  std::vector<std::string> parts;
  size_t at = 0;
  for (;;) {
    while (at < text.size() && is_space(text[at])) ++at;
    if (at == text.size()) return parts;
    if (std::ssize(parts) == most_splits) {
      size_t end = text.size();
      while (is_space(text[end - 1])) --end;
      parts.emplace_back(text.substr(at, end - at));
      return parts;
    }
    size_t end = at;
    while (end < text.size() && !is_space(text[end])) ++end;
    parts.emplace_back(text.substr(at, end - at));
    at = end;
  }
}

std::vector<std::string> split_at_delimiter(std::string_view text, std::string_view delimiter,
                                            int64_t most_splits) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t end = std::ssize(parts) == most_splits ? text.npos : text.find(delimiter);
    parts.emplace_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + delimiter.size());
  }
}

// Parts along a last axis as long as the most parts of any string; shorter rows end in "".
Status string_split(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, string_input(call, 0));
  const std::string delimiter = call.attributes->get_string("delimiter", "");
  const int64_t given = call.attributes->get_int("maxsplit", -1);
  const int64_t most_splits = given < 0 ? INT64_MAX : given;
  std::vector<std::vector<std::string>> rows;
  size_t longest = 0;
  for (const std::string& text : x->string_elements()) {
    rows.push_back(delimiter.empty() ? split_at_spaces(text, most_splits)
                                     : split_at_delimiter(text, delimiter, most_splits));
    longest = std::max(longest, rows.back().size());
  }
  Dims dims = x->dims();
  dims.push_back(static_cast<int64_t>(longest));
  EDGEWRIGHT_ASSIGN(Tensor * counts, call.make_output(1, DType::kInt64, x->dims()));
  for (size_t i = 0; i < rows.size(); ++i) {
    counts->mutable_data<int64_t>()[i] = std::ssize(rows[i]);
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kString, std::move(dims)));
  auto& parts = out->mutable_string_elements();
  for (size_t i = 0; i < rows.size(); ++i) {
    std::move(rows[i].begin(), rows[i].end(),
              parts.begin() + static_cast<std::ptrdiff_t>(i * longest));
  }
  return {};
}

Status regex_full_match(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, string_input(call, 0));
  EDGEWRIGHT_ASSIGN(const Pattern pattern,
                    Pattern::compile(call.attributes->get_string("pattern", "")));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kBool, x->dims()));
  auto* to = out->mutable_data<uint8_t>();
  for (const std::string& text : x->string_elements()) *to++ = pattern.matches(text) ? 1 : 0;
  return {};
}

enum class CaseChange : uint8_t { kNone, kLower, kUpper };

// Letters of ASCII only: what other letters become depends on a locale, which results here must
// not.
std::string with_case(std::string text, CaseChange change) {
  for (char& c : text) {
    if (change == CaseChange::kLower && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (change == CaseChange::kUpper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

Result<CaseChange> case_change(const OpCall& call) {
  const std::string action = call.attributes->get_string("case_change_action", "NONE");
  if (action == "NONE") return CaseChange::kNone;
  if (action == "LOWER") return CaseChange::kLower;
  if (action == "UPPER") return CaseChange::kUpper;
  return bad_input("StringNormalizer: case_change_action \"{}\" is none of NONE, LOWER, UPPER",
                   action);
}

Status string_normalizer(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, string_input(call, 0));
  if (x->rank() == 0 || x->rank() > 2 || (x->rank() == 2 && x->dim(0) != 1)) {
    return bad_input("StringNormalizer: shape {}, expected [C] or [1, C]", dims_text(x->dims()));
  }
  EDGEWRIGHT_ASSIGN(const CaseChange change, case_change(call));
  const bool exact = call.attributes->get_int("is_case_sensitive", 0) != 0;
  const auto compared = [&](const std::string& text) {
    return exact ? text : with_case(text, CaseChange::kLower);
  };
  std::vector<std::string> stopwords;
  for (const std::string& word : call.attributes->get_strings("stopwords")) {
    stopwords.push_back(compared(word));
  }
  std::sort(stopwords.begin(), stopwords.end());
  std::vector<std::string> kept;
  for (const std::string& text : x->string_elements()) {
    if (std::binary_search(stopwords.begin(), stopwords.end(), compared(text))) continue;
    kept.push_back(with_case(text, change));
  }
  if (kept.empty()) kept.emplace_back();
  Dims dims(x->rank(), 1);
  dims.back() = std::ssize(kept);
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kString, std::move(dims)));
  out->mutable_string_elements() = std::move(kept);
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "StringConcat", string_concat},       {"", "StringSplit", string_split},
    {"", "RegexFullMatch", regex_full_match},  {"", "StringNormalizer", string_normalizer},
    {"", "TfIdfVectorizer", tfidf_vectorizer},
};

}  // namespace

std::span<const ReferenceKernel> strings_reference_kernels() { return kKernels; }

}  // namespace edgewright
