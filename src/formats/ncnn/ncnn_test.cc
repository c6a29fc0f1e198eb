#include "formats/ncnn/ncnn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "graph/text.h"

namespace edgewright {
namespace {

using testing::HasSubstr;
using testing::Not;

class ExportNcnn : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) /
        (std::string("ncnn_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // The text of the parameters.
  std::string written(const char* text, const NcnnOptions& options = {}) {
    auto model = parse_model(text);
    EXPECT_TRUE(model.ok()) << model.error().message;
    const auto files = export_ncnn(*model, (folder_ / "m.param").string(), options);
    EXPECT_TRUE(files.ok()) << files.error().message;
    return content("m.param");
  }
  std::string content(const char* name) {
    std::ifstream file(folder_ / name, std::ios::binary);
    std::stringstream all;
    all << file.rdbuf();
    return all.str();
  }
  static std::string refusal(const char* text) {
    auto model = parse_model(text);
    EXPECT_TRUE(model.ok()) << model.error().message;
    const auto files = export_ncnn(*model, "/nowhere/m.param");
    return files.ok() ? "written" : files.error().message;
  }

  std::filesystem::path folder_;
};

TEST_F(ExportNcnn, WritesLayersAndWeights) {
  const std::string text = written(R"(graph %main(%x: float32[1,1,4,4]) -> (%y) {
  %w: float32[2,1,1,1] = {1.5, -2.0}
  %b: float32[2] = {0.25, 0.5}
  %c: float32[1,2,4,4] = Conv(%x, %w, %b)
  %y: float32[1,2,4,4] = Relu(%c)
}
)");
  EXPECT_EQ(text,
            "7767517\n3 3\n"
            "Input                    x                        0 1 x 0=4 1=4 2=1\n"
            "Convolution              c                        1 1 x c 0=2 1=1 2=1 3=1 4=0 5=1 6=2 "
            "11=1 12=1 13=1 14=0 15=0 16=0\n"
            "ReLU                     y                        1 1 c y\n");
  // A tag of four bytes, two weights, two biases.
  const std::string weights = content("m.bin");
  ASSERT_EQ(weights.size(), 20u);
  EXPECT_EQ(weights.substr(0, 8), std::string("\0\0\0\0\0\0\xc0\x3f", 8));
}

TEST_F(ExportNcnn, ReducesAllAxesWhereNoneIsNamed) {
  const std::string left_out = written(R"(graph %main(%x: float32[1,2,4,4]) -> (%y) {
  %y: float32[1,1,1,1] = ReduceSum(%x)
}
)");
  const std::string empty = written(R"(graph %main(%x: float32[1,2,4,4]) -> (%y) {
  %a: int64[0] = {}
  %y: float32[1,1,1,1] = ReduceSum(%x, %a)
}
)");
  EXPECT_THAT(left_out, HasSubstr("-23303=3,0,1,2"));
  EXPECT_EQ(empty, left_out);
}

TEST_F(ExportNcnn, StoresWeightsInHalf) {
  written(R"(graph %main(%x: float32[1,1,4,4]) -> (%y) {
  %w: float32[1,1,1,1] = {1.5}
  %y: float32[1,1,4,4] = Conv(%x, %w)
}
)",
          {.half_weights = true});
  // The tag, 0x3e00, and two bytes to a whole word.
  EXPECT_EQ(content("m.bin"), std::string("\x47\x6b\x30\x01\x00\x3e\0\0", 8));
}

TEST_F(ExportNcnn, SplitsBlobsOfSeveralConsumers) {
  const std::string text = written(R"(graph %main(%x: float32[1,3]) -> (%y, %r) {
  %r: float32[1,3] = Relu(%x)
  %y: float32[1,3] = Add(%r, %x)
}
)");
  EXPECT_THAT(text, HasSubstr("Split                    x_split                  1 2 x x_split_0 "
                              "x_split_1\n"));
  // An output that a layer takes has a blob of its own besides.
  EXPECT_THAT(text, HasSubstr("Noop                     r                        1 1 "));
}

TEST_F(ExportNcnn, DropsTheAxisOfLengthOneWhereverItIs) {
  const std::string text = written(R"(graph %main(%x: float32[1,2,3,4]) -> (%y) {
  %s: int64[3] = {2, 4, 3}
  %t: float32[2,1,4,3] = Transpose(%x) {perm=[1, 0, 3, 2]}
  %y: float32[2,4,3] = Reshape(%t, %s)
}
)");
  EXPECT_THAT(text, HasSubstr("Permute                  t                        1 1 x t 0=1\n"));
  EXPECT_THAT(text, Not(HasSubstr("Reshape")));
}

TEST_F(ExportNcnn, RefusesByName) {
  EXPECT_THAT(refusal(R"(graph %main(%x: int64[1,3]) -> (%x) {
}
)"),
              HasSubstr("input 'x' is int64[1,3], ncnn takes float32"));
  EXPECT_THAT(refusal(R"(graph %main(%x: float32[1,3]) -> (%y) {
  %a: int64[] = {1}
  %y: float32[1,3] = CumSum(%x, %a) "sum"
}
)"),
              HasSubstr("node 'sum' (CumSum): ncnn has no form for it"));
  EXPECT_THAT(refusal(R"(graph %main(%x: float32[2,3,4,5,6]) -> (%x) {
}
)"),
              HasSubstr("at most 4 axes"));
}

}  // namespace
}  // namespace edgewright
