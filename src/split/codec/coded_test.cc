#include "split/codec/coded.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace edgewright {
namespace {

using Values = std::map<std::string, Tensor>;

Tensor frame_of(uint64_t seed, double change = 0) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(2 * 8 * 6 * 6);
  for (float& value : values) value = std::max(0.0F, normal(random));
  std::mt19937_64 other(seed + 1000);
  for (float& value : values) value += static_cast<float>(change) * normal(other);
  return Tensor::of<float>({2, 8, 6, 6}, values);
}

// What travels, taken apart as a server does.
struct Received {
  CodedFrame frame;
  std::map<std::string, Tensor> bytes;

  explicit Received(const WireTensors& wire) {
    for (const auto& [name, tensor] : wire) bytes[name] = tensor;
    frame = {bytes.at(kStreamInput).elements<uint64_t>()[0],
             bytes.at(kFrameInput).elements<int64_t>()[0],
             bytes.at(kReferenceInput).elements<int64_t>()[0]};
  }
  Result<Tensor> decode(const std::string& name, CodedStreams& streams,
                        const SealKey* key = nullptr) const {
    return decode_coded(std::as_bytes(bytes.at(name).elements<uint8_t>()), name, frame, key,
                        streams);
  }
};

double relative_error(const Tensor& expected, const Tensor& found) {
  const auto a = expected.elements<float>(), b = found.elements<float>();
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(a[i]), 2);
  }
  return std::sqrt(error / norm);
}

TEST(SentForm, NamesTellFormsFromCodes) {
  EXPECT_EQ(parse_sent_form("int8")->form, WireForm::kInt8);
  EXPECT_TRUE(parse_sent_form("int8+zstd")->is_coded());
  EXPECT_EQ(sent_form_name(*parse_sent_form("delta+int8+zstd")), "delta+int8+zstd");
  EXPECT_EQ(sent_form_name({}), "none");
  EXPECT_EQ(parse_sent_form("coded").error().kind, ErrorKind::kUsage);
  EXPECT_EQ(parse_wire_form("coded").error().kind, ErrorKind::kUsage);
}

TEST(Coded, EveryCodecComesBack) {
  for (const char* name : {"fp32", "sparse+fp32", "fp32+lz4", "fp16+zstd", "sparse+int8+zstd",
                           "delta+int8+zstd", "pca+zstd", "int4+zstd"}) {
    CodedSender sender(parse_sent_form(name)->codec, std::nullopt);
    CodedStreams streams;
    const Tensor sent = frame_of(1);
    const auto wire = sender.encode({{"x", sent}}, 0);
    ASSERT_TRUE(wire.ok()) << name;
    const auto found = Received(*wire).decode("x", streams);
    ASSERT_TRUE(found.ok()) << name;
    EXPECT_EQ(found->dims(), sent.dims()) << name;
    EXPECT_LT(relative_error(sent, *found), std::string_view(name) == "int4+zstd" ? 0.15 : 0.05)
        << name;
  }
}

TEST(Coded, DifferencesAreToAcknowledgedFrames) {
  CodedSender sender(parse_sent_form("delta+int8")->codec, std::nullopt);
  CodedStreams streams;
  const Tensor first = frame_of(1), second = frame_of(1, 0.01);
  const Received key(*sender.encode({{"x", first}}, 0));
  EXPECT_EQ(key.frame.reference, -1);
  ASSERT_TRUE(key.decode("x", streams).ok());
  // Not acknowledged yet: the next one stands alone too.
  EXPECT_EQ(Received(*sender.encode({{"x", second}}, 1)).frame.reference, -1);
  sender.acknowledged(0);
  const Received difference(*sender.encode({{"x", second}}, 2));
  EXPECT_EQ(difference.frame.reference, 0);
  const auto found = difference.decode("x", streams);
  ASSERT_TRUE(found.ok());
  // On the grid of the difference, which is far finer than that of the frame.
  EXPECT_LT(relative_error(second, *found), 1e-3);
  // Sent again it gives the same; a lost acknowledgement changes nothing.
  EXPECT_TRUE(identical(*difference.decode("x", streams), *found));
  const Received third(*sender.encode({{"x", frame_of(1, 0.02)}}, 3));
  EXPECT_EQ(third.frame.reference, 0);
  EXPECT_LT(relative_error(frame_of(1, 0.02), *third.decode("x", streams)), 1e-3);
}

