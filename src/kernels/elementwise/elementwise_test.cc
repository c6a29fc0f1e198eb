#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/elementwise/chunk.h"
#include "kernels/elementwise/program.h"
#include "kernels/trial_check.h"

namespace edgewright {
namespace {

Tensor zeros(const Dims& dims) {
  auto tensor = Tensor::allocate(DType::kFloat32, dims);
  EDGEWRIGHT_CHECK(tensor.ok());
  return *std::move(tensor);
}

TEST(ElementProgram, RefusesWhatItDoesNotUnderstand) {
  EXPECT_TRUE(parse_element_program("t0=Add(i0,i1);t1=Relu(t0)", 2).ok());
  EXPECT_TRUE(parse_element_program("t0=Clip(i0,-inf,6)", 1).ok());
  for (const char* text : {"", "t0=Add(i0)", "t0=Add(i0,i2)", "t1=Relu(i0)", "t0=Relu(t0)",
                           "t0=Nothing(i0)", "t0=Add(i0,i1", "Relu(i0)", "t0=Clip(i0,i1,i1)",
                           "t0=Add(i0,1e)", "t0=Relu(i-1)", "t0=Add(,)"}) {
    EXPECT_FALSE(parse_element_program(text, 2).ok()) << text;
  }
}

TEST(Elementwise, RunsAProgramInOnePass) {
  Trial trial("edgewright", "Elementwise");
  trial
      .attribute("program",
                 std::string("t0=Add(i0,i1);t1=Mul(t0,2.5);t2=Sub(1,t1);t3=LeakyRelu(t2,0.1)"))
      .input({3, 700, 5})
      .input({700, 1})
      .output({3, 700, 5});
  Tensor expected = zeros({3, 700, 5});
  for (int64_t i = 0; i < expected.element_count(); ++i) {
    const float sum = trial.value(0).data<float>()[i] + trial.value(1).data<float>()[i / 5 % 700];
    const float value = 1.0f - sum * 2.5f;
    expected.mutable_data<float>()[i] = value < 0 ? value * 0.1f : value;
  }
  expect_agrees(trial, "elementwise_f32_hwy", expected, kElementwiseTolerance);
}

TEST(Elementwise, BroadcastsBothWays) {
  Trial trial("", "Div");
  trial.input({4, 1, 3}).constant({5, 1}).output({4, 5, 3});
  // The divisor has a zero or two among its values; dividing by it is part of the contract.
  Tensor expected = zeros({4, 5, 3});
  for (int64_t i = 0; i < 60; ++i) {
    expected.mutable_data<float>()[i] =
        trial.value(0).data<float>()[i / 15 * 3 + i % 3] / trial.value(1).data<float>()[i / 3 % 5];
  }
  expect_agrees(trial, "div_f32_hwy", expected, kElementwiseTolerance);
}

TEST(Elementwise, ScalesBlockedChannels) {
  Trial trial("", "Mul");
  trial.input({2, 32, 3, 5}, Layout::kNchw16c)
      .input({2, 32, 1, 1}, Layout::kNchw16c)
      .output({2, 32, 3, 5}, Layout::kNchw16c);
  Tensor expected = zeros({2, 32, 3, 5});
  for (int64_t i = 0; i < expected.element_count(); ++i) {
    expected.mutable_data<float>()[i] =
        trial.value(0).data<float>()[i] * trial.value(1).data<float>()[i / 15];
  }
  expect_agrees(trial, "mul_f32_hwy", expected, kElementwiseTolerance);
  Trial ragged("", "Exp");
  ragged.input({1, 20, 3, 5}, Layout::kNchw16c).output({1, 20, 3, 5}, Layout::kNchw16c);
  EXPECT_FALSE(accepts(ragged, "exp_f32_hwy"));
}

TEST(Elementwise, ClipTakesBoundsAsInputs) {
  Trial trial("", "Clip");
  trial.input({100}).omitted().tensor(Tensor::scalar(0.25f), true).output({100});
  Tensor expected = zeros({100});
  for (int64_t i = 0; i < 100; ++i) {
    expected.mutable_data<float>()[i] = std::min(trial.value(0).data<float>()[i], 0.25f);
  }
  expect_agrees(trial, "clip_f32_hwy", expected, kExact);
}

// Largest error in units in the last place of the float32 result over a sweep.
double worst_ulps(ElementOp op, double (*exact)(double), float from, float to) {
  constexpr size_t kCount = 40000;
  std::vector<float> in(kCount), out(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    in[i] = from + (to - from) * static_cast<float>(i) / static_cast<float>(kCount);
  }
  compute_chunk(op, in.data(), nullptr, 0, 0, out.data(), kCount);
  double worst = 0;
  for (size_t i = 0; i < kCount; ++i) {
    const double wanted = exact(static_cast<double>(in[i]));
    const float rounded = static_cast<float>(wanted);
    const double unit = static_cast<double>(
        std::nextafter(std::abs(rounded), std::numeric_limits<float>::infinity()) -
        std::abs(rounded));
    worst = std::max(worst, std::abs(static_cast<double>(out[i]) - wanted) / unit);
  }
  return worst;
}

TEST(Elementwise, ElementaryFunctionsAreAccurate) {
  for_each_target([](const char* target) {
    EXPECT_LE(worst_ulps(ElementOp::kExp, std::exp, -87.0f, 88.0f), 2.0) << target;
    EXPECT_LE(worst_ulps(ElementOp::kTanh, std::tanh, -10.0f, 10.0f), 3.0) << target;
    EXPECT_LE(worst_ulps(ElementOp::kErf, std::erf, -5.0f, 5.0f), 3.0) << target;
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    EXPECT_LE(worst_ulps(ElementOp::kSigmoid, sigmoid, -80.0f, 80.0f), 3.0) << target;
  });
}

TEST(Elementwise, ElementaryFunctionsKeepTheirLimits) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float in[] = {-kInfinity, kInfinity, std::nanf(""), 0.0f, -200.0f, 200.0f};
  for_each_target([&](const char* target) {
    float out[6];
    compute_chunk(ElementOp::kExp, in, nullptr, 0, 0, out, 6);
    EXPECT_EQ(out[0], 0.0f) << target;
    EXPECT_EQ(out[1], kInfinity) << target;
    EXPECT_TRUE(std::isnan(out[2])) << target;
    EXPECT_EQ(out[3], 1.0f) << target;
    EXPECT_EQ(out[4], 0.0f) << target;
    EXPECT_EQ(out[5], kInfinity) << target;
    compute_chunk(ElementOp::kTanh, in, nullptr, 0, 0, out, 6);
    EXPECT_EQ(out[0], -1.0f) << target;
    EXPECT_EQ(out[1], 1.0f) << target;
    EXPECT_TRUE(std::isnan(out[2])) << target;
    EXPECT_EQ(out[3], 0.0f) << target;
    compute_chunk(ElementOp::kErf, in, nullptr, 0, 0, out, 6);
    EXPECT_EQ(out[0], -1.0f) << target;
    EXPECT_EQ(out[1], 1.0f) << target;
    EXPECT_TRUE(std::isnan(out[2])) << target;
    EXPECT_EQ(out[3], 0.0f) << target;
  });
}

TEST(ByteTable, HoldsWhatTheProgramComputes) {
  for (const DType in : {DType::kUint8, DType::kInt8}) {
    for (const DType out : {DType::kUint8, DType::kInt8}) {
      Trial trial("edgewright", "Elementwise");
      trial
          .attribute("program",
                     fmt::format("t0=Dequantize(i0,0.05,3);t1=Silu(t0);t2=Sub(t1,1);"
                                 "t3={}(t2,0.02,7)",
                                 out == DType::kUint8 ? "QuantizeUint8" : "QuantizeInt8"))
          .bytes(in, {3, 700})
          .output({3, 700}, Layout::kPlain, out);
      expect_each_run(trial, "elementwise_byte_table_hwy", [&](const Tensor& found) {
        auto program = trial.prepare(*find_implementation("elementwise_f32_hwy"));
        EXPECT_TRUE(program.ok());
        ThreadPool pool(1);
        (*program)(pool);
        const Tensor wanted = program->output();
        const bool same = std::ranges::equal(found.byte_span(), wanted.byte_span());
        return std::string(same ? "" : "other bytes than the program's");
      });
    }
  }
}

TEST(ByteTable, TakesOneInputOfBytes) {
  const auto trial = [](const char* program, DType in, int inputs) {
    Trial made("edgewright", "Elementwise");
    made.attribute("program", std::string(program));
    for (int i = 0; i < inputs; ++i) made.bytes(in, {8, 8});
    made.output({8, 8}, Layout::kPlain, DType::kUint8);
    return made;
  };
  constexpr const char* kOne = "t0=Dequantize(i0,0.5,3);t1=QuantizeUint8(t0,0.25,9)";
  const Trial good = trial(kOne, DType::kUint8, 1);
  EXPECT_TRUE(accepts(good, "elementwise_byte_table_hwy"));
  EXPECT_FALSE(accepts(trial(kOne, DType::kUint8, 2), "elementwise_byte_table_hwy"));
  const KernelImplementation* one = find_implementation("elementwise_byte_table_hwy");
  const std::vector<std::byte> few(255);
  const auto made = one->create(good.request(), few);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind, ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
