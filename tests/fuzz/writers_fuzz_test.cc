// Mutated files of other runtimes: reading ends with a well-formed graph or an error that says so,
// whatever the bytes are. Deterministic: a case is its number.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "formats/coreml/coreml.h"
#include "formats/onnx/type_inference.h"
#include "formats/openvino/openvino.h"
#include "formats/tflite/tflite.h"
#include "graph/text.h"
#include "mutation.h"

namespace edgewright {
namespace {

constexpr const char* kSeed = R"(graph %main(%x: float32[1,2,6,6]) -> (%y, %s) {
  %q: float32[] = {0.05}
  %z: uint8[] = {128}
  %wi: int8[4,2,3,3] = {50, -100, 127, 25, 1, 2, 3, 4, 5, 50, -100, 127, 25, 1, 2, 3, 4, 5, 50, -100, 127, 25, 1, 2, 3, 4, 5, 50, -100, 127, 25, 1, 2, 3, 4, 5, 50, -100, 127, 25, 1, 2, 3, 4, 5, 50, -100, 127, 25, 1, 2, 3, 4, 5, 50, -100, 127, 25, 1, 2, 3, 4, 5, 50, -100, 127, 25, 1, 2, 3, 4, 5}
  %ws: float32[4] = {0.01, 0.02, 0.03, 0.04}
  %wz: int8[4] = {0, 0, 0, 0}
  %xq: uint8[1,2,6,6] = QuantizeLinear(%x, %q, %z)
  %xd: float32[1,2,6,6] = DequantizeLinear(%xq, %q, %z)
  %w: float32[4,2,3,3] = DequantizeLinear(%wi, %ws, %wz) {axis=0}
  %a: float32[1,4,6,6] = Conv(%xd, %w) {pads=[1, 1, 1, 1]}
  %aq: uint8[1,4,6,6] = QuantizeLinear(%a, %q, %z)
  %ad: float32[1,4,6,6] = DequantizeLinear(%aq, %q, %z)
  %p: float32[1,4,3,3] = MaxPool(%ad) {kernel_shape=[2, 2], strides=[2, 2]}
  %starts: int64[1] = {1}
  %ends: int64[1] = {3}
  %axes: int64[1] = {1}
  %c: float32[1,2,3,3] = Slice(%p, %starts, %ends, %axes)
  %d: float32[1,4,3,3] = Concat(%c, %c) {axis=1}
  %f: float32[1,36] = Flatten(%d)
  %m: float32[36,3] = {0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3}
  %y: float32[1,3] = MatMul(%f, %m)
  %s: float32[1,3] = Softmax(%y) {axis=1}
})";

std::string temporary(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / name).string();
}

Model seed() {
  auto model = parse_model(kSeed);
  EXPECT_TRUE(model.ok()) << model.error().message;
  EXPECT_TRUE(onnx_type_inferer().infer(*model->graph).ok());
  return *std::move(model);
}

// What a reader must do with any bytes, and how often it did what.
class Judge {
 public:
  ~Judge() { fmt::print("{} files read, {} refused as damaged\n", read_, bad_); }

  void operator()(const Result<Model>& model) {
    if (model.ok()) {
      ++read_;
      EXPECT_THAT(violations(*model->graph), testing::IsEmpty());
      // Types may contradict each other; that ends with a status as well.
      (void)onnx_type_inferer().infer(*model->graph);
      return;
    }
    ++bad_;
    EXPECT_EQ(model.error().kind, ErrorKind::kBadInput) << model.error().message;
    EXPECT_FALSE(model.error().message.empty());
  }

 private:
  uint64_t read_ = 0, bad_ = 0;
};

