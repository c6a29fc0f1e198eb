#include "llm/weight_types.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

using language::WeightType;

// Rows of the head: no blocks of 256.
const ModelConfig kSmall = {.hidden = 128,
                            .layers = 2,
                            .heads = 2,
                            .kv_heads = 1,
                            .head_dim = 64,
                            .ffn = 352,
                            .vocabulary = 6144,
                            .tied = true};
const ModelConfig kMiddle = {.hidden = 256,
                             .layers = 8,
                             .heads = 4,
                             .kv_heads = 2,
                             .head_dim = 64,
                             .ffn = 704,
                             .vocabulary = 6144,
                             .tied = true};
const ModelConfig kUntied = {.hidden = 2048,
                             .layers = 22,
                             .heads = 32,
                             .kv_heads = 4,
                             .head_dim = 64,
                             .ffn = 5632,
                             .vocabulary = 32000,
                             .tied = false};

// The types of embedding, query, value, output, gate and up, down.
using Types = std::vector<std::optional<WeightType>>;
Types types_of(const ModelConfig& config, std::string_view precision) {
  const WeightTypes types(config, *precision_of(precision));
  return {types.of("embedding", 0, 1),        types.of("layers.0.qkv", 0, 3),
          types.of("layers.0.qkv", 2, 3),     types.of("layers.1.output", 0, 1),
          types.of("layers.0.gate_up", 1, 2), types.of("layers.1.down", 0, 1)};
}

TEST(WeightTypes, FourBitsGiveWayWhereQ4WouldTakeMore) {
  constexpr auto kNarrow = WeightType::kQ4, kWide = WeightType::kQ6;
  EXPECT_EQ(types_of(kSmall, "int4"), (Types{kWide, kNarrow, kWide, kWide, kNarrow, kWide}));
  EXPECT_EQ(types_of(kMiddle, "int4"), (Types{kWide, kNarrow, kNarrow, kNarrow, kNarrow, kNarrow}));
  // An embedding beside the head is none of its bits.
  EXPECT_EQ(types_of(kUntied, "int4"), Types(6, kNarrow));
  EXPECT_EQ(WeightTypes(kUntied, *precision_of("int4")).of("head", 0, 1), kWide);
  // Values among the rows of one matrix cannot have a type of their own.
  EXPECT_EQ(WeightTypes(kSmall, *precision_of("int4")).of("layers.0.qkv", 0, 1), kNarrow);
}

TEST(WeightTypes, OtherPrecisionsAreOneTypeBesideTheHead) {
  EXPECT_EQ(types_of(kSmall, "int8"), Types(6, WeightType::kQ8));
  EXPECT_EQ(types_of(kSmall, "stored"), Types(6, std::nullopt));
  Types groups(6, WeightType::kQ4G128);
  groups[0] = WeightType::kQ6;
  EXPECT_EQ(types_of(kSmall, "int4-g128"), groups);
}

TEST(WeightTypes, BitsOfQ4AreThoseOfItsBlocks) {
  // 18 bytes per 32 weights; of the head 34 per 32, or 210 per 256 where its rows divide so.
  EXPECT_EQ(q4_0_bits(kSmall),
            8 * (2 * (256 + 128 + 704 + 352) * 128 / 32 * 18 + 6144 * 128 / 32 * 34));
  EXPECT_EQ(q4_0_bits(kMiddle),
            8 * (8 * (512 + 256 + 1408 + 704) * 256 / 32 * 18 + 6144 * 256 / 256 * 210));
}

}  // namespace
}  // namespace edgewright
