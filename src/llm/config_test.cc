#include "llm/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace edgewright {
namespace {

Json small(const char* class_name) {
  return {{"architectures", {class_name}},
          {"hidden_size", 64},
          {"num_hidden_layers", 6},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"intermediate_size", 128},
          {"vocab_size", 100},
          {"max_position_embeddings", 256}};
}

TEST(ConfigTest, UnknownArchitecturesAreRefusedByName) {
  const auto config = config_from_hugging_face(small("FalconForCausalLM"));
  EXPECT_EQ(config.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(config.error().message, testing::HasSubstr("FalconForCausalLM"));
}

TEST(ConfigTest, WhatIsMissingIsSaid) {
  Json json = small("Qwen2MoeForCausalLM");
  json["num_experts"] = 60;
  EXPECT_THAT(config_from_hugging_face(json).error().message,
              testing::HasSubstr("Qwen2MoeForCausalLM is not supported: missing a mixture of "
                                 "experts; expected one of llama"));
  json["layer_norm_eps"] = 1e-5;
  json["n_routed_experts"] = 8;
  EXPECT_THAT(config_from_hugging_face(json).error().message,
              testing::HasSubstr("missing a mixture of experts, norms that subtract the mean;"));
  json["num_experts"] = json["n_routed_experts"] = 0;
  json["layer_norm_eps"] = nullptr;
  EXPECT_THAT(config_from_hugging_face(json).error().message,
              testing::HasSubstr("is not supported; expected"));
  const auto gguf = config_from_gguf(
      {{"general.architecture", "mamba"}, {"mamba.ssm.state_size", 16}, {"mamba.block_count", 2}});
  EXPECT_EQ(gguf.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(gguf.error().message,
              testing::HasSubstr("\"mamba\" is not supported: missing state-space layers"));
}

TEST(ConfigTest, SizesOutOfRangeAreBadInput) {
  Json json = small("LlamaForCausalLM");
  json["num_key_value_heads"] = 3;
  EXPECT_EQ(config_from_hugging_face(json).error().kind, ErrorKind::kBadInput);
  json["num_key_value_heads"] = -1;
  EXPECT_EQ(config_from_hugging_face(json).error().kind, ErrorKind::kBadInput);
  json["num_key_value_heads"] = "two";
  EXPECT_EQ(config_from_hugging_face(json).error().kind, ErrorKind::kBadInput);
}

TEST(ConfigTest, WindowsFollowTheFamily) {
  Json json = small("Gemma2ForCausalLM");
  json["sliding_window"] = 16;
  auto config = config_from_hugging_face(json);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->windowed, (std::vector<bool>{true, false, true, false, true, false}));
  EXPECT_EQ(config->embedding_scale, 8);
  json = small("Gemma3ForCausalLM");
  json["sliding_window"] = 16;
  config = config_from_hugging_face(json);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->windowed, (std::vector<bool>{true, true, true, true, true, false}));
  EXPECT_EQ(config->windowed_rope.theta, 10000.0f);
}

TEST(ConfigTest, RopeScalingChangesSlowPairsOnly) {
  Json json = small("LlamaForCausalLM");
  json["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 32}};
  const auto config = config_from_hugging_face(json);
  ASSERT_TRUE(config.ok());
  const std::vector<float> frequencies = rope_frequencies(config->rope, 100);
  ASSERT_EQ(frequencies.size(), 8u);
  EXPECT_EQ(frequencies[0], 1.0f);
  EXPECT_FLOAT_EQ(frequencies[7], static_cast<float>(std::pow(10000.0, -7.0 / 8) / 8));
}

TEST(ConfigTest, ThePackedFormKeepsEverything) {
  const auto config = config_from_hugging_face(small("Qwen2ForCausalLM"));
  ASSERT_TRUE(config.ok());
  const Json json = config_to_json(*config);
  const auto again = config_from_json(json);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(config_to_json(*again), json);
  EXPECT_TRUE(again->qkv_bias);
}

}  // namespace
}  // namespace edgewright