TEST(WritersFuzz, OpenvinoXml) {
  Judge judge;
  const std::string path = temporary("fuzz_openvino.xml");
  ASSERT_TRUE(export_openvino(seed(), path).ok());
  const std::string original = *read_file(path);
  judge(import_openvino(path));
  for (uint64_t i = 0; i < case_count(); ++i) {
    Random random(i);
    std::string text = original;
    const uint64_t changes = 1 + random() % 3;
    for (uint64_t change = 0; change < changes; ++change) {
      random() % 2 == 0 ? mutate_number(text, random) : mutate_bytes(text, random);
    }
    ASSERT_TRUE(write_file(path, text).ok());
    judge(import_openvino(path));
    if (HasFailure()) FAIL() << "case " << i;
  }
  std::filesystem::remove(path);
  std::filesystem::remove(temporary("fuzz_openvino.bin"));
}

TEST(WritersFuzz, OpenvinoWeights) {
  Judge judge;
  const std::string path = temporary("fuzz_weights.xml"), weights = temporary("fuzz_weights.bin");
  ASSERT_TRUE(export_openvino(seed(), path).ok());
  const std::string original = *read_file(weights);
  for (uint64_t i = 0; i < case_count() / 10; ++i) {
    Random random(i);
    std::string bytes = original;
    mutate_bytes(bytes, random);
    ASSERT_TRUE(write_file(weights, bytes).ok());
    judge(import_openvino(path));
    if (HasFailure()) FAIL() << "case " << i;
  }
  std::filesystem::remove(path);
  std::filesystem::remove(weights);
}

// Offsets and numbers of a FlatBuffer are 32 bits at multiples of 4.
void mutate_word(std::string& bytes, Random& random) {
  static constexpr int32_t kWords[] = {0, 1, -1, 2, 4, 7, 127, 4096, 65536, INT32_MAX, INT32_MIN};
  if (bytes.size() < 8) return;
  const int32_t word = kWords[random() % std::size(kWords)];
  std::memcpy(bytes.data() + random() % (bytes.size() / 4 - 1) * 4, &word, sizeof(word));
}

TEST(WritersFuzz, Tflite) {
  Judge judge;
  const std::string path = temporary("fuzz.tflite");
  ASSERT_TRUE(export_tflite(seed(), path).ok());
  const std::string original = *read_file(path);
  judge(import_tflite(path));
  for (uint64_t i = 0; i < case_count(); ++i) {
    Random random(i);
    std::string bytes = original;
    const uint64_t changes = 1 + random() % 3;
    for (uint64_t change = 0; change < changes; ++change) {
      random() % 3 == 0 ? mutate_bytes(bytes, random) : mutate_word(bytes, random);
    }
    ASSERT_TRUE(write_file(path, bytes).ok());
    judge(import_tflite(path));
    if (HasFailure()) FAIL() << "case " << i;
  }
  std::filesystem::remove(path);
}

// Changes one file of a package again and again.
void mutate_package(const std::string& name, const std::string& file, uint64_t cases) {
  Judge judge;
  const std::string package = temporary(name), path = package + "/" + file;
  ASSERT_TRUE(export_coreml(seed(), package).ok());
  judge(import_coreml(package));
  const std::string original = *read_file(path);
  for (uint64_t i = 0; i < cases; ++i) {
    Random random(i);
    std::string bytes = original;
    const uint64_t changes = 1 + random() % 3;
    for (uint64_t change = 0; change < changes; ++change) {
      random() % 3 != 0 ? mutate_bytes(bytes, random) : mutate_word(bytes, random);
    }
    ASSERT_TRUE(write_file(path, bytes).ok());
    judge(import_coreml(package));
    if (testing::Test::HasFailure()) FAIL() << "case " << i;
  }
  std::filesystem::remove_all(package);
}

TEST(WritersFuzz, Coreml) {
  mutate_package("fuzz.mlpackage", "Data/com.apple.CoreML/model.mlmodel", case_count());
}

TEST(WritersFuzz, CoremlWeights) {
  mutate_package("fuzz_weights.mlpackage", "Data/com.apple.CoreML/weights/weight.bin",
                 case_count() / 10);
}

TEST(WritersFuzz, CoremlManifest) {
  mutate_package("fuzz_manifest.mlpackage", "Manifest.json", case_count() / 10);
}

}  // namespace
}  // namespace edgewright
