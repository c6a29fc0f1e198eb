#include <cmath>

#include "kernels/trial_check.h"

namespace edgewright {
namespace {

struct Case {
  int64_t batch, m, k, n;
  bool transpose_a = false, transpose_b = false;
  bool bias = false, residual = false;
  const char* activation = "";
  float scale = 1;
  bool batched_b = false;
};

Dims matrix(int64_t batch, bool transposed, int64_t rows, int64_t columns) {
  Dims dims = transposed ? Dims{columns, rows} : Dims{rows, columns};
  if (batch > 1) dims.insert(dims.begin(), batch);
  return dims;
}

Trial make_trial(const Case& c, bool constant_b) {
  Trial trial("edgewright", "MatMul");
  trial.attribute("transpose_a", int64_t{c.transpose_a})
      .attribute("transpose_b", int64_t{c.transpose_b})
      .attribute("alpha_scale", c.scale)
      .attribute("activation", std::string(c.activation));
  trial.input(matrix(c.batch, c.transpose_a, c.m, c.k));
  const Dims b = matrix(c.batched_b ? c.batch : 1, c.transpose_b, c.k, c.n);
  constant_b ? trial.constant(b) : trial.input(b);
  if (c.bias) {
    constant_b ? trial.constant({c.n}) : trial.input({c.n});
  } else {
    trial.omitted();
  }
  if (c.residual) trial.input(matrix(c.batch, false, c.m, c.n));
  trial.output(matrix(c.batch, false, c.m, c.n));
  return trial;
}

Tensor expected_output(const Trial& trial, const Case& c) {
  auto y = Tensor::allocate(DType::kFloat32, trial.request().outputs[0].dims);
  EDGEWRIGHT_CHECK(y.ok());
  const float* const a = trial.value(0).data<float>();
  const float* const b = trial.value(1).data<float>();
  for (int64_t i = 0; i < y->element_count(); ++i) {
    const int64_t column = i % c.n, row = i / c.n % c.m, matrix = i / c.n / c.m;
    const float* const am = a + matrix * c.m * c.k;
    const float* const bm = b + (c.batched_b ? matrix * c.k * c.n : 0);
    double sum = 0;
    for (int64_t k = 0; k < c.k; ++k) {
      sum += static_cast<double>(am[c.transpose_a ? k * c.m + row : row * c.k + k]) *
             bm[c.transpose_b ? column * c.k + k : k * c.n + column];
    }
    sum *= static_cast<double>(c.scale);
    if (c.bias) sum += static_cast<double>(trial.value(2).data<float>()[column]);
    if (c.residual) sum += static_cast<double>(trial.value(3).data<float>()[i]);
    if (std::string_view(c.activation) == "Relu") sum = std::max(sum, 0.0);
    if (std::string_view(c.activation) == "Gelu") sum *= 0.5 * (1 + std::erf(sum * M_SQRT1_2));
    y->mutable_data<float>()[i] = static_cast<float>(sum);
  }
  return *std::move(y);
}

constexpr Case kCases[] = {
    {1, 1, 7, 5},
    {1, 65, 48, 192, false, false, true, true, "Gelu"},
    {1, 33, 19, 100, false, true, true, false, "Relu"},
    {3, 5, 16, 33, false, false, true, true},
    {2, 6, 10, 17, true, false, false, true, "", 0.125f},
    {1, 13, 1, 16, true, true},
};

TEST(MatMul, AgreesWithTheDefinition) {
  for (const Case& c : kCases) {
    const Trial packed = make_trial(c, true);
    expect_agrees(packed, "matmul_packed_f32_hwy", expected_output(packed, c), kMatMulTolerance);
    const Trial dynamic = make_trial(c, false);
    expect_agrees(dynamic, "matmul_dynamic_f32_hwy", expected_output(dynamic, c), kMatMulTolerance);
  }
}

#ifdef EDGEWRIGHT_HAVE_ONEDNN
TEST(MatMul, OneDnnAgreesWithTheDefinition) {
  const KernelImplementation* implementation = find_implementation("matmul_packed_f32_onednn");
  ASSERT_NE(implementation, nullptr);
  for (const Case& c : kCases) {
    const Trial trial = make_trial(c, true);
    auto run = trial.prepare(*implementation);
    // What oneDNN offers depends on the CPU, and it has not every activation.
    if (!run.ok() && run.error().kind == ErrorKind::kUnsupported) continue;
    ASSERT_TRUE(run.ok()) << run.error().message;
    ThreadPool pool(1);
    (*run)(pool);
    EXPECT_EQ(difference(run->output(), expected_output(trial, c), kMatMulTolerance), "");
  }
}
#endif

TEST(MatMul, Bfloat16AgreesWithTheDefinition) {
  for (const Case& c : kCases) {
    EXPECT_FALSE(accepts(make_trial(c, true), "matmul_packed_bf16_amx"));
    Trial trial = make_trial(c, true);
    trial.attribute("products", std::string("bfloat16"));
    if (trial.attributes().get_float("alpha_scale", 1) != 1 || c.transpose_a) {
      EXPECT_FALSE(accepts(trial, "matmul_packed_bf16_amx"));
      continue;
    }
    if (!accepts(trial, "matmul_packed_bf16_amx")) GTEST_SKIP() << "not on this processor";
    expect_agrees(trial, "matmul_packed_bf16_amx", expected_output(trial, c), kBfloat16Tolerance);
  }
}

TEST(MatMul, TakesABatchOfRightSides) {
  for (Case c : kCases) {
    c.batch = 4;
    c.batched_b = true;
    const Trial dynamic = make_trial(c, false);
    expect_agrees(dynamic, "matmul_dynamic_f32_hwy", expected_output(dynamic, c), kMatMulTolerance);
  }
}

TEST(MatMul, RefusesShapesThatDoNotAgree) {
  Trial trial("edgewright", "MatMul");
  trial.input({3, 4}).constant({5, 6}).output({3, 6});
  EXPECT_FALSE(accepts(trial, "matmul_packed_f32_hwy"));
  EXPECT_FALSE(accepts(trial, "matmul_dynamic_f32_hwy"));
}

#ifdef EDGEWRIGHT_HAVE_ONEDNN
TEST(MatMul, ProductsOfBfloat16OnlyWhereAskedFor) {
  const Case c = {1, 65, 192, 64, false, false, true, true, "Relu"};
  const KernelImplementation* implementation = find_implementation("matmul_packed_bf16_onednn");
  ASSERT_NE(implementation, nullptr);
  EXPECT_FALSE(implementation->supports(make_trial(c, true).request()));
  Trial trial = make_trial(c, true);
  trial.attribute("products", std::string("bfloat16"));
  if (!implementation->supports(trial.request())) GTEST_SKIP() << "not on this processor";
  auto run = trial.prepare(*implementation);
  ASSERT_TRUE(run.ok()) << run.error().message;
  ThreadPool pool(1);
  (*run)(pool);
  EXPECT_EQ(difference(run->output(), expected_output(trial, c), kBfloat16Tolerance), "");
}
#endif

}  // namespace
}  // namespace edgewright
