// What extended tests ask of the engine beside its commands; numbers are little-endian, 4 bytes.
//   language_probe tokens MODEL|TOKENIZER     text on stdin, int32 tokens on stdout
//   language_probe many TOKENIZER             texts that end with a zero byte on stdin; for each
//   the
//                                             count of its tokens and the tokens
//   language_probe logits MODEL PRECISION CACHE prompt|stepwise
//                                             int32 tokens on stdin, float32 logits on stdout

#include <fmt/format.h>

#include <cstring>
#include <iostream>
#include <iterator>

#include "api/language_open.h"
#include "edgewright/language.h"

namespace edgewright {
namespace {

std::string standard_input() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

template <class Value>
void write(const std::vector<Value>& values) {
  std::cout.write(reinterpret_cast<const char*>(values.data()),
                  static_cast<std::streamsize>(values.size() * sizeof(Value)));
}

Status write_tokens(const std::string& path, bool many) {
  EDGEWRIGHT_ASSIGN(const TokenizerSource source,
                    is_language_model(path) ? find_tokenizer(path, "") : find_tokenizer("", path));
  EDGEWRIGHT_ASSIGN(const auto tokenizer, open_tokenizer(source, 0));
  const std::string text = standard_input();
  // The package `tokenizers` takes the names of special tokens for them wherever they stand.
  const bool special = source.kind == TokenizerSource::Kind::kJson;
  if (!many) {
    write(tokenizer->encode(text, false));
    return {};
  }
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\0', begin);
    const std::vector<int> tokens = tokenizer->encode(text.substr(begin, end - begin), special);
    write(std::vector<int>{static_cast<int>(tokens.size())});
    write(tokens);
    begin = end == std::string::npos ? text.size() : end + 1;
  }
  return {};
}

Status write_logits(const std::string& path, const LanguageOptions& options, bool stepwise) {
  EDGEWRIGHT_ASSIGN(LanguageModel model, LanguageModel::open(path, options));
  const std::string bytes = standard_input();
  std::vector<int> tokens(bytes.size() / sizeof(int));
  std::memcpy(tokens.data(), bytes.data(), tokens.size() * sizeof(int));
  EDGEWRIGHT_ASSIGN(const std::vector<float> logits, model.logits(tokens, stepwise));
  write(logits);
  return {};
}

Status run(const std::vector<std::string>& words) {
  if (words.size() == 2 && (words[0] == "tokens" || words[0] == "many")) {
    return write_tokens(words[1], words[0] == "many");
  }
  if (words.size() == 5 && words[0] == "logits") {
    LanguageOptions options;
    options.precision = words[2];
    options.kv_cache = words[3];
    return write_logits(words[1], options, words[4] == "stepwise");
  }
  return usage_error("see the first lines of tests/language/probe.cc");
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  const edgewright::Status done = edgewright::run({argv + 1, argv + argc});
  if (done.ok()) return 0;
  fmt::print(stderr, "language_probe: {}\n", done.error().message);
  return 1;
}
