// Damaged files of language models: each is refused with a reason, or opens and computes.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "base/file.h"
#include "base/json.h"
#include "edgewright/language.h"
#include "edgewright/tensor.h"
#include "llm/chat.h"
#include "llm/sentencepiece_model.h"
#include "llm/tokenizer.h"

namespace edgewright {
namespace {

namespace fs = std::filesystem;

// EDGEWRIGHT_FUZZ_ROUNDS=2000 makes 10,000 files of five kinds.
int rounds() {
  const char* wanted = std::getenv("EDGEWRIGHT_FUZZ_ROUNDS");
  return wanted == nullptr ? 150 : std::atoi(wanted);
}

// Changes some bytes, cuts the end off, or repeats a stretch.
std::string mutate(std::string text, std::mt19937_64& random) {
  const auto below = [&](size_t limit) { return static_cast<size_t>(random() % limit); };
  if (text.empty()) return text;
  switch (below(4)) {
    case 0: text.resize(below(text.size())); break;
    case 1: text.insert(below(text.size()), text.substr(below(text.size()), 1 + below(32))); break;
    default:
      // Headers decide most, so that half of the changes go there.
      for (size_t i = 0; i <= below(8); ++i) {
        const size_t range = below(2) == 0 ? std::min<size_t>(text.size(), 2048) : text.size();
        text[below(range)] = static_cast<char>(random());
      }
  }
  return text;
}

class LanguageFuzzTest : public testing::Test {
 protected:
  void SetUp() override {
    // A folder of its own: tests run side by side.
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::path(testing::TempDir()) / ("language_fuzz_" + name);
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "model");
    write("model/config.json", kConfig);
    write("model/tokenizer.json", kTokenizer);
    write("model/model.safetensors", safetensors());
  }
  void TearDown() override {
    fs::remove_all(folder_);
    for (const auto& [ending, count] : endings_) fmt::print("{} {}\n", count, ending);
  }

  void write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(write_file((folder_ / name).string(), text).ok());
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // Opens a file and lets it compute; only expected kinds of failure may come.
  void use(const std::string& name) {
    auto model = LanguageModel::open(path(name));
    ++endings_[model.ok() ? "opened" : "refused as damaged"];
    if (!model.ok()) {
      EXPECT_EQ(model.error().kind, ErrorKind::kBadInput) << model.error().message;
      return;
    }
    GenerateOptions options;
    options.prompt = "ab abab";
    options.max_tokens = 3;
    options.measure_bandwidth = false;
    const auto report = model->generate(options);
    if (!report.ok()) {
      EXPECT_NE(report.error().kind, ErrorKind::kInternal);
    }
  }

  void fuzz(const std::string& name, const std::string& model, uint64_t seed) {
    const auto original = read_file(path(name));
    ASSERT_TRUE(original.ok());
    std::mt19937_64 random(seed);
    for (int round = 0; round < rounds(); ++round) {
      write(name, mutate(*original, random));
      use(model);
    }
    write(name, *original);
  }

  static std::string safetensors() {
    std::string header = "{";
    size_t offset = 0;
    const auto add = [&](const std::string& name, const std::string& shape, size_t count) {
      if (offset > 0) header += ",";
      header += fmt::format(R"("{}":{{"dtype":"F16","shape":[{}],"data_offsets":[{},{}]}})", name,
                            shape, offset, offset + 2 * count);
      offset += 2 * count;
    };
    add("model.embed_tokens.weight", "8,32", 256);
    add("model.norm.weight", "32", 32);
    const std::string place = "model.layers.0.";
    add(place + "input_layernorm.weight", "32", 32);
    add(place + "post_attention_layernorm.weight", "32", 32);
    for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
      add(place + "self_attn." + name + ".weight", "32,32", 1024);
    }
    add(place + "mlp.gate_proj.weight", "32,32", 1024);
    add(place + "mlp.up_proj.weight", "32,32", 1024);
    add(place + "mlp.down_proj.weight", "32,32", 1024);
    header += "}";
    while (header.size() % 8 != 0) header += " ";
    std::string text(8, '\0');
    for (size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(header.size() >> (8 * i));
    text += header;
    for (size_t i = 0; i < offset / 2; ++i) {
      const uint16_t bits = Half::from_float(0.01f * static_cast<float>(i % 37) - 0.18f);
      text += static_cast<char>(bits);
      text += static_cast<char>(bits >> 8);
    }
    return text;
  }

