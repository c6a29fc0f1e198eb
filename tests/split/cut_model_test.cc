// Device half, then server half, against the whole model, at many cuts.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "api/cut_model.h"
#include "api/split_subject.h"
#include "edgewright/split.h"

namespace edgewright {
namespace {

[[maybe_unused]] constexpr const char* kOwnModel = EDGEWRIGHT_ROOT "/examples/models/resnet20.onnx";

double relative_l2(const Tensor& a, const Tensor& b) {
  double error = 0, norm = 0;
  for (int64_t i = 0; i < a.element_count(); ++i) {
    const auto index = static_cast<size_t>(i);
    const double x = a.elements<float>()[index], y = b.elements<float>()[index];
    error += (x - y) * (x - y);
    norm += x * x;
  }
  return std::sqrt(error / norm);
}

// Cuts after every `stride`-th layer; each half is optimised on its own, so that results are equal
// up to rounding.
void expect_halves_equal_whole(const std::string& path, size_t stride) {
  const auto model = model_to_cut(path, {});
  ASSERT_TRUE(model.ok()) << model.error().message;
  const auto work = graph_work(*model->graph);
  ASSERT_TRUE(work.ok()) << work.error().message;
  auto whole = CutModel::open(path, {}, "input", 1);
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  const auto samples = cut_samples(*whole, "", 1, 7);
  ASSERT_TRUE(samples.ok());
  const auto expected = whole->run_server(*whole->run_device(samples->inputs[0]));
  ASSERT_TRUE(expected.ok()) << expected.error().message;
  size_t cuts = 0;
  for (size_t layer = 1; layer + 1 < work->work.layers.size(); layer += stride) {
    const std::string& name = work->work.layers[layer].name;
    auto cut = CutModel::open(path, {}, name, 1);
    ASSERT_TRUE(cut.ok()) << name << ": " << cut.error().message;
    const auto sent = cut->run_device(samples->inputs[0]);
    ASSERT_TRUE(sent.ok()) << name << ": " << sent.error().message;
    const auto outputs = cut->run_server(*sent);
    ASSERT_TRUE(outputs.ok()) << name << ": " << outputs.error().message;
    for (const auto& [output, tensor] : *expected) {
      ASSERT_TRUE(outputs->contains(output)) << name;
      EXPECT_LT(relative_l2(tensor, outputs->at(output)), 1e-4) << name;
    }
    ++cuts;
  }
  EXPECT_GT(cuts, 3U);
}

#ifdef EDGEWRIGHT_EXTENDED

TEST(ExtendedCutModel, HalvesEqualTheWholeOnSharedModels) {
  const std::string zoo = EDGEWRIGHT_ROOT "/../shared/zoo/";
  if (!std::filesystem::exists(zoo)) GTEST_SKIP() << "no shared models here";
  expect_halves_equal_whole(zoo + "cifar10/vit20.onnx", 37);
  expect_halves_equal_whole(zoo + "cifar10/mobilenetv2.onnx", 11);
  expect_halves_equal_whole(zoo + "third-party/face-rfb-320.onnx", 19);
}

#else

TEST(CutModel, HalvesEqualTheWholeModel) { expect_halves_equal_whole(kOwnModel, 5); }

TEST(CutModel, NamesLayersWhenTheCutIsUnknown) {
  const auto cut = CutModel::open(kOwnModel, {}, "nowhere", 1);
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().kind, ErrorKind::kUsage);
  EXPECT_NE(cut.error().message.find("input"), std::string::npos);
}

TEST(CompareCodecs, AnswersStayWithEightBits) {
  CodecOptions options;
  options.model = kOwnModel;
  const auto model = model_to_cut(kOwnModel, {});
  ASSERT_TRUE(model.ok());
  options.cut = graph_work(*model->graph)->work.layers[12].name;
  options.samples = 8;
  options.only = {"fp32", "fp16", "int8", "int4"};
  const auto report = compare_codecs(options);
  ASSERT_TRUE(report.ok()) << report.error().message;
  ASSERT_EQ(report->codecs.size(), 4U);
  EXPECT_EQ(report->codecs[0].output_relative_l2, 0);
  EXPECT_EQ(report->codecs[2].agreement, 1);
  EXPECT_GT(report->codecs[2].ratio, 3.5);
  EXPECT_LT(report->codecs[1].output_relative_l2, report->codecs[2].output_relative_l2);
  EXPECT_LT(report->codecs[2].output_relative_l2, report->codecs[3].output_relative_l2);
  EXPECT_TRUE(report->passed);
}

#endif

}  // namespace
}  // namespace edgewright
