// Mutated tensor files (.npy, .npz, TensorProto): read or refused, whatever they hold.
// Deterministic: a case is its number.
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>

#include "base/file.h"
#include "formats/npy/npy.h"
#include "formats/onnx/onnx.h"
#include "mutation.h"

namespace edgewright {
namespace {

namespace fs = std::filesystem;

std::vector<Tensor> tensors() {
  std::vector<Tensor> all;
  all.push_back(Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  all.push_back(Tensor::of<int64_t>({4}, {-1, 0, 1, INT64_MAX}));
  all.push_back(Tensor::scalar<uint8_t>(7));
  all.push_back(Tensor::strings({2}, {"first", "the second"}));
  all.push_back(*Tensor::allocate(DType::kFloat16, {3, 0, 2}));
  all.push_back(*Tensor::allocate(DType::kInt4, {5}));
  return all;
}

class TensorFuzz : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "edgewright_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }

  // Reads mutations of the seeds with `read`, which says whether the file was accepted.
  void expect_read_or_refused(const std::vector<std::string>& seeds, const std::string& path,
                              bool (*read)(const std::string& path)) {
    Slowest slowest;
    uint64_t accepted = 0;
    for (uint64_t number = 0; number < case_count(); ++number) {
      SCOPED_TRACE(number);
      Random random(number);
      std::string bytes = seeds[random() % seeds.size()];
      for (uint64_t i = 1 + random() % 3; i > 0; --i) {
        random() % 2 == 0 ? mutate_bytes(bytes, random) : mutate_number(bytes, random);
      }
      ASSERT_TRUE(write_file(path, bytes).ok());
      slowest.measure([&] { accepted += read(path) ? 1 : 0; });
    }
    printf("%lu cases: %lu read, slowest %.1f ms\n", case_count(), accepted, slowest.ms());
    EXPECT_GT(accepted, case_count() / 50);  // else the mutations are too coarse to test anything
    EXPECT_LT(accepted, case_count());
    EXPECT_LT(slowest.ms(), 2000);  // a hang, on any machine
  }

  std::string folder_;
};

TEST_F(TensorFuzz, NpyFiles) {
  std::vector<std::string> seeds;
  for (const Tensor& tensor : tensors()) {
    if (auto bytes = format_npy(tensor); bytes.ok()) seeds.push_back(*bytes);
  }
  ASSERT_GE(seeds.size(), 4u);
  expect_read_or_refused(seeds, file("case.npy"), [](const std::string& path) {
    const auto tensor = read_npy(path);
    EXPECT_TRUE(tensor.ok() || !tensor.error().message.empty());
    return tensor.ok();
  });
}

TEST_F(TensorFuzz, NpzArchives) {
  const auto all = tensors();
  ASSERT_TRUE(write_npz(file("seed.npz"), {{"a", all[0]}, {"labels", all[1]}}).ok());
  expect_read_or_refused({*read_file(file("seed.npz"))}, file("case.npz"),
                         [](const std::string& path) {
                           const auto arrays = read_data(path);
                           EXPECT_TRUE(arrays.ok() || !arrays.error().message.empty());
                           return arrays.ok();
                         });
}

TEST_F(TensorFuzz, TensorProtos) {
  std::vector<std::string> seeds;
  for (const auto type : {onnx::TensorProto::FLOAT, onnx::TensorProto::INT4,
                          onnx::TensorProto::STRING, onnx::TensorProto::BFLOAT16}) {
    onnx::TensorProto proto;
    proto.set_name("t");
    proto.set_data_type(type);
    proto.add_dims(2);
    proto.add_dims(3);
    if (type == onnx::TensorProto::FLOAT) {
      for (int i = 0; i < 6; ++i) proto.add_float_data(static_cast<float>(i));
    } else if (type == onnx::TensorProto::STRING) {
      for (int i = 0; i < 6; ++i) proto.add_string_data("s");
    } else {
      proto.set_raw_data(std::string(type == onnx::TensorProto::INT4 ? 3 : 12, '\1'));
    }
    seeds.push_back(proto.SerializeAsString());
  }
  expect_read_or_refused(seeds, file("case.pb"), [](const std::string& path) {
    const auto tensor = load_tensor_proto(path);
    EXPECT_TRUE(tensor.ok() || !tensor.error().message.empty());
    return tensor.ok();
  });
}

}  // namespace
}  // namespace edgewright
