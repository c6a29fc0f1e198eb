// Small graphs, one a family of operators, written for other runtimes. `convert` reads back what it
// wrote and runs it on the reference kernels: the numbers must be those of the graph.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "edgewright/convert.h"

namespace edgewright {
namespace {

struct Case {
  const char* name;
  const char* text;
  // Operators that the file must hold, as `inspect` names them when it is read back.
  std::vector<std::string> openvino, tflite, coreml;
};

const Case kCases[] = {
    {"convolution",
     R"(graph %main(%x: float32[1,2,9,8]) -> (%y) {
  %w: float32[4,2,3,3] = {0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.8, 0.9, 0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.8, 0.9, 0.1, 0.2, 0.3, -0.4, 0.5, 0.6, 0.7, 0.8, -0.9, 0.1, 0.2, 0.3, -0.4, 0.5, 0.6, 0.7, 0.8, -0.9, 1.1, 0.2, 0.3, 0.4, 0.5, 0.6, -0.7, 0.8, 0.9, 0.1, 0.2, 0.3, 0.4, -0.5, 0.6, 0.7, 0.8, 0.9, 0.1, 0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.8, 0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, -0.9}
  %b: float32[4] = {0.1, -0.2, 0.3, 0.4}
  %a: float32[1,4,5,4] = Conv(%x, %w, %b) {pads=[1, 1, 1, 1], strides=[2, 2]}
  %y: float32[1,4,5,4] = Relu(%a)
})",
     {"Conv", "Relu"},
     {"Conv", "Relu", "Transpose"},
     {"Conv", "Relu"}},
    {"depthwise",
     R"(graph %main(%x: float32[1,3,6,6]) -> (%y) {
  %w: float32[3,1,2,2] = {0.5, -1.0, 2.0, 0.25, 1.0, 0.5, -0.5, 1.5, -2.0, 0.75, 1.0, 0.1}
  %a: float32[1,3,5,5] = Conv(%x, %w) {group=3}
  %low: float32[] = {0.0}
  %high: float32[] = {6.0}
  %y: float32[1,3,5,5] = Clip(%a, %low, %high)
})",
     {"Conv", "Clip"},
     {"Conv", "Clip"},
     {"Conv", "Clip"}},
    {"transposed_convolution",
     R"(graph %main(%x: float32[1,2,3,3]) -> (%y) {
  %w: float32[2,1,2,2] = {0.5, -1.0, 2.0, 0.25, 1.0, 0.5, -0.5, 1.5}
  %y: float32[1,1,4,4] = ConvTranspose(%x, %w) {strides=[2, 2], pads=[1, 1, 1, 1]}
})",
     {"ConvTranspose"},
     {"ConvTranspose"},
     {"ConvTranspose"}},
    {"pooling",
     R"(graph %main(%x: float32[1,2,7,7]) -> (%y) {
  %a: float32[1,2,4,4] = MaxPool(%x) {kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]}
  %b: float32[1,2,3,3] = AveragePool(%a) {kernel_shape=[2, 2]}
  %y: float32[1,2,1,1] = GlobalAveragePool(%b)
})",
     {"MaxPool", "AveragePool"},
     {"MaxPool", "AveragePool"},
     {"MaxPool", "AveragePool", "ReduceMean"}},
    {"counted_padding",
     R"(graph %main(%x: float32[1,2,6,6]) -> (%y) {
  %y: float32[1,2,6,6] = AveragePool(%x) {kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1}
})",
     {"AveragePool"},
     {"AveragePool", "Pad"},
     {"AveragePool"}},
    {"products",
     R"(graph %main(%x: float32[2,3]) -> (%y, %z) {
  %w: float32[4,3] = {0.5, -1.0, 2.0, 0.25, 1.0, 0.5, -0.5, 1.5, 0.1, 0.2, 0.3, 0.4}
  %c: float32[4] = {1.0, 2.0, 3.0, 4.0}
  %a: float32[2,4] = Gemm(%x, %w, %c) {transB=1}
  %y: float32[2,4] = Softmax(%a) {axis=1}
  %t: float32[3,2] = Transpose(%x) {perm=[1, 0]}
  %z: float32[2,2] = MatMul(%x, %t)
})",
     {"MatMul", "Softmax"},
     {"MatMul", "Softmax"},
     {"MatMul", "Softmax"}},
    {"normalisation",
     R"(graph %main(%x: float32[2,4]) -> (%y) {
  %s: float32[4] = {1.0, 2.0, 0.5, -1.0}
  %b: float32[4] = {0.1, 0.2, 0.3, 0.4}
  %n: float32[2,4] = LayerNormalization(%x, %s, %b) {axis=-1, epsilon=1e-5}
  %y: float32[2,4] = Gelu(%n)
})",
     {"Gelu", "ReduceMean"},
     {"Gelu", "ReduceMean"},
     {"Gelu", "LayerNormalization"}},
    // A BatchNormalization that no Conv takes in.
    {"channel_normalisation",
     R"(graph %main(%x: float32[1,2,3,3]) -> (%y) {
  %s: float32[2] = {1.0, 2.0}
  %b: float32[2] = {0.1, -0.2}
  %m: float32[2] = {0.3, 0.4}
  %v: float32[2] = {0.5, 4.0}
  %y: float32[1,2,3,3] = BatchNormalization(%x, %s, %b, %m, %v)
})",
     {"BatchNormalization"},
     {"Mul", "Add"},
     {"BatchNormalization"}},
    {"activations",
     R"(graph %main(%x: float32[2,3]) -> (%y) {
  %a: float32[2,3] = HardSwish(%x)
  %b: float32[2,3] = LeakyRelu(%x) {alpha=0.2}
  %c: float32[2,3] = Sigmoid(%x)
  %d: float32[2,3] = Tanh(%x)
  %e: float32[2,3] = Elu(%x)
  %f: float32[2,3] = Softplus(%x)
  %g: float32[2,3] = HardSigmoid(%x) {alpha=0.3, beta=0.4}
  %h: float32[2,3] = Swish(%x)
  %y: float32[2,24] = Concat(%a, %b, %c, %d, %e, %f, %g, %h) {axis=1}
})",
     {"HardSwish", "Softplus"},
     {"HardSwish", "Sigmoid"},
     {"LeakyRelu", "Softplus"}},
    {"movements",
     R"(graph %main(%x: float32[1,4,3,6]) -> (%y, %z) {
  %pads: int64[8] = {0, 0, 1, 0, 0, 0, 0, 2}
  %p: float32[1,4,4,8] = Pad(%x, %pads)
  %starts: int64[2] = {1, 0}
  %ends: int64[2] = {4, 8}
  %axes: int64[2] = {2, 3}
  %steps: int64[2] = {1, 3}
  %s: float32[1,4,3,3] = Slice(%p, %starts, %ends, %axes, %steps)
  %a: float32[1,2,3,3], %b: float32[1,2,3,3] = Split(%s) {axis=1, num_outputs=2}
  %t: float32[1,3,3,2] = Transpose(%a) {perm=[0, 2, 3, 1]}
  %shape: int64[2] = {3, 6}
  %y: float32[3,6] = Reshape(%t, %shape)
  %i: int64[2] = {1, 0}
  %z: float32[1,2,2,3] = Gather(%b, %i) {axis=2}
})",
     {"Slice", "Gather"},
     {"Slice", "Gather"},
     {"Slice", "Gather"}},
    {"reductions",
     R"(graph %main(%x: float32[2,3,4]) -> (%a, %b, %c) {
  %one: int64[1] = {1}
  %two: int64[2] = {0, 2}
  %a: float32[2,1,4] = ReduceMean(%x, %one)
  %b: float32[3] = ReduceSum(%x, %two) {keepdims=0}
  %c: int64[2,4] = ArgMax(%x) {axis=1, keepdims=0}
})",
     {"ReduceMean", "ReduceSum"},
     {"ReduceMean", "ReduceSum", "ArgMax"},
     {"ReduceMean", "ReduceSum", "ArgMax"}},
    {"resize",
     R"(graph %main(%x: float32[1,2,3,4]) -> (%y, %z) {
  %size: int64[4] = {1, 2, 6, 8}
  %y: float32[1,2,6,8] = Resize(%x, _, _, %size) {mode="linear", coordinate_transformation_mode="half_pixel"}
  %z: float32[1,2,6,8] = Resize(%x, _, _, %size) {mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"}
})",
     {"Resize"},
     {"Resize"},
     {"Resize"}},
    {"comparisons",
     R"(graph %main(%x: float32[2,3], %y: float32[2,3]) -> (%z) {
  %g: bool[2,3] = Greater(%x, %y)
  %n: bool[2,3] = Not(%g)
  %m: float32[2,3] = Max(%x, %y)
  %z: float32[2,3] = Where(%n, %x, %m)
})",
     {"Greater", "Where"},
     {"Greater", "Where"},
     {"Greater", "Where"}},
    // Layouts: a residual sum and a concatenation stay in NHWC, a mean of channels too.
    {"layouts",
     R"(graph %main(%x: float32[1,2,4,4]) -> (%y) {
  %w: float32[2,2,1,1] = {0.5, -1.0, 2.0, 0.25}
  %k: float32[2,1,1] = {3.0, 0.5}
  %a: float32[1,2,4,4] = Conv(%x, %w)
  %b: float32[1,2,4,4] = Mul(%a, %k)
  %c: float32[1,2,4,4] = Add(%b, %x)
  %d: float32[1,4,4,4] = Concat(%c, %a) {axis=1}
  %one: int64[1] = {1}
  %y: float32[1,1,4,4] = ReduceMean(%d, %one)
})",
     {"Concat"},
     {"Concat"},
     {"Concat"}},
    {"rounded",
     R"(graph %main(%x: float32[1,2,4,4]) -> (%y) {
  %s: float32[] = {0.05}
  %z: uint8[] = {128}
  %wi: int8[2,2,1,1] = {50, -100, 127, 25}
  %ws: float32[2] = {0.01, 0.02}
  %wz: int8[2] = {0, 0}
  %xq: uint8[1,2,4,4] = QuantizeLinear(%x, %s, %z)
  %xd: float32[1,2,4,4] = DequantizeLinear(%xq, %s, %z)
  %w: float32[2,2,1,1] = DequantizeLinear(%wi, %ws, %wz) {axis=0}
  %a: float32[1,2,4,4] = Conv(%xd, %w)
  %aq: uint8[1,2,4,4] = QuantizeLinear(%a, %s, %z)
  %y: float32[1,2,4,4] = DequantizeLinear(%aq, %s, %z)
})",
     {"QuantizeLinear", "DequantizeLinear", "Conv"},
     {"QuantizeLinear", "DequantizeLinear", "Conv"},
     {"QuantizeLinear", "DequantizeLinear", "Conv"}},
};

