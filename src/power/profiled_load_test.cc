#include "power/profiled_load.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

// A model of two layers, a prompt of 8 tokens and 4 decoded ones: 10 multiply-adds a token and
// product, 16 in the head, 6 operations and 3 bytes a token and position of each layer's attention.
Json profile() {
  Json operators = Json::array();
  const auto add = [&operators](const char* phase, const char* role, double each, double calls,
                                double tokens, double flops, double bytes) {
    operators.push_back({{"phase", phase},
                         {"role", role},
                         {"multiply_adds", each * tokens},
                         {"flops", flops > 0 ? flops : 2 * each * tokens},
                         {"bytes_read", bytes},
                         {"calls", calls}});
  };
  // The decoded tokens see 9 to 12 positions.
  constexpr double kPositions = 9 + 10 + 11 + 12;
  for (int layer = 0; layer < 2; ++layer) {
    for (const char* role : {"qkv", "output-projection", "ffn-up", "ffn-down"}) {
      add("prefill", role, 10, 1, 8, 0, 40);
      add("decode", role, 10, 4, 4, 0, 40);
    }
    add("decode", "attention", 0, 4, 4, 6 * kPositions, 3 * kPositions);
  }
  add("decode", "head", 16, 4, 4, 0, 64);
  return {{"schema", "edgewright.profile/1"}, {"operators", operators}};
}

TEST(ProfiledLoad, IsWhatWasCounted) {
  const Json document = profile();
  ASSERT_TRUE(is_profile(document));
  const auto load = profiled_load(document, "p.json", "int8");
  ASSERT_TRUE(load.ok()) << load.error().message;
  EXPECT_DOUBLE_EQ(load->operations_per_token, 2 * (2 * 4 * 10 + 16));
  EXPECT_DOUBLE_EQ(load->weight_bytes, 96 * 1.0625);
  EXPECT_DOUBLE_EQ(load->operations_per_token_position, 12);
  EXPECT_DOUBLE_EQ(load->cache_bytes_per_position, 6);
  EXPECT_EQ(load->layers, 2);
}

TEST(ProfiledLoad, RefusesOtherProfilesAndPrecisions) {
  EXPECT_EQ(profiled_load(profile(), "p.json", "int3").error().kind, ErrorKind::kUsage);
  for (const char* text : {"{}", R"({"operators": 3})", R"({"operators": [3, {"phase": 1}]})",
                           R"({"operators": [{"phase": "decode", "role": "head", "calls": 1}]})"}) {
    EXPECT_EQ(profiled_load(Json::parse(text), "p.json", "int8").error().kind, ErrorKind::kBadInput)
        << text;
  }
  EXPECT_FALSE(is_profile(Json::parse(R"({"schema": "edgewright.bench/1"})")));
  EXPECT_FALSE(is_profile(Json::parse("[]")));
}

}  // namespace
}  // namespace edgewright
