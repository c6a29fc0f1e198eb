#include "kernels/language/packed_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tensor/half.h"

namespace edgewright::language {
namespace {

std::vector<float> random_floats(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

// Random blocks of a GGUF type: any bytes are valid but for the fp16 factors, which are made
// finite.
std::vector<uint8_t> random_blocks(SourceType type, size_t rows, size_t columns, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<uint8_t> bytes(source_bytes(type, rows, columns));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(generator());
  const size_t block = source_bytes(type, 1, source_block_columns(type));
  const auto set = [&](size_t at) {
    const uint16_t bits =
        Half::from_float(std::ldexp(1.0f + static_cast<float>(generator() % 64) / 64, -6));
    std::memcpy(&bytes[at], &bits, 2);
  };
  const bool second = type == SourceType::kQ4_1 || type == SourceType::kQ5_1 ||
                      type == SourceType::kQ4_K || type == SourceType::kQ5_K;
  for (size_t at = 0; at < bytes.size(); at += block) {
    set(type == SourceType::kQ6_K ? at + 208 : at);
    if (second) set(at + 2);
  }
  return bytes;
}

std::vector<std::byte> pack(const SourceMatrix& source, WeightType type) {
  std::vector<std::byte> out(packed_bytes(type, source.rows, source.columns));
  EXPECT_TRUE(pack_rows({source, 0, source.rows, type, source.rows}, out).ok());
  return out;
}

// The largest difference between the rows of a source and of its packed form.
float largest_difference(const SourceMatrix& source, WeightType type) {
  const auto packed = pack(source, type);
  std::vector<float> expected(source.columns), found(source.columns);
  float largest = 0;
  for (size_t r = 0; r < source.rows; ++r) {
    read_source_row(source, r, expected.data());
    unpack_row({type, source.rows, source.columns, packed.data()}, r, found.data());
    for (size_t i = 0; i < source.columns; ++i) {
      largest = std::max(largest, std::abs(expected[i] - found[i]));
    }
  }
  return largest;
}

TEST(PackedMatrix, BlocksOfGgufAreHeldWithoutLoss) {
  for (const SourceType type :
       {SourceType::kQ8_0, SourceType::kQ4_0, SourceType::kQ4_1, SourceType::kQ5_0,
        SourceType::kQ5_1, SourceType::kQ4_K, SourceType::kQ5_K, SourceType::kQ6_K}) {
    const size_t columns = source_block_columns(type) == 256 ? 768 : 352;
    const auto blocks = random_blocks(type, 21, columns, 7);
    const SourceMatrix source{type, 21, columns, blocks.data()};
    EXPECT_EQ(largest_difference(source, exact_weight_type(type)), 0) << static_cast<int>(type);
  }
}

// One block of each type by hand, from the format's definition.
TEST(PackedMatrix, ReadsBlocksAsTheFormatDefinesThem) {
  std::vector<uint8_t> q4(18, 0);
  const uint16_t half = Half::from_float(0.5f);
  std::memcpy(q4.data(), &half, 2);
  q4[2] = 0x9f;  // element 0: 15, element 16: 9
  std::vector<float> row(32);
  read_source_row({SourceType::kQ4_0, 1, 32, q4.data()}, 0, row.data());
  EXPECT_EQ(row[0], 3.5f);
  EXPECT_EQ(row[16], 0.5f);
  EXPECT_EQ(row[1], -4.0f);

  std::vector<uint8_t> q5(22, 0);
  std::memcpy(q5.data(), &half, 2);
  q5[6] = 0x21;  // low bits of elements 0 and 16
  q5[2] = 1;     // fifth bit of element 0
  q5[4] = 1;     // of element 16
  read_source_row({SourceType::kQ5_0, 1, 32, q5.data()}, 0, row.data());
  EXPECT_EQ(row[0], 0.5f);
  EXPECT_EQ(row[16], 1.0f);
  EXPECT_EQ(row[2], -8.0f);

  std::vector<uint8_t> q4k(144, 0);
  std::memcpy(q4k.data(), &half, 2);
  std::memcpy(q4k.data() + 2, &half, 2);
  q4k[4] = 3;           // scale 0
  q4k[8] = 2;           // minimum 0
  q4k[4 + 8] = 0x51;    // low bits of scale 4 (1) and of minimum 4 (5)
  q4k[4] |= 0x40;       // fifth bit of scale 4: 16 + 1
  q4k[16] = 0x07;       // element 0: 7
  q4k[16 + 64] = 0x02;  // element 128, of group 4: 2
  std::vector<float> wide(256);
  read_source_row({SourceType::kQ4_K, 1, 256, q4k.data()}, 0, wide.data());
  EXPECT_EQ(wide[0], 0.5f * 3 * 7 - 0.5f * 2);
  EXPECT_EQ(wide[1], -0.5f * 2);
  EXPECT_EQ(wide[128], 0.5f * 17 * 2 - 0.5f * 5);

  std::vector<uint8_t> q6(210, 0);
  std::memcpy(q6.data() + 208, &half, 2);
  q6[192] = 2;                             // scale of elements 0..15
  q6[192 + 6] = static_cast<uint8_t>(-3);  // of elements 96..111
  q6[0] = 0x05;
  q6[32] = 0x70;   // element 96: low bits 7
  q6[128] = 0xc1;  // element 0: 1 << 4, element 96: 3 << 4
  read_source_row({SourceType::kQ6_K, 1, 256, q6.data()}, 0, wide.data());
  EXPECT_EQ(wide[0], 0.5f * 2 * (21 - 32));
  EXPECT_EQ(wide[96], 0.5f * -3 * (55 - 32));
}

TEST(PackedMatrix, HoldsNoMoreColumnsThanThereAre) {
  const auto bytes = [](WeightType type, size_t columns) {
    return packed_bytes(type, 16, columns);
  };
  // 64 columns a chunk with its header of 64 bytes; 352 are five chunks and a half.
  EXPECT_EQ(bytes(WeightType::kQ8, 352), 6 * 64u + 16 * 352);
  EXPECT_EQ(bytes(WeightType::kQ4, 352), 6 * 64u + 16 * 352 / 2);
  EXPECT_EQ(bytes(WeightType::kQ6, 352), 6 * 64u + 16 * 352 * 6 / 8);
  EXPECT_EQ(bytes(WeightType::kQ4G128, 352), 3 * 64u + 16 * 352 / 2);
  EXPECT_EQ(bytes(WeightType::kQ6K, 512), 2 * 320u + 16 * 512 * 6 / 8);
}

TEST(PackedMatrix, RoundsWithinHalfAStep) {
  const auto values = random_floats(size_t{37} * 352, 3);
  const SourceMatrix source{SourceType::kF32, 37, 352, values.data()};
  EXPECT_EQ(largest_difference(source, WeightType::kF32), 0);
  EXPECT_LT(largest_difference(source, WeightType::kF16), 4.5f * 0x1p-11f);
  EXPECT_LT(largest_difference(source, WeightType::kBf16), 4.5f * 0x1p-8f);
  // 4.5 sigma / 127, half a step, and half an fp16 step of the scale.
  EXPECT_LT(largest_difference(source, WeightType::kQ8), 4.5f / 127 * 0.6f);
  // The scale that serves a group best may cut a fifth off its largest value.
  EXPECT_LT(largest_difference(source, WeightType::kQ4), 4.5f / 5);
  EXPECT_LT(largest_difference(source, WeightType::kQ4G128), 4.5f / 5);
  EXPECT_LT(largest_difference(source, WeightType::kQ6), 4.5f / 14);
}

TEST(PackedMatrix, FourBitScalesAreNoWorseThanLargestMagnitude) {
  const auto values = random_floats(32 * 64, 11);
  const SourceMatrix source{SourceType::kF32, 1, values.size(), values.data()};
  const auto packed = pack(source, WeightType::kQ4);
  std::vector<float> row(values.size());
  unpack_row({WeightType::kQ4, 1, values.size(), packed.data()}, 0, row.data());
  double searched = 0, plain = 0;
  for (size_t g = 0; g < values.size(); g += 32) {
    float largest = 0;
    for (size_t i = g; i < g + 32; ++i) {
      if (std::abs(values[i]) > std::abs(largest)) largest = values[i];
    }
    const float scale = largest / -8;
    for (size_t i = g; i < g + 32; ++i) {
      const float rounded = std::min(7.0f, std::nearbyint(values[i] / scale)) * scale;
      plain += static_cast<double>((rounded - values[i]) * (rounded - values[i]));
      searched += static_cast<double>((row[i] - values[i]) * (row[i] - values[i]));
    }
  }
  EXPECT_LT(searched, 0.9 * plain);
}

TEST(PackedMatrix, PlacesRowsOfSeveralSources) {
  const auto a = random_floats(24 * 64, 1), b = random_floats(24 * 64, 2);
  const SourceMatrix first{SourceType::kF32, 24, 64, a.data()};
  const SourceMatrix second{SourceType::kF32, 24, 64, b.data()};
  const size_t rows = gated_rows(24);
  ASSERT_EQ(rows, 64u);
  std::vector<std::byte> out(packed_bytes(WeightType::kF32, rows, 64));
  ASSERT_TRUE(pack_rows({first, 0, 24, WeightType::kF32, rows, 0, Placement::kGate}, out).ok());
  ASSERT_TRUE(pack_rows({second, 0, 24, WeightType::kF32, rows, 0, Placement::kUp}, out).ok());
  std::vector<float> row(64);
  const PackedMatrix gated{WeightType::kF32, rows, 64, out.data()};
  unpack_row(gated, 32 + 3, row.data());
  EXPECT_EQ(row[5], a[19 * 64 + 5]);
  unpack_row(gated, 48 + 3, row.data());
  EXPECT_EQ(row[5], b[19 * 64 + 5]);

  std::vector<std::byte> stacked(packed_bytes(WeightType::kF32, 48, 64));
  ASSERT_TRUE(pack_rows({first, 0, 24, WeightType::kF32, 48}, stacked).ok());
  ASSERT_TRUE(pack_rows({second, 0, 24, WeightType::kF32, 48, 24}, stacked).ok());
  unpack_row({WeightType::kF32, 48, 64, stacked.data()}, 24, row.data());
  EXPECT_EQ(row[0], b[0]);
}

TEST(PackedMatrix, RefusesWhatDoesNotFit) {
  const auto values = random_floats(16 * 64, 1);
  const SourceMatrix source{SourceType::kF32, 16, 64, values.data()};
  std::vector<std::byte> out(packed_bytes(WeightType::kQ4K, 16, 64));
  const auto to_k = pack_rows({source, 0, 16, WeightType::kQ4K, 16}, out);
  ASSERT_FALSE(to_k.ok());
  EXPECT_EQ(to_k.error().kind, ErrorKind::kUnsupported);
  const auto small = pack_rows({source, 0, 16, WeightType::kF32, 8}, out);
  ASSERT_FALSE(small.ok());
  EXPECT_EQ(small.error().kind, ErrorKind::kUsage);
  const SourceMatrix ragged{SourceType::kQ4_0, 1, 40, values.data()};
  EXPECT_FALSE(pack_rows({ragged, 0, 1, WeightType::kQ4, 1}, out).ok());
}

TEST(PackedMatrix, TakesIntegersThatOthersRounded) {
  std::vector<int8_t> integers(2 * 256);
  for (size_t i = 0; i < integers.size(); ++i) integers[i] = static_cast<int8_t>(i % 16) - 8;
  const std::vector<float> scales = {0.5f, 0.25f, 2.0f, 1.0f};
  const SourceMatrix source{SourceType::kInt4G128, 2, 256, integers.data(), scales.data()};
  EXPECT_EQ(largest_difference(source, WeightType::kQ4G128), 0);
  std::vector<float> row(256);
  read_source_row(source, 1, row.data());
  EXPECT_EQ(row[130], -6.0f);
}

}  // namespace
}  // namespace edgewright::language
