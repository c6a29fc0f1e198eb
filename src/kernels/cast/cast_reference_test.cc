#include <limits>
#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

Result<Tensor> cast(const Tensor& x, DType to) {
  return run_tensor("Cast", {x}, attributes_of({{"to", static_cast<int64_t>(to)}}));
}

TEST(Cast, StringsToNumbersAndBack) {
  const Tensor text = Tensor::strings({4}, {"3.5", "-INF", "nan", "1e3"});
  const auto numbers = cast(text, DType::kFloat32);
  ASSERT_TRUE(numbers.ok());
  EXPECT_EQ(numbers->data<float>()[0], 3.5f);
  const auto back = cast(*numbers, DType::kString);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->string_elements(), (std::vector<std::string>{"3.5", "-INF", "NaN", "1000"}));
  expect_error(cast(Tensor::strings({1}, {"seven"}), DType::kInt32), ErrorKind::kBadInput);
  expect_error(cast(Tensor::strings({1}, {""}), DType::kFloat32), ErrorKind::kBadInput);
}

TEST(Cast, LargeIntegersInStringsStayExact) {
  const auto result = cast(Tensor::strings({1}, {"9223372036854775807"}), DType::kInt64);
  expect_tensor<int64_t>(result, {1}, {std::numeric_limits<int64_t>::max()});
}

TEST(Cast, IntegersKeepTheirLowBits) {
  const Tensor x = Tensor::of<int16_t>({2}, {200, -1});
  expect_tensor<int8_t>(cast(x, DType::kInt8), {2}, {-56, -1});
  expect_tensor<uint64_t>(cast(x, DType::kUint64), {2}, {200, ~uint64_t{0}});
}

TEST(Cast, DoubleToHalfRoundsOnce) {
  // Half way between two halves and a little more: rounding to float first would lose the little.
  const Tensor x = Tensor::scalar(1 + 0x1p-11 + 0x1p-40);
  const auto result = cast(x, DType::kFloat16);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->data<Half>()->bits, Half(1 + 0x1p-10f).bits);
}

TEST(Cast, PackedTypes) {
  const Tensor x = Tensor::of<float>({3}, {-8, 7, -1});
  const auto packed = cast(x, DType::kInt4);
  ASSERT_TRUE(packed.ok());
  EXPECT_EQ(*packed->to_int64s(), (std::vector<int64_t>{-8, 7, -1}));
  expect_tensor<float>(cast(*packed, DType::kFloat32), {3}, {-8, 7, -1});
}

TEST(Cast, SaturatesEightBitFloatsUnlessTold) {
  const Tensor x = Tensor::scalar(1e6f);
  const auto saturated = cast(x, DType::kFloat8E4M3FN);
  ASSERT_TRUE(saturated.ok());
  EXPECT_EQ((*saturated->to_doubles())[0], 448);
  const auto loose = run_tensor(
      "Cast", {x},
      attributes_of({{"to", static_cast<int64_t>(DType::kFloat8E5M2)}, {"saturate", int64_t{0}}}));
  ASSERT_TRUE(loose.ok());
  EXPECT_EQ((*loose->to_doubles())[0], std::numeric_limits<double>::infinity());
}

TEST(Cast, UnknownTypesAreRefused) {
  const Tensor x = Tensor::scalar(1.0f);
  expect_error(run_tensor("Cast", {x}, attributes_of({{"to", int64_t{99}}})),
               ErrorKind::kUnsupported);
  expect_error(cast(x, DType::kComplex64), ErrorKind::kUnsupported);
  expect_error(run_tensor("BitCast", {x}, attributes_of({{"to", int64_t{7}}})),
               ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
