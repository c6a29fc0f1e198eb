#include "split/privacy/attack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "split/privacy/defence.h"

namespace edgewright {
namespace {

constexpr size_t kInputs = 16, kSeen = 40;

// Inputs that are mixtures of six patterns, and what is seen of them: a fixed linear map.
struct World {
  Rows patterns, map, inputs, seen;
  explicit World(size_t count) {
    std::mt19937_64 random(11);
    std::normal_distribution<float> normal;
    const auto fill = [&](Rows& rows, size_t number, size_t size) {
      rows.assign(number, std::vector<float>(size));
      for (auto& row : rows) {
        for (float& value : row) value = normal(random);
      }
    };
    fill(patterns, 6, kInputs);
    fill(map, kSeen, kInputs);
    for (size_t i = 0; i < count; ++i) {
      auto& input = inputs.emplace_back(kInputs, 0.0f);
      for (const auto& pattern : patterns) {
        const float weight = normal(random);
        for (size_t k = 0; k < kInputs; ++k) input[k] += weight * pattern[k];
      }
      seen.push_back(view(input));
    }
  }
  std::vector<float> view(std::span<const float> input) const {
    std::vector<float> result;
    for (const auto& row : map) {
      float sum = 0;
      for (size_t k = 0; k < kInputs; ++k) sum += row[k] * input[k];
      result.push_back(sum);
    }
    return result;
  }
};

double relative_error(std::span<const float> a, std::span<const float> b) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(a[i]), 2);
  }
  return std::sqrt(error / norm);
}

TEST(Attack, LearnedDecoderInvertsALinearMap) {
  const World world(200);
  const Rows seen(world.seen.begin(), world.seen.begin() + 150);
  const Rows inputs(world.inputs.begin(), world.inputs.begin() + 150);
  const auto linear = LearnedDecoder::train(seen, inputs, DecoderKernel::kLinear, 1e-6);
  ASSERT_TRUE(linear.ok());
  for (size_t i = 150; i < 200; ++i) {
    EXPECT_LT(relative_error(world.inputs[i], linear->decode(world.seen[i])), 0.01);
  }
  EXPECT_FALSE(LearnedDecoder::train({}, {}, DecoderKernel::kLinear, 1).ok());
}

TEST(Attack, OptimisationFindsALikelyInput) {
  const World world(60);
  const InputPrior prior = input_prior(world.inputs, 6);
  ASSERT_EQ(prior.components.size(), 6U);
  const SeenOf model = [&](std::span<const float> input) -> Result<std::vector<float>> {
    return world.view(input);
  };
  const auto found = reconstruct(model, world.seen[3], prior, 8);
  ASSERT_TRUE(found.ok());
  EXPECT_LT(relative_error(world.inputs[3], *found), 0.1);
}

TEST(Attack, SealedBytesTeachNothing) {
  const World world(200);
  const DefenceTools tools(kSeen, 10, 0.1);
  const Defence& sealed = *std::ranges::find(defences(), "encryption", &Defence::name);
  ASSERT_TRUE(sealed.is_sealed);
  Rows seen;
  for (const auto& row : world.seen) seen.push_back(sealed.protect(tools, row)->seen());
  const Rows known(seen.begin(), seen.begin() + 150);
  const Rows inputs(world.inputs.begin(), world.inputs.begin() + 150);
  const auto decoder = LearnedDecoder::train(known, inputs, DecoderKernel::kLinear, 1);
  ASSERT_TRUE(decoder.ok());
  double error = 0;
  for (size_t i = 150; i < 200; ++i) {
    error += relative_error(world.inputs[i], decoder->decode(seen[i])) / 50;
  }
  EXPECT_GT(error, 0.9);
}

TEST(Attack, ScoresOfImages) {
  std::vector<float> image(64), other(64);
  for (size_t i = 0; i < 64; ++i) image[i] = static_cast<float>(i % 8) / 8;
  for (size_t i = 0; i < 64; ++i) other[i] = image[i] + 0.1f;
  EXPECT_NEAR(ssim(image, image, 8, 8, 1), 1, 1e-9);
  // A mean square of 0.01 below a range of 1: 20 dB.
  EXPECT_NEAR(psnr_db(image, other, 1), 20, 1e-3);
  EXPECT_LT(ssim(image, other, 8, 8, 1), 1);
  for (float& value : other) value = 0.5f;
  EXPECT_LT(ssim(image, other, 8, 8, 1), 0.1);
}

// What a defence without noise sends can be worked with.
TEST(Defences, ReceiveWhatWasSentUpToTheirLoss) {
  const World world(5);
  DefenceTools tools(kSeen, 1e6, 1e-6);
  tools.basis = input_prior(world.seen, 4);
  for (const Defence& defence : defences()) {
    const auto sent = defence.protect(tools, world.seen[0]);
    ASSERT_TRUE(sent.ok()) << defence.name;
    const auto received = defence.receive(tools, *sent);
    ASSERT_TRUE(received.ok()) << defence.name;
    EXPECT_EQ(received->size(), kSeen);
    const bool halves = defence.name.find("projection") != std::string_view::npos;
    EXPECT_LT(relative_error(world.seen[0], *received), halves ? 1.0 : 0.02) << defence.name;
    EXPECT_GT(sent->bytes, 0);
  }
}

}  // namespace
}  // namespace edgewright
