#include "profile/step_request.h"

#include <gtest/gtest.h>

namespace edgewright {
namespace {

TensorSpec floats(Dims dims) {
  TensorSpec spec;
  spec.dtype = DType::kFloat32;
  spec.dims = std::move(dims);
  return spec;
}

TEST(ScaleBatch, EverySampleHasItsOwnOperandsButOneBias) {
  KernelRequest request;
  request.domain = "edgewright";
  request.op = "MatMul";
  request.inputs = {floats({1, 4, 1, 64}), floats({1, 4, 65, 64}), floats({1, 1, 1, 65})};
  request.outputs = {floats({1, 4, 1, 65})};
  ASSERT_TRUE(scale_batch(request, 8));
  EXPECT_EQ(request.inputs[0].dims, (Dims{8, 4, 1, 64}));
  EXPECT_EQ(request.inputs[1].dims, (Dims{8, 4, 65, 64}));
  EXPECT_EQ(request.inputs[2].dims, (Dims{1, 1, 1, 65}));
  EXPECT_EQ(request.outputs[0].dims, (Dims{8, 4, 1, 65}));

  // What is no product has no bias.
  request.op = "Concat";
  request.inputs[2].dims = {8, 1, 1, 65};
  ASSERT_TRUE(scale_batch(request, 2));
  EXPECT_EQ(request.inputs[2].dims, (Dims{16, 1, 1, 65}));

  request.outputs = {floats({4})};
  EXPECT_FALSE(scale_batch(request, 2));
}

}  // namespace
}  // namespace edgewright
