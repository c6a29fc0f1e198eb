#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright {

// Text to tokens and back. Thread-safe once made.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Tokens of a text, without a beginning-of-text token. Any bytes are valid. With `special`, the
  // names of special tokens in the text ("<|im_end|>") become those tokens; without, they are
  // ordinary text.
  virtual std::vector<int> encode(std::string_view text, bool special) const = 0;
  // The bytes that a token adds to a text; empty for special tokens unless `special`. Single tokens
  // may be parts of a UTF-8 character.
  virtual std::string token_bytes(int token, bool special = false) const = 0;
  virtual int size() const = 0;
  // The token of exactly this name; -1 when there is none.
  virtual int find(std::string_view name) const = 0;
  virtual bool is_special(int token) const = 0;
  // Whether the first token's leading space is no part of the text (SentencePiece's dummy prefix).
  virtual bool strips_first_space() const { return false; }
  // Whether prompts begin with the beginning-of-text token by the tokenizer's own settings.
  virtual bool adds_bos() const { return true; }

  // The whole text of tokens.
  std::string decode(std::span<const int> tokens, bool special = false) const;
};

// Tokens written as numbers between spaces, "1 555 315": for models without a tokenizer.
std::unique_ptr<Tokenizer> number_tokenizer(int size);

// A serialised SentencePiece model ("tokenizer.model").
Result<std::unique_ptr<Tokenizer>> open_sentencepiece(std::string_view serialised);

// The text of a tokenizer.json of Hugging Face's `tokenizers`, with a BPE model.
Result<std::unique_ptr<Tokenizer>> open_tokenizer_json(std::string_view text);

}  // namespace edgewright
