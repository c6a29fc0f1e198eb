#include "llm/sentencepiece_model.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/quote.h"
#include "llm/protobuf_reader.h"

namespace edgewright {
namespace {

constexpr std::string_view kSpaceMark = "\xe2\x96\x81";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr size_t kMaxPieces = size_t{1} << 22;
constexpr size_t kMaxPieceBytes = 4096;
// The library looks at no more keys of its map than this at one place.
constexpr int kMaxMapMatches = 32;

Result<SentencePieceModel::Piece> read_piece(std::string_view bytes) {
  SentencePieceModel::Piece piece;
  ProtobufReader reader(bytes);
  while (reader.next()) {
    if (reader.field() == 1) piece.text = std::string(reader.bytes().substr(0, kMaxPieceBytes));
    if (reader.field() == 2) piece.score = reader.as_float();
    if (reader.field() == 3) piece.type = static_cast<int>(reader.number() & 0xff);
  }
  const bool known =
      piece.type >= SentencePieceModel::kNormal && piece.type <= SentencePieceModel::kByte;
  if (!reader.ok() || piece.text.empty() || !known || !std::isfinite(piece.score)) {
    return bad_input("found a malformed piece {}", edgewright::quoted(piece.text));
  }
  return piece;
}

Status read_trainer(std::string_view bytes, SentencePieceModel& model) {
  ProtobufReader reader(bytes);
  while (reader.next()) {
    if (reader.field() == 3) {
      if (reader.number() != 1 && reader.number() != 2) {
        constexpr const char* kRead =
            "SentencePiece model of kind {}, expected unigram (1) or byte-pair (2)";
        const bool exists = reader.number() == 3 || reader.number() == 4;  // words, characters
        return exists ? unsupported(kRead, reader.number()) : bad_input(kRead, reader.number());
      }
      model.unigram = reader.number() == 1;
    }
    if (reader.field() == 24) model.space_is_suffix = reader.number() != 0;
    if (reader.field() == 35) model.byte_fallback = reader.number() != 0;
  }
  if (!reader.ok()) return bad_input("the trainer's settings are malformed");
  return {};
}

uint32_t word_at(std::string_view bytes, size_t index) {
  uint32_t word = 0;
  std::memcpy(&word, bytes.data() + 4 * index, 4);
  return word;
}

Status read_normaliser(std::string_view bytes, SentencePieceModel& model) {
  ProtobufReader reader(bytes);
  while (reader.next()) {
    if (reader.field() == 2) model.character_map = std::string(reader.bytes());
    if (reader.field() == 3) model.dummy_prefix = reader.number() != 0;
    if (reader.field() == 4) model.remove_extra_spaces = reader.number() != 0;
    if (reader.field() == 5) model.escape_spaces = reader.number() != 0;
  }
  if (!reader.ok()) return bad_input("the normaliser's settings are malformed");
  const std::string_view map = model.character_map;
  if (map.empty()) return {};
  const size_t trie_bytes = map.size() < 8 ? 0 : word_at(map, 0);
  if (trie_bytes < 4 || trie_bytes % 4 != 0 || trie_bytes >= map.size() - 4 || map.back() != '\0') {
    return bad_input("the normaliser's character map is damaged");
  }
  return {};
}

// What a text begins with and what it becomes.
struct Replacement {
  std::string_view text;
  size_t consumed = 0;
};

// Looks the text up in the map's double array, as Darts-clone lays it out: a unit holds its label
// in bits 0-7, whether a value hangs below it in bit 8, and the offset of its children from bit 10,
// scaled by 256 when bit 9 is set; a value has bit 31 set and is an offset into the replacements.
Replacement look_up(std::string_view map, std::string_view text) {
  if (map.empty()) return {};
  const size_t trie_bytes = word_at(map, 0);
  const std::string_view trie = map.substr(4, trie_bytes);
  const std::string_view replacements = map.substr(4 + trie_bytes);
  const size_t units = trie_bytes / 4;
  const auto children = [](size_t at, uint32_t unit) {
    return at ^ (static_cast<size_t>(unit >> 10) << ((unit & 512) >> 6));
  };
  Replacement best;
  size_t at = children(0, word_at(trie, 0));
  int matches = 0;
  for (size_t i = 0; i < text.size() && matches < kMaxMapMatches; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    at ^= byte;
    if (byte == 0 || at >= units) break;
    const uint32_t unit = word_at(trie, at);
    if ((unit & 0x800000ff) != byte) break;
    at = children(at, unit);
    if ((unit & 256) == 0) continue;
    if (at >= units) break;
    const size_t value = word_at(trie, at) & 0x7fffffff;
    if (value >= replacements.size()) break;
    best.text = replacements.substr(value, replacements.find('\0', value) - value);
    best.consumed = i + 1;
    ++matches;
  }
  return best;
}

Replacement normalise_prefix(const SentencePieceModel& model, const PrefixSet& user_defined,
                             std::string_view text) {
  if (const size_t length = user_defined.match(text); length > 0) {
    return {text.substr(0, length), length};
  }
  if (const Replacement found = look_up(model.character_map, text); found.consumed > 0) {
    return found;
  }
  const size_t length = utf8_length(text);
  if (length == 0) return {kReplacement, 1};
  return {text.substr(0, length), length};
}

}  // namespace

size_t utf8_length(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (text.empty()) return 0;
  const uint8_t first = at(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf8   ? 0
                        : first >= 0xf0 ? 4
                        : first >= 0xe0 ? 3
                        : first >= 0xc0 ? 2
                                        : 0;
  if (length == 0 || length > text.size()) return 0;
  uint32_t code = first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (at(i) & 0x3fu);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < kSmallest[length] || code > 0x10ffff || surrogate ? 0 : length;
}

void PrefixSet::add(const std::string& text) {
  if (text.empty()) return;
  auto& list = by_first_[text[0]];
  list.insert(
      std::ranges::find_if(list, [&](const std::string& s) { return s.size() < text.size(); }),
      text);
}

size_t PrefixSet::match(std::string_view text) const {
  const auto found = text.empty() ? by_first_.end() : by_first_.find(text[0]);
  if (found == by_first_.end()) return 0;
  for (const std::string& entry : found->second) {
    if (text.starts_with(entry)) return entry.size();
  }
  return 0;
}

Result<SentencePieceModel> parse_sentencepiece(std::string_view serialised) {
  SentencePieceModel model;
  ProtobufReader reader(serialised);
  while (reader.next()) {
    if (reader.field() == 1) {
      EDGEWRIGHT_ASSIGN(auto piece, read_piece(reader.bytes()));
      model.pieces.push_back(std::move(piece));
      if (model.pieces.size() > kMaxPieces) return bad_input("there are too many pieces");
    }
    if (reader.field() == 2) EDGEWRIGHT_TRY(read_trainer(reader.bytes(), model));
    if (reader.field() == 3) EDGEWRIGHT_TRY(read_normaliser(reader.bytes(), model));
  }
  if (!reader.ok()) return bad_input("expected a serialised SentencePiece model");
  if (model.pieces.empty()) return bad_input("the SentencePiece model has no pieces");
  return model;
}

std::string serialise_sentencepiece(const SentencePieceModel& model) {
  ProtobufWriter out;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    ProtobufWriter inner;
    inner.bytes(1, piece.text);
    inner.real(2, piece.score);
    inner.number(3, static_cast<uint64_t>(piece.type));
    out.bytes(1, inner.text());
  }
  ProtobufWriter trainer;
  trainer.number(3, model.unigram ? 1 : 2);
  trainer.number(24, model.space_is_suffix ? 1 : 0);
  trainer.number(35, model.byte_fallback ? 1 : 0);
  out.bytes(2, trainer.text());
  ProtobufWriter normaliser;
  normaliser.bytes(2, model.character_map);
  normaliser.number(3, model.dummy_prefix ? 1 : 0);
  normaliser.number(4, model.remove_extra_spaces ? 1 : 0);
  normaliser.number(5, model.escape_spaces ? 1 : 0);
  out.bytes(3, normaliser.text());
  return out.text();
}

std::string normalise(const SentencePieceModel& model, const PrefixSet& user_defined,
                      std::string_view text) {
  const std::string_view space = model.escape_spaces ? kSpaceMark : " ";
  if (model.remove_extra_spaces) {
    while (!text.empty()) {
      const Replacement next = normalise_prefix(model, user_defined, text);
      if (next.text != " ") break;
      text.remove_prefix(next.consumed);
    }
  }
  if (text.empty()) return "";
  std::string out;
  if (model.dummy_prefix && !model.space_is_suffix) out += space;
  bool after_space = model.remove_extra_spaces;
  while (!text.empty()) {
    Replacement next = normalise_prefix(model, user_defined, text);
    text.remove_prefix(next.consumed);
    while (after_space && next.text.starts_with(' ')) next.text.remove_prefix(1);
    if (next.text.empty()) continue;
    for (const char c : next.text) {
      if (c == ' ') {
        out += space;
      } else {
        out += c;
      }
    }
    after_space = model.remove_extra_spaces && next.text.ends_with(' ');
  }
  while (model.remove_extra_spaces && out.ends_with(space)) out.resize(out.size() - space.size());
  if (model.dummy_prefix && model.space_is_suffix) out += space;
  return out;
}

int byte_of(const SentencePieceModel::Piece& piece) {
  const std::string_view text = piece.text;
  if (piece.type != SentencePieceModel::kByte || text.size() != 6 || !text.starts_with("<0x")) {
    return -1;
  }
  // Digits only: a sign or a space is none, whatever other readers of numbers take.
  int value = -1;
  const char* end = text.data() + 5;
  const auto read = std::from_chars(text.data() + 3, end, value, 16);
  return read.ec == std::errc() && read.ptr == end && value >= 0 ? value : -1;
}

}  // namespace edgewright