TEST(Coded, AServerThatForgotSaysSo) {
  CodedSender sender(parse_sent_form("delta+fp16")->codec, std::nullopt);
  CodedStreams streams, others;
  ASSERT_TRUE(Received(*sender.encode({{"x", frame_of(1)}}, 0)).decode("x", streams).ok());
  sender.acknowledged(0);
  const Received difference(*sender.encode({{"x", frame_of(2)}}, 1));
  const auto lost = difference.decode("x", others);
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(lost.error().message.find("frame 0"), std::string::npos);
  sender.forget();
  EXPECT_TRUE(Received(*sender.encode({{"x", frame_of(2)}}, 2)).decode("x", others).ok());
}

TEST(Coded, SealsOpenInTheirPlaceOnly) {
  const SealKey key = random_key();
  CodedSender sender(parse_sent_form("fp32+zstd")->codec, SealedTensors{key, {"secret"}});
  CodedStreams streams;
  const Values values = {{"secret", frame_of(1)}, {"plain", frame_of(2)}};
  const Received sent(*sender.encode(values, 7));
  EXPECT_TRUE(identical(*sent.decode("secret", streams, &key), values.at("secret")));
  EXPECT_TRUE(identical(*sent.decode("plain", streams), values.at("plain")));
  // Without the key, with another, under another name, in another frame, or changed on the way.
  EXPECT_EQ(sent.decode("secret", streams).error().kind, ErrorKind::kBadInput);
  const SealKey other = random_key();
  EXPECT_FALSE(sent.decode("secret", streams, &other).ok());
  const auto bytes = std::as_bytes(sent.bytes.at("secret").elements<uint8_t>());
  EXPECT_FALSE(decode_coded(bytes, "plain", sent.frame, &key, streams).ok());
  CodedFrame elsewhere = sent.frame;
  ++elsewhere.number;
  EXPECT_FALSE(decode_coded(bytes, "secret", elsewhere, &key, streams).ok());
  std::vector<std::byte> changed(bytes.begin(), bytes.end());
  changed[changed.size() / 2] ^= std::byte{1};
  EXPECT_FALSE(decode_coded(changed, "secret", sent.frame, &key, streams).ok());
  // Nothing of the activation is to be seen: every byte value about as often as any other.
  std::vector<int> counts(256);
  for (const std::byte byte : bytes.subspan(4)) ++counts[std::to_integer<size_t>(byte)];
  EXPECT_GT(std::ranges::count_if(counts, [](int count) { return count > 0; }), 200);
}

TEST(Coded, MalformedBytesAreRefused) {
  CodedSender sender(parse_sent_form("sparse+int8+lz4")->codec, std::nullopt);
  const Received sent(*sender.encode({{"x", frame_of(1)}}, 0));
  const auto bytes = std::as_bytes(sent.bytes.at("x").elements<uint8_t>());
  CodedStreams streams;
  for (size_t length = 0; length < bytes.size(); length += 7) {
    const auto cut = decode_coded(bytes.first(length), "x", sent.frame, nullptr, streams);
    EXPECT_EQ(cut.error().kind, ErrorKind::kBadInput) << length;
  }
}

TEST(SealKey, IsReadAsHexadecimal) {
  const std::string text = std::string(62, '0') + "fF\n";
  const auto key = parse_seal_key(text);
  ASSERT_TRUE(key.ok());
  EXPECT_EQ((*key)[31], std::byte{0xff});
  for (const std::string& bad : {std::string(), std::string(63, 'a'), std::string(64, 'g')}) {
    EXPECT_EQ(parse_seal_key(bad).error().kind, ErrorKind::kBadInput);
  }
}

TEST(CodedStreams, KeepTheNewestWithinABound) {
  CodedStreams streams;
  const size_t count = (size_t{64} << 20) / sizeof(float);
  for (int64_t frame = 0; frame < 6; ++frame) {
    streams.keep(1, frame, "x", std::vector<float>(count, static_cast<float>(frame)));
  }
  EXPECT_EQ(streams.find(1, 0, "x"), nullptr);
  ASSERT_NE(streams.find(1, 5, "x"), nullptr);
  EXPECT_EQ((*streams.find(1, 5, "x"))[0], 5);
  EXPECT_EQ(streams.find(2, 5, "x"), nullptr);
}

}  // namespace
}  // namespace edgewright
