#include "kernels/reference/expect_tensor.h"
#include "kernels/reference/random.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Random, DrawsAreThoseOfNumpy) {
  RandomSource uniform(0);  // numpy.random.RandomState(0).uniform()
  EXPECT_DOUBLE_EQ(uniform.uniform(), 0.5488135039273248);
  EXPECT_DOUBLE_EQ(uniform.uniform(), 0.7151893663724195);
  RandomSource normal(0);  // numpy.random.RandomState(0).normal()
  EXPECT_DOUBLE_EQ(normal.normal(), 1.764052345967664);
  EXPECT_DOUBLE_EQ(normal.normal(), 0.4001572083672233);
}

TEST(Random, SameSeedSameValues) {
  const Attributes attributes = attributes_of({{"shape", std::vector<int64_t>{8}}, {"seed", 3.0f}});
  const auto first = run_tensor("RandomNormal", {}, attributes);
  const auto second = run_tensor("RandomNormal", {}, attributes);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(identical(*first, *second));
}

TEST(Random, BernoulliFollowsCertainOdds) {
  const Tensor odds = Tensor::of<float>({2}, {0, 1});
  expect_tensor<float>(run_tensor("Bernoulli", {odds}), {2}, {0, 1});
}

TEST(Random, MultinomialNeedsClasses) {
  const Tensor none = *Tensor::allocate(DType::kFloat32, {2, 0});
  expect_error(run_tensor("Multinomial", {none}), ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
