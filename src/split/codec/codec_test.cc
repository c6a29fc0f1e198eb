#include "split/codec/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace edgewright {
namespace {

// Rectified, correlated over channels, as behind a convolution.
Tensor activation(uint64_t seed, Dims dims = {1, 16, 12, 12}) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  const auto count = static_cast<size_t>(*checked_element_count(dims));
  std::vector<float> values(count);
  const size_t plane = dims.size() == 4 ? static_cast<size_t>(dims[2] * dims[3]) : 1;
  std::vector<float> shared(4 * plane);
  for (float& value : shared) value = normal(random);
  for (size_t i = 0; i < count; ++i) {
    const size_t channel = i / plane;
    values[i] = shared[channel % 4 * plane + i % plane] * (1 + 0.1f * static_cast<float>(channel)) +
                0.05f * normal(random);
    values[i] = std::max(0.0f, values[i]);
  }
  return Tensor::of<float>(std::move(dims), values);
}

Tensor there_and_back(const ActivationCodec& codec, const Tensor& tensor, size_t* size_bytes) {
  ActivationEncoder encoder(codec);
  ActivationDecoder decoder;
  const auto bytes = encoder.encode(tensor);
  EXPECT_TRUE(bytes.ok()) << bytes.error().message;
  *size_bytes = bytes->size();
  auto decoded = decoder.decode(*bytes);
  EXPECT_TRUE(decoded.ok()) << decoded.error().message;
  return *std::move(decoded);
}

TEST(Codec, LosslessFormsGiveTheSameBytes) {
  const Tensor tensor = activation(1);
  for (const char* name : {"fp32", "fp32+lz4", "fp32+zstd", "sparse+fp32", "sparse+fp32+zstd"}) {
    size_t size_bytes = 0;
    const Tensor decoded = there_and_back(*parse_codec(name), tensor, &size_bytes);
    EXPECT_TRUE(identical(tensor, decoded)) << name;
    EXPECT_LT(size_bytes, tensor.size_bytes() + 64) << name;
  }
}

// Rounding to a grid of step s errs by at most s / 2; the step is (max - min) / levels of a
// channel.
TEST(Codec, LossyFormsKeepTheirBounds) {
  const Tensor tensor = activation(2);
  float high = 0;
  for (const float value : tensor.elements<float>()) high = std::max(high, value);
  const std::pair<const char*, double> cases[] = {
      {"fp16", high * 0x1p-11}, {"int8", high / 255 / 2}, {"int4", high / 15 / 2}};
  for (const auto& [name, bound] : cases) {
    const Tensor frames[] = {tensor};
    const auto measured = measure_codec(*parse_codec(name), frames);
    ASSERT_TRUE(measured.ok());
    EXPECT_LE(measured->max_abs, bound * 1.0001) << name;
    EXPECT_GT(measured->relative_l2, 0) << name;
  }
}

TEST(Codec, SizesAreAsReckoned) {
  const Tensor tensor = activation(3);
  const size_t count = static_cast<size_t>(tensor.element_count());
  const size_t header = 4 + 4 + 4 + 1 + 4 * 8 + 8;
  size_t size_bytes = 0;
  there_and_back(*parse_codec("fp16"), tensor, &size_bytes);
  EXPECT_EQ(size_bytes, header + 2 * count);
  there_and_back(*parse_codec("int8"), tensor, &size_bytes);
  EXPECT_EQ(size_bytes, header + count + 16 * 8);
  there_and_back(*parse_codec("int4"), tensor, &size_bytes);
  EXPECT_EQ(size_bytes, header + count / 2 + 16 * 8);
  size_t zeros = 0;
  for (const float value : tensor.elements<float>()) zeros += value == 0 ? 1 : 0;
  there_and_back(*parse_codec("sparse+fp16"), tensor, &size_bytes);
  EXPECT_EQ(size_bytes, header + count / 8 + 2 * (count - zeros));
}

// The channels are mixtures of four planes and a little noise.
TEST(Codec, PrincipalComponentsFindTheFourPlanes) {
  const Tensor frames[] = {activation(4)};
  const auto pca = measure_codec(*parse_codec("pca"), frames);
  const auto int8 = measure_codec(*parse_codec("int8"), frames);
  ASSERT_TRUE(pca.ok() && int8.ok());
  EXPECT_LT(pca->size_bytes, 0.6 * int8->size_bytes);
  EXPECT_LT(pca->relative_l2, std::sqrt(0.001) + 0.01);
}