struct Format {
  const char* name;
  const char* ending;
};
const Format kFormats[] = {{"openvino", ".xml"}, {"tflite", ".tflite"}, {"coreml", ".mlpackage"}};

// What of a result has bytes: of a package, the program.
std::string content_of(const std::string& path) {
  const bool is_package = std::filesystem::is_directory(path);
  return *read_file(is_package ? path + "/Data/com.apple.CoreML/model.mlmodel" : path);
}

class RoundTrip : public testing::TestWithParam<std::tuple<Format, Case>> {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = info->name();
    std::ranges::replace(name, '/', '_');
    folder_ = std::filesystem::path(testing::TempDir()) / ("writers_" + name);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

TEST_P(RoundTrip, GivesTheSameNumbers) {
  const auto& [format, one] = GetParam();
  ASSERT_TRUE(write_file(path("graph.txt"), one.text).ok());
  const std::string output = path(std::string("graph") + format.ending);
  const auto report = convert(path("graph.txt"), output);
  ASSERT_TRUE(report.ok()) << report.error().message;
  ASSERT_TRUE(report->verification.has_value()) << testing::PrintToString(report->warnings);
  EXPECT_TRUE(report->written);
  for (const ValueDifference& difference : report->verification->outputs) {
    // One step of 255 may be another where numbers are rounded.
    const double bound = std::string(one.name) == "rounded" ? 0.02 : 1e-5;
    EXPECT_LE(difference.relative_l2, bound) << difference.name << " " << difference.problem;
  }
  const auto inspected = inspect(output);
  ASSERT_TRUE(inspected.ok()) << inspected.error().message;
  const std::string name = format.name;
  const auto& expected = name == "openvino" ? one.openvino
                         : name == "tflite" ? one.tflite
                                            : one.coreml;
  for (const std::string& op : expected) {
    EXPECT_TRUE(inspected->operators.contains(op)) << op;
  }
}

TEST_P(RoundTrip, HasTheSameBytesEachTime) {
  const auto& [format, one] = GetParam();
  ASSERT_TRUE(write_file(path("graph.txt"), one.text).ok());
  std::string contents[2];
  for (std::string& content : contents) {
    const std::string output = path(std::string("graph") + format.ending);
    ASSERT_TRUE(convert(path("graph.txt"), output).ok());
    content = content_of(output);
  }
  EXPECT_EQ(contents[0], contents[1]);
}

std::string case_name(const testing::TestParamInfo<std::tuple<Format, Case>>& info) {
  return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param).name;
}
INSTANTIATE_TEST_SUITE_P(Graphs, RoundTrip,
                         testing::Combine(testing::ValuesIn(kFormats), testing::ValuesIn(kCases)),
                         case_name);

