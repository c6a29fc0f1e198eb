#include "kernels/reference/expect_tensor.h"

namespace edgewright {
namespace {

using namespace reference;

Attributes equation(std::string text) { return attributes_of({{"equation", std::move(text)}}); }

TEST(Einsum, ProductTransposeDiagonalAndSum) {
  const Tensor x = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  expect_tensor<float>(run_tensor("Einsum", {x, x}, equation("ij, jk -> ik")), {2, 2},
                       {7, 10, 15, 22});
  expect_tensor<float>(run_tensor("Einsum", {x}, equation("ba")), {2, 2}, {1, 3, 2, 4});
  expect_tensor<float>(run_tensor("Einsum", {x}, equation("ii->i")), {2}, {1, 4});
  expect_tensor<float>(run_tensor("Einsum", {x}, equation("...->")), {}, {10});
}

TEST(Einsum, EllipsisBroadcasts) {
  const Tensor a = Tensor::of<float>({2, 1, 2}, {1, 2, 3, 4});
  const Tensor b = Tensor::of<float>({2, 1}, {10, 1});
  expect_tensor<float>(run_tensor("Einsum", {a, b}, equation("...ij,jk->...ik")), {2, 1, 1},
                       {12, 34});
}

TEST(Einsum, BrokenEquationsAreRefused) {
  const Tensor x = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  for (const char* text : {"ij,jk", "ijk", "i1", "ij->ijk", "ij->ii", "i....j", ""}) {
    expect_error(run_tensor("Einsum", {x}, equation(text)), ErrorKind::kBadInput);
  }
}

}  // namespace
}  // namespace edgewright