TEST(Codec, DeltaSendsSlowFramesInFewBytesWithoutDrift) {
  std::vector<Tensor> frames;
  std::mt19937_64 random(5);
  std::normal_distribution<float> normal;
  const Tensor first = activation(5);
  std::vector<float> values(first.elements<float>().begin(), first.elements<float>().end());
  for (int frame = 0; frame < 12; ++frame) {
    frames.push_back(Tensor::of<float>(first.dims(), values));
    // A small patch changes.
    for (size_t i = 0; i < 150; ++i)
      values[i + static_cast<size_t>(frame) * 100] += 0.3f * normal(random);
  }
  const auto delta = measure_codec(*parse_codec("delta+int8+zstd"), frames);
  const auto plain = measure_codec(*parse_codec("int8+zstd"), frames);
  ASSERT_TRUE(delta.ok() && plain.ok());
  EXPECT_LT(delta->size_bytes, 0.6 * plain->size_bytes);
  EXPECT_LT(delta->max_abs, 2 * plain->max_abs + 0.05);
}

TEST(Codec, DeltaRefusesAFrameAfterAGap) {
  ActivationEncoder encoder(*parse_codec("delta+fp16"));
  ActivationDecoder decoder;
  const auto first = encoder.encode(activation(1)), second = encoder.encode(activation(2));
  const auto third = encoder.encode(activation(3));
  ASSERT_TRUE(decoder.decode(*first).ok());
  const auto gap = decoder.decode(*third);
  ASSERT_FALSE(gap.ok());
  EXPECT_NE(gap.error().message.find("restart"), std::string::npos);
  ASSERT_TRUE(decoder.decode(*second).ok());
  encoder.restart();
  ASSERT_TRUE(decoder.decode(*encoder.encode(activation(4))).ok());
}

TEST(Codec, RefusesWhatItCannotKeep) {
  const Tensor bad = Tensor::of<float>({2}, {1.0f, std::numeric_limits<float>::infinity()});
  ActivationEncoder encoder(*parse_codec("int8"));
  EXPECT_EQ(encoder.encode(bad).error().kind, ErrorKind::kUnsupported);
  size_t size_bytes = 0;
  EXPECT_TRUE(identical(bad, there_and_back(*parse_codec("fp32"), bad, &size_bytes)));
  for (const char* name : {"", "int8+int8", "gzip", "sparse+pca", "int8+", "zstd+lz4"}) {
    EXPECT_FALSE(parse_codec(name).ok()) << name;
  }
  for (const ActivationCodec& codec : known_codecs()) {
    EXPECT_EQ(codec_name(*parse_codec(codec_name(codec))), codec_name(codec));
  }
}

// Whatever a peer sends, the decoder answers with an error or a tensor.
TEST(Codec, SurvivesChangedBytes) {
  std::mt19937_64 random(7);
  int refused = 0;
  for (const ActivationCodec& codec : known_codecs()) {
    ActivationEncoder encoder(codec);
    const auto bytes = encoder.encode(activation(6, {1, 8, 8, 8}));
    ASSERT_TRUE(bytes.ok());
    for (int round = 0; round < 400; ++round) {
      auto changed = *bytes;
      for (int i = 0; i < 3; ++i) {
        changed[random() % std::min<size_t>(changed.size(), round % 2 ? 64 : changed.size())] =
            static_cast<std::byte>(random());
      }
      if (round % 5 == 0) changed.resize(random() % changed.size());
      ActivationDecoder decoder;
      refused += decoder.decode(changed).ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Codec, ChoiceWeighsTimeAgainstTransfer) {
  const CodecMeasurement measurements[] = {
      {"a", 1e6, 0, 0, 0, 0}, {"b", 1e5, 0.01, 0, 5000, 5000}, {"c", 5e4, 0.2, 0, 100, 100}};
  EXPECT_EQ(choose_codec(measurements, 10, 0.05)->codec, "b");
  EXPECT_EQ(choose_codec(measurements, 10000, 0.05)->codec, "a");
  EXPECT_EQ(choose_codec(measurements, 10, 1)->codec, "c");
  EXPECT_EQ(choose_codec(measurements, 10, -1), nullptr);
}

}  // namespace
}  // namespace edgewright
