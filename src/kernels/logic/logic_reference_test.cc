#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

Tensor bools(std::initializer_list<uint8_t> values) {
  Tensor tensor = *Tensor::allocate(DType::kBool, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.mutable_data<uint8_t>());
  return tensor;
}

TEST(Logic, AnyByteButZeroIsTrue) {
  const auto result = run_tensor("And", {bools({1, 85, 0}), bools({2, 1, 1})});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(identical(*result, bools({1, 1, 0})));
}

TEST(Logic, WhereChoosesStrings) {
  const Tensor x = Tensor::strings({2}, {"a", "b"});
  const Tensor y = Tensor::strings({1}, {"c"});
  const auto result = run_tensor("Where", {bools({0, 1}), x, y});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->string_elements(), (std::vector<std::string>{"c", "b"}));
}

TEST(Logic, EqualComparesStrings) {
  const Tensor x = Tensor::strings({2}, {"a", "b"});
  const auto result = run_tensor("Equal", {x, Tensor::strings({}, {"b"})});
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(identical(*result, bools({0, 1})));
}

TEST(Logic, AndOfNumbersIsRefused) {
  const Tensor x = Tensor::scalar(1.0f);
  expect_error(run_tensor("And", {x, x}), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
