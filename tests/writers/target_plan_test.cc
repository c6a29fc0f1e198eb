// Plans for runtimes that lack operators: what `targets check` says, and what `convert` makes of
// it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "edgewright/convert.h"
#include "edgewright/deploy.h"
#include "formats/npy/npy.h"

namespace edgewright {
namespace {

using testing::Contains;
using testing::HasSubstr;

// A GELU between products large enough that the way to an accelerator pays.
constexpr const char* kGelu = R"(graph %main(%x: float32[32,256]) -> (%y) {
  %shape: int64[2] = {256, 256}
  %w: float32[256,256] = ConstantOfShape(%shape) {value=float32[1]{0.01}}
  %h: float32[32,256] = MatMul(%x, %w)
  %g: float32[32,256] = Gelu(%h)
  %y: float32[32,256] = MatMul(%g, %w)
})";
constexpr int64_t kRows = 32, kColumns = 256;

// Rows of one number each, from -end to end: 2.56 times as much goes into the GELU.
Tensor rising(float end) {
  Tensor tensor = *Tensor::allocate(DType::kFloat32, {kRows, kColumns});
  for (int64_t i = 0; i < kRows * kColumns; ++i) {
    const int64_t place = i / kColumns;
    const auto row = static_cast<float>(place) / static_cast<float>(kRows - 1);
    tensor.mutable_data<float>()[i] = end * (2 * row - 1);
  }
  return tensor;
}

class TargetPlan : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("target_plan_") +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string model(const char* text) const {
    EXPECT_TRUE(write_file(path("graph.txt"), text).ok());
    return path("graph.txt");
  }
  // Converts with a plan and gives the operators of the result.
  std::map<std::string, int64_t> operators_of(const std::string& model,
                                              const ConvertOptions& options,
                                              ConvertReport* report = nullptr) const {
    const auto converted = convert(model, path("out.onnx"), options);
    EXPECT_TRUE(converted.ok()) << converted.error().message;
    if (!converted.ok()) return {};
    EXPECT_TRUE(converted->written);
    if (report != nullptr) *report = *converted;
    const auto inspected = inspect(path("out.onnx"));
    EXPECT_TRUE(inspected.ok());
    return inspected->operators;
  }

  std::filesystem::path folder_;
};

TEST_F(TargetPlan, GeluTakesTheCheapestFormThatIsExactEnough) {
  const std::string gelu = model(kGelu);
  ConvertOptions options;
  options.to = "nnapi@1.2";  // has no erf
  ConvertReport report;
  auto operators = operators_of(gelu, options, &report);
  EXPECT_TRUE(operators.contains("Tanh"));
  EXPECT_FALSE(operators.contains("Gelu") || operators.contains("Erf"));
  ASSERT_TRUE(report.verification.has_value());
  // The tanh form is off by 4.7e-4 at most, where the function is about 2.
  EXPECT_LE(report.verification->outputs[0].relative_l2, 1e-3);
  EXPECT_GT(report.verification->outputs[0].relative_l2, 0);

  options.to = "nnapi@1.2,gelu-error=0.03";
  operators = operators_of(gelu, options);
  EXPECT_TRUE(operators.contains("Sigmoid"));
  EXPECT_FALSE(operators.contains("Tanh"));

  // No form is exact enough: the operator stays, and the CPU runs it.
  options.to = "nnapi@1.2,gelu-error=1e-6";
  operators = operators_of(gelu, options);
  EXPECT_TRUE(operators.contains("Gelu"));
}

TEST_F(TargetPlan, TheObservedRangeDecides) {
  const std::string gelu = model(kGelu);
  NamedTensors arrays;
  arrays["x"] = rising(0.01f);
  ASSERT_TRUE(write_npz(path("small.npz"), arrays).ok());
  arrays["x"] = rising(1.2f);
  ASSERT_TRUE(write_npz(path("large.npz"), arrays).ok());

  TargetOptions options;
  options.target = "nnapi@1.2";
  options.data = path("small.npz");
  auto report = check_target(gelu, options);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_THAT(report->assumptions, Contains(HasSubstr("in the sigmoid form")));
  options.data = path("large.npz");
  report = check_target(gelu, options);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_THAT(report->assumptions, Contains(HasSubstr("in the tanh form")));
  EXPECT_THAT(report->assumptions, Contains(HasSubstr("observed")));
}

TEST_F(TargetPlan, AnApproximationThatShowsIsTakenBack) {
  // Far below zero GELU is a small tail, of which the sigmoid form makes a multiple.
  const std::string tail = model(R"(graph %main(%x: float32[1,8]) -> (%y) {
  %a: float32[1,8] = Abs(%x)
  %n: float32[1,8] = Neg(%a)
  %two: float32[] = {2}
  %h: float32[1,8] = Sub(%n, %two)
  %y: float32[1,8] = Gelu(%h)
})");
  ConvertOptions options;
  options.to = "tensorrt@8.6,gelu-error=0.03";
  ConvertReport report;
  const auto operators = operators_of(tail, options, &report);
  EXPECT_TRUE(operators.contains("Erf"));
  EXPECT_FALSE(operators.contains("Sigmoid"));
  EXPECT_THAT(report.warnings, Contains(HasSubstr("GELU stays exact")));
  EXPECT_LE(report.verification->outputs[0].relative_l2, 1e-4);
}

