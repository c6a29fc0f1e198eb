#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

TEST(Activation, ClipWithCrossedBoundsTakesTheUpperOne) {
  const Tensor x = Tensor::of<float>({3}, {-2, 0, 6});
  const auto result = run_tensor("Clip", {x, Tensor::scalar(2.0f), Tensor::scalar(1.0f)});
  expect_tensor<float>(result, {3}, {1, 1, 1});
}

TEST(Activation, ClipWithoutBoundsChangesNothing) {
  const Tensor x = Tensor::of<int8_t>({2}, {-128, 127});
  expect_tensor<int8_t>(run_tensor("Clip", {x}), {2}, {-128, 127});
}

TEST(Activation, GeluInBothForms) {
  const Tensor x = Tensor::of<float>({2}, {1, -1});
  expect_close(run_tensor("Gelu", {x}), {0.8413447f, -0.1586553f});
  expect_close(run_tensor("Gelu", {x}, attributes_of({{"approximate", "tanh"}})),
               {0.8411920f, -0.1588080f});
  expect_error(run_tensor("Gelu", {x}, attributes_of({{"approximate", "cosh"}})),
               ErrorKind::kBadInput);
}

TEST(Activation, SoftplusNeitherOverflowsNorVanishes) {
  const Tensor x = Tensor::of<float>({2}, {500, 0});
  expect_close(run_tensor("Softplus", {x}), {500, 0.6931472f});
}

}  // namespace
}  // namespace edgewright
