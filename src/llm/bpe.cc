#include "llm/bpe.h"

#include <algorithm>
#include <queue>

#include "base/quote.h"
#include "llm/config_fields.h"
#include "llm/sentencepiece_model.h"

namespace edgewright {
namespace {

constexpr size_t kMaxTokens = size_t{1} << 22;
constexpr size_t kMaxMerges = size_t{1} << 23;

uint64_t pair_key(int left, int right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

struct Symbol {
  int token;
  int previous, next;
};

struct Candidate {
  int rank, left, token, right_token, left_token;
};
// The lowest rank first, of equal ones the leftmost.
struct LaterCandidate {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.rank != b.rank ? a.rank > b.rank : a.left > b.left;
  }
};

}  // namespace

int BytePairs::find(std::string_view text) const {
  const auto found = ids_.find(std::string(text));
  return found == ids_.end() ? -1 : found->second;
}

Status BytePairs::add_merge(std::string_view left, std::string_view right) {
  const int a = find(left);
  const int b = find(right);
  const int merged = find(std::string(left) + std::string(right));
  if (a < 0 || b < 0 || merged < 0) {
    return bad_input("the merge of {} and {} is not in the vocabulary", edgewright::quoted(left),
                     edgewright::quoted(right));
  }
  merges_.emplace(pair_key(a, b), Merge{static_cast<int>(merges_.size()), merged});
  return {};
}

Result<TokenizerJson> parse_tokenizer_json(std::string_view text) {
  TokenizerJson out;
  std::string section;
  std::string token;
  bool inside = false;
  const auto look = [&](int depth, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::key && depth == 1) section = parsed.get<std::string>();
    if (event == Event::key && depth == 2) inside = section == "model" && parsed == "vocab";
    if (event == Event::object_end && depth == 2) inside = false;
    if (!inside || depth != 3) return true;
    if (event == Event::key) token = parsed.get<std::string>();
    if (event == Event::value) out.vocabulary.emplace_back(token, parsed);
    return false;
  };
  out.rest = Json::parse(text, look, false);
  if (!out.rest.is_object() || !out.rest.contains("model") || !out.rest["model"].is_object()) {
    return bad_input("expected a JSON object with a \"model\"");
  }
  return out;
}

Result<BytePairs> BytePairs::parse(const TokenizerJson& json) {
  Fields fields(json.rest["model"]);
  const auto& vocabulary = json.vocabulary;
  const Json& merges = fields.at("merges");
  if (vocabulary.empty() || !merges.is_array() || vocabulary.size() > kMaxTokens ||
      merges.size() > kMaxMerges) {
    return bad_input("expected \"vocab\" as an object and \"merges\" as a list");
  }
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!fields.text(name, "").empty()) return unsupported("\"{}\" is not supported", name);
  }
  BytePairs pairs;
  for (const auto& [text, id] : vocabulary) {
    // Ids may have gaps, which added tokens fill; beyond that the table would grow without need.
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= 2 * vocabulary.size() + 65536) {
      return bad_input("found no usable id for the token {}", edgewright::quoted(text));
    }
    const auto at = id.get<size_t>();
    if (pairs.texts_.size() <= at) pairs.texts_.resize(at + 1);
    pairs.texts_[at] = text;
    pairs.ids_.emplace(text, static_cast<int>(at));
  }
  for (const Json& merge : merges) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      EDGEWRIGHT_TRY(pairs.add_merge(merge[0].get_ref<const std::string&>(),
                                     merge[1].get_ref<const std::string&>()));
      continue;
    }
    const std::string text = merge.is_string() ? merge.get<std::string>() : "";
    const size_t space = text.find(' ');
    if (space == std::string::npos) return bad_input("expected a merge as \"left right\"");
    EDGEWRIGHT_TRY(pairs.add_merge(std::string_view(text).substr(0, space),
                                   std::string_view(text).substr(space + 1)));
  }
  pairs.byte_fallback_ = fields.flag("byte_fallback", false);
  pairs.ignore_merges_ = fields.flag("ignore_merges", false);
  pairs.fuse_unknown_ = fields.flag("fuse_unk", false);
  if (fields.has("unk_token")) pairs.unknown_ = pairs.find(fields.text("unk_token", ""));
  EDGEWRIGHT_TRY(fields.status());
  return pairs;
}

void BytePairs::add_unknown(std::string_view character, bool& after_unknown,
                            std::vector<int>& tokens) const {
  if (byte_fallback_) {
    std::vector<int> bytes;
    for (const char c : character) {
      bytes.push_back(find(fmt::format("<0x{:02X}>", static_cast<uint8_t>(c))));
    }
    if (std::ranges::find(bytes, -1) == bytes.end()) {
      tokens.insert(tokens.end(), bytes.begin(), bytes.end());
      return;
    }
  }
  if (unknown_ < 0 || (fuse_unknown_ && after_unknown)) return;
  tokens.push_back(unknown_);
  after_unknown = true;
}

void BytePairs::encode(std::string_view word, std::vector<int>& tokens) const {
  if (ignore_merges_) {
    if (const int whole = find(word); whole >= 0) return tokens.push_back(whole);
  }
  std::vector<int> start;
  bool after_unknown = false;
  while (!word.empty()) {
    const size_t length = std::max<size_t>(1, utf8_length(word));
    const int token = find(word.substr(0, length));
    if (token >= 0) {
      start.push_back(token);
      after_unknown = false;
    } else {
      add_unknown(word.substr(0, length), after_unknown, start);
    }
    word.remove_prefix(length);
  }
  const int count = static_cast<int>(start.size());
  std::vector<Symbol> symbols;
  symbols.reserve(start.size());
  for (int i = 0; i < count; ++i) {
    symbols.push_back({start[static_cast<size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
  }
  std::priority_queue<Candidate, std::vector<Candidate>, LaterCandidate> agenda;
  const auto consider = [&](int left) {
    if (left < 0) return;
    const Symbol& a = symbols[static_cast<size_t>(left)];
    if (a.next < 0) return;
    const Symbol& b = symbols[static_cast<size_t>(a.next)];
    const auto found = merges_.find(pair_key(a.token, b.token));
    if (found != merges_.end()) {
      agenda.push({found->second.rank, left, found->second.token, b.token, a.token});
    }
  };
  for (int i = 0; i + 1 < count; ++i) consider(i);
  while (!agenda.empty()) {
    const Candidate best = agenda.top();
    agenda.pop();
    Symbol& left = symbols[static_cast<size_t>(best.left)];
    // Symbols may have changed since this candidate was found; merged ones are -1.
    if (left.token != best.left_token || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    if (right.token != best.right_token) continue;
    right.token = -1;
    left.token = best.token;
    left.next = right.next;
    if (right.next >= 0) symbols[static_cast<size_t>(right.next)].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
  for (int i = count > 0 ? 0 : -1; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    tokens.push_back(symbols[static_cast<size_t>(i)].token);
  }
}

}  // namespace edgewright