std::string temporary(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / name).string();
}

TEST(Writers, RefuseOperatorsByName) {
  const std::string input = temporary("writers_refused.txt");
  ASSERT_TRUE(write_file(input, R"(graph %main(%x: float32[3,3]) -> (%y) {
  %y: float32[] = Det(%x)
})")
                  .ok());
  for (const Format& format : kFormats) {
    const std::string output = temporary(std::string("writers_refused") + format.ending);
    const auto report = convert(input, output);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().kind, ErrorKind::kUnsupported);
    EXPECT_THAT(report.error().message, testing::HasSubstr("Det (1 nodes"));
    EXPECT_FALSE(std::filesystem::exists(output));
  }
  std::filesystem::remove(input);
}

TEST(Writers, HalfWeightsTakeHalfTheBytes) {
  const std::string input = temporary("writers_half.txt");
  std::string numbers;
  for (int i = 0; i < 4096; ++i) numbers += fmt::format("{}{:.3f}", i == 0 ? "" : ", ", i * 0.001);
  ASSERT_TRUE(write_file(input, fmt::format(R"(graph %main(%x: float32[2,64]) -> (%y) {{
  %w: float32[64,64] = {{{}}}
  %y: float32[2,64] = MatMul(%x, %w)
}})",
                                            numbers))
                  .ok());
  for (const Format& format : kFormats) {
    const std::string output = temporary(std::string("writers_half") + format.ending);
    const auto whole = convert(input, output);
    ConvertOptions options;
    options.precision = "fp16";
    const auto half = convert(input, output, options);
    ASSERT_TRUE(whole.ok() && half.ok());
    EXPECT_LT(half->size_bytes, whole->size_bytes - 4096 * 2 + 2048);
    ASSERT_TRUE(half->verification.has_value());
    EXPECT_LE(half->verification->outputs[0].relative_l2, 1e-3);
    std::filesystem::remove_all(output);
  }
  std::filesystem::remove(input);
  std::filesystem::remove(temporary("writers_half.bin"));
}

}  // namespace
}  // namespace edgewright