  static constexpr const char* kConfig = R"({"architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
    "intermediate_size": 32, "vocab_size": 8, "max_position_embeddings": 64, "rope_theta": 10000.0,
    "rms_norm_eps": 1e-05, "tie_word_embeddings": true, "eos_token_id": [2, 3], "bos_token_id": 1})";
  static constexpr const char* kTokenizer = R"({"added_tokens": [{"id": 6, "content": "<e>",
    "special": true}], "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence",
    "pretokenizers": [{"type": "Split", "pattern": {"Regex": " ?\\p{L}+|\\s+"}, "behavior":
    "Isolated", "invert": false}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex":
    false}]}, "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1,
    "Ġ": 2, "ab": 3, "Ġab": 4, "c": 5}, "merges": ["a b", "Ġ ab"]}})";

  std::map<std::string, int> endings_;  // how many files ended how
  fs::path folder_;
};

TEST_F(LanguageFuzzTest, Configurations) { fuzz("model/config.json", "model", 1); }
TEST_F(LanguageFuzzTest, TokenizerJson) { fuzz("model/tokenizer.json", "model", 2); }
TEST_F(LanguageFuzzTest, Safetensors) { fuzz("model/model.safetensors", "model", 3); }

TEST_F(LanguageFuzzTest, Gguf) {
  ASSERT_TRUE(
      convert_language_model(path("model"), path("model.gguf"), {.precision = "int8"}).ok());
  fuzz("model.gguf", "model.gguf", 4);
}

TEST_F(LanguageFuzzTest, PackedModels) {
  for (const char* precision : {"int8", "int4"}) {
    ASSERT_TRUE(
        convert_language_model(path("model"), path("model.ewlm"), {.precision = precision}).ok());
    fuzz("model.ewlm", "model.ewlm", 5);
  }
}

// They come out of model files and are run when someone talks to the model.
TEST_F(LanguageFuzzTest, ChatTemplates) {
  const auto recorded = read_file(EDGEWRIGHT_LANGUAGE_TEMPLATES);
  ASSERT_TRUE(recorded.ok());
  const Json all = Json::parse(*recorded);
  const std::vector<ChatTurn> turns = {
      {"system", "s"}, {"user", "u"}, {"assistant", "a"}, {"user", "v"}};
  std::mt19937_64 random(7);
  for (int round = 0; round < 10 * rounds(); ++round) {
    const Json& entry = all["cases"][random() % all["cases"].size()];
    const std::string source = mutate(entry["template"].get<std::string>(), random);
    const auto text = format_chat(source, turns, {"<s>", "</s>"});
    ++endings_[text.ok() ? "rendered" : "refused"];
    if (!text.ok()) {
      EXPECT_NE(text.error().kind, ErrorKind::kInternal) << source;
    }
  }
}

TEST_F(LanguageFuzzTest, SentencePieceModels) {
  SentencePieceModel model;
  model.byte_fallback = true;
  model.pieces = {{"<unk>", 0, SentencePieceModel::kUnknown}};
  for (int i = 0; i < 256; ++i) {
    model.pieces.push_back({fmt::format("<0x{:02X}>", i), 0, SentencePieceModel::kByte});
  }
  for (const char* text : {"a", "b", "ab", "\xe2\x96\x81"}) {
    model.pieces.push_back({text, -1, SentencePieceModel::kNormal});
  }
  // A double array of 256 units in which "a" leads to the replacement "b".
  std::string map(4 + 1024, '\0');
  map[1] = 4;
  map += std::string("b\0", 2);
  model.character_map = map;
  std::mt19937_64 random(6);
  for (int round = 0; round < 10 * rounds(); ++round) {
    model.unigram = round % 2 == 0;
    const auto tokenizer = open_sentencepiece(mutate(serialise_sentencepiece(model), random));
    if (!tokenizer.ok()) continue;
    const std::vector<int> tokens = (*tokenizer)->encode("ab \xff\xe2 a\nb \xf0\x9f\x98\x80", true);
    (*tokenizer)->decode(tokens);
  }
}

}  // namespace
}  // namespace edgewright