TEST_F(TargetPlan, OpensWhatAVersionLacks) {
  const std::string norm = model(R"(graph %main(%x: float32[2,8]) -> (%y) {
  %s: float32[8] = {1, 2, 3, 4, 5, 6, 7, 8}
  %y: float32[2,8] = LayerNormalization(%x, %s) {axis=-1}
})");
  ConvertOptions options;
  options.to = "tensorrt@8.0";
  ConvertReport report;
  auto operators = operators_of(norm, options, &report);
  EXPECT_FALSE(operators.contains("LayerNormalization"));
  EXPECT_TRUE(operators.contains("ReduceMean"));
  EXPECT_EQ(report.opset, 13);
  options.to = "tensorrt@8.6";
  operators = operators_of(norm, options, &report);
  EXPECT_TRUE(operators.contains("LayerNormalization"));
  EXPECT_EQ(report.opset, 17);
  options.opset = 21;
  EXPECT_EQ(convert(norm, path("out.onnx"), options).error().kind, ErrorKind::kUsage);
}

// The list of plugins is that of the version that is named.
TEST_F(TargetPlan, PluginsAreOfTheVersion) {
  const std::string positions = model(R"(graph %main(%x: float32[2,3]) -> (%y) {
  %y: int64[2,N] = NonZero(%x)
})");
  for (const auto& [to, needs_one] :
       {std::pair("tensorrt@8.4", true), std::pair("tensorrt@8.6", false)}) {
    ConvertOptions options;
    options.to = to;
    const auto report = convert(positions, path("out.onnx"), options);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(std::filesystem::exists(path("out.plugins/NonZero.cpp")), needs_one) << to;
    std::filesystem::remove_all(path("out.plugins"));
  }
}

TEST_F(TargetPlan, FixRemovesWhatCanBeAvoided) {
  const std::string gelu = model(kGelu);
  TargetOptions options;
  options.target = "snpe@1.68";
  options.hardware = "gpu";
  options.fix = path("fixed.onnx");
  const auto report = check_target(gelu, options);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_TRUE(report->counts.contains("decompose") || report->counts.contains("cpu"));
  ASSERT_TRUE(report->fixed.has_value());
  EXPECT_FALSE(report->fixed->counts.contains("decompose"));
  EXPECT_THAT(report->fixed->changes, Contains(HasSubstr("Gelu: its tanh form")));
  EXPECT_LE(report->fixed->relative_l2, 1e-3);
  options.fix = path("fixed.tflite");
  EXPECT_EQ(check_target(gelu, options).error().kind, ErrorKind::kUsage);
}

TEST_F(TargetPlan, OtherFloatsGoBetweenCasts) {
  const std::string doubles = model(R"(graph %main(%x: float64[1,4], %z: float64[1,4]) -> (%y) {
  %s: float64[1,4] = Add(%x, %z)
  %y: float64[1,4] = Mul(%s, %z)
})");
  TargetOptions check;
  check.target = "nnapi@1.2";
  check.fix = path("fixed.onnx");
  const auto report = check_target(doubles, check);
  ASSERT_TRUE(report.ok()) << report.error().message;
  ASSERT_TRUE(report->fixed.has_value());
  const auto inspected = inspect(path("fixed.onnx"));
  ASSERT_TRUE(inspected.ok());
  for (const NodePlacement& node : report->nodes) {
    // On so few numbers the way there costs more than it gains; that it could go is told.
    EXPECT_TRUE(node.placement == "cast" || node.reason.starts_with("cast;")) << node.reason;
  }
}

// A branch of an If that the target lacks makes the If fall back, and its time is in the sum.
TEST_F(TargetPlan, BodiesCount) {
  const char* text = R"(graph %main(%c: bool[], %x: float32[64,64]) -> (%y) {
  %y: float32[64,64] = If(%c) {else_branch=graph %no() -> (%b) {
    %b: float32[64,64] = Relu(%x)
  }, then_branch=graph %yes() -> (%a) {
    %a: float32[64,64] = MatMul(%x, %x)
  }}
})";
  TargetOptions options;
  options.target = "tensorrt@8.6";
  const auto report = check_target(model(text), options);
  ASSERT_TRUE(report.ok()) << report.error().message;
  // Two starts of 5 us at least, and the product.
  EXPECT_GT(report->predicted_us, 10);
  EXPECT_THAT(report->warnings, Contains(HasSubstr("slowest of their bodies")));
}

TEST_F(TargetPlan, RefusesWhatNobodyKnows) {
  const std::string gelu = model(kGelu);
  for (const char* to : {"nothing@1", "tensorrt@8.6,size=3", "tensorrt@8.6,gelu-error=much"}) {
    ConvertOptions options;
    options.to = to;
    const auto report = convert(gelu, path("out.onnx"), options);
    ASSERT_FALSE(report.ok()) << to;
    EXPECT_EQ(report.error().kind, ErrorKind::kUsage) << to;
  }
}

}  // namespace
}  // namespace edgewright
