#include "formats/coreml/coreml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "formats/coreml/protobuf_reader.h"
#include "formats/coreml/protobuf_writer.h"
#include "formats/coreml/weights_file.h"
#include "graph/text.h"

namespace edgewright {
namespace {

using coreml::Message;
using coreml::WeightsFile;
using testing::HasSubstr;

TEST(ProtobufWriter, WritesTheWireFormat) {
  // Examples of the encoding's documentation: field 1 = 150, field 2 = "testing".
  EXPECT_EQ(Message().number(1, 150).bytes(), "\x08\x96\x01");
  EXPECT_EQ(Message().text(2, "testing").bytes(), "\x12\x07testing");
  EXPECT_EQ(Message().message(3, Message().number(1, 150)).bytes(), "\x1a\x03\x08\x96\x01");
  Message packed;
  packed.varint(3);
  packed.varint(270);
  packed.varint(86942);
  EXPECT_EQ(packed.bytes(), "\x03\x8e\x02\x9e\xa7\x05");
}

TEST(WeightsFile, AlignsBlobsAndDescribesThem) {
  WeightsFile file;
  EXPECT_EQ(file.add(Tensor::of<float>({2}, {1.0f, 2.0f})), 64u);
  EXPECT_EQ(file.add(Tensor::of<int8_t>({3}, {1, 2, 3})), 192u);
  const std::string bytes = std::move(file).finish();
  ASSERT_EQ(bytes.size(), 320u);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x02\0\0\0\x02\0\0\0", 8));
  EXPECT_EQ(bytes.substr(64, 8), std::string("\xef\xbe\xad\xde\x02\0\0\0", 8));
  EXPECT_EQ(static_cast<int>(bytes[72]), 8);              // bytes of data
  EXPECT_EQ(static_cast<unsigned char>(bytes[80]), 128);  // where they lie
  EXPECT_EQ(bytes.substr(128, 8), std::string("\0\0\x80\x3f\0\0\0\x40", 8));
  EXPECT_EQ(bytes.substr(256, 3), "\x01\x02\x03");
}

class ExportCoreml : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) /
        (std::string("coreml_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<std::vector<std::string>> write(const char* text, const char* name) {
    auto model = parse_model(text);
    EXPECT_TRUE(model.ok()) << model.error().message;
    return export_coreml(*model, (folder_ / name).string());
  }
  std::string specification(const char* name) {
    std::ifstream file(folder_ / name / "Data/com.apple.CoreML/model.mlmodel", std::ios::binary);
    std::stringstream all;
    all << file.rdbuf();
    return all.str();
  }

  std::filesystem::path folder_;
};

constexpr const char* kRelu = R"(graph %main(%"in/0": float32[1,3]) -> (%y) {
  %y: float32[1,3] = Relu(%"in/0")
}
)";

TEST_F(ExportCoreml, WritesAPackage) {
  const auto files = write(kRelu, "m.mlpackage");
  ASSERT_TRUE(files.ok()) << files.error().message;
  EXPECT_THAT(*files, testing::ElementsAre((folder_ / "m.mlpackage").string()));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "m.mlpackage/Manifest.json"));
  EXPECT_EQ(
      std::filesystem::file_size(folder_ / "m.mlpackage/Data/com.apple.CoreML/weights/weight.bin"),
      64u);
  const std::string text = specification("m.mlpackage");
  // Version 6 in field 1; names are identifiers.
  EXPECT_EQ(text.substr(0, 2), "\x08\x06");
  EXPECT_THAT(text, HasSubstr("CoreML5"));
  EXPECT_THAT(text, HasSubstr("in_0"));
  EXPECT_THAT(text, HasSubstr("relu"));
}

TEST_F(ExportCoreml, TheSameGraphGivesTheSameBytes) {
  ASSERT_TRUE(write(kRelu, "a.mlpackage").ok());
  ASSERT_TRUE(write(kRelu, "b.mlpackage").ok());
  EXPECT_EQ(specification("a.mlpackage"), specification("b.mlpackage"));
}

TEST_F(ExportCoreml, RefusesByName) {
  const auto files = write(R"(graph %main(%x: float32[1,3]) -> (%y) {
  %a: int64[] = {1}
  %y: float32[1,3] = CumSum(%x, %a) "sum"
}
)",
                           "m.mlpackage");
  ASSERT_FALSE(files.ok());
  EXPECT_EQ(files.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(files.error().message, HasSubstr("node 'sum' (CumSum): Core ML has no form for it"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "m.mlpackage"));
  const auto scalar = write(R"(graph %main(%x: float32[]) -> (%x) {
}
)",
                            "m.mlpackage");
  ASSERT_FALSE(scalar.ok());
  EXPECT_THAT(scalar.error().message,
              HasSubstr("input 'x' is float32[], which Core ML interfaces"));
}

TEST(ProtobufReader, ReadsTheWireFormat) {
  const auto fields = coreml::fields_of(Message().number(1, 150).text(2, "testing").bytes());
  ASSERT_TRUE(fields.ok()) << fields.error().message;
  ASSERT_EQ(fields->size(), 2u);
  EXPECT_EQ((*fields)[0].value, 150u);
  EXPECT_EQ((*fields)[1].bytes, "testing");
  EXPECT_EQ(coreml::packed_varints("\x03\x8e\x02\x9e\xa7\x05").ok(), true);
}

TEST(ProtobufReader, RefusesWhatReachesBeyondTheEnd) {
  for (const std::string text : {"\x08", "\x12\x07test", "\x0d\x01", "\x0b", "\x08\xff\xff"}) {
    const auto fields = coreml::fields_of(text);
    ASSERT_FALSE(fields.ok()) << text;
    EXPECT_EQ(fields.error().kind, ErrorKind::kBadInput);
  }
}

class ImportCoreml : public ExportCoreml {
 protected:
  // What reading says of a package whose file is `text`.
  Result<Model> read_with(const std::string& file, const std::string& text) {
    const auto package = folder_ / "m.mlpackage";
    EXPECT_TRUE(write(kConvolution, "m.mlpackage").ok());
    std::ofstream(package / file, std::ios::binary) << text;
    return import_coreml(package.string());
  }
  static constexpr const char* kProgram = "Data/com.apple.CoreML/model.mlmodel";
  static constexpr const char* kConvolution = R"(graph %main(%x: float32[1,2,4,4]) -> (%y) {
  %w: float32[4,2,2,2] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32}
  %c: float32[1,4,3,3] = Conv(%x, %w)
  %y: float32[1,4,3,3] = Relu(%c)
}
)";
};

TEST_F(ImportCoreml, ReadsWhatIsWritten) {
  ASSERT_TRUE(write(kConvolution, "m.mlpackage").ok());
  const auto model = import_coreml((folder_ / "m.mlpackage").string());
  ASSERT_TRUE(model.ok()) << model.error().message;
  const Graph& graph = *model->graph;
  EXPECT_TRUE(violations(graph).empty());
  ASSERT_EQ(graph.nodes().size(), 2u);
  const Node& conv = graph.nodes().front();
  EXPECT_TRUE(conv.is("Conv"));
  ASSERT_NE(conv.constant_input(1), nullptr);
  EXPECT_EQ(conv.constant_input(1)->elements<float>()[31], 32.0f);
  EXPECT_EQ(type_text(graph.outputs()[0]->type), "float32[1,4,3,3]");
}

TEST_F(ImportCoreml, TellsDamageFromWhatIsNotRead) {
  ASSERT_TRUE(write(kConvolution, "m.mlpackage").ok());
  std::string program = specification("m.mlpackage");
  const size_t at = program.find("relu");
  ASSERT_NE(at, std::string::npos);
  // "lstm" is an operation of Core ML, "relv" is none.
  program.replace(at, 4, "lstm");
  auto model = read_with(kProgram, program);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(model.error().message, HasSubstr("no counterpart for lstm"));
  program.replace(at, 4, "relv");
  model = read_with(kProgram, program);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, ErrorKind::kBadInput);
}

TEST_F(ImportCoreml, RefusesDamagedPackages) {
  const std::string manifest = R"({"rootModelIdentifier": "a", "itemInfoEntries": {"a": {"path":
      "../../../etc/passwd"}}})";
  auto model = read_with("Manifest.json", manifest);
  ASSERT_FALSE(model.ok());
  EXPECT_THAT(model.error().message, HasSubstr("the root item lies at"));
  model = read_with("Data/com.apple.CoreML/weights/weight.bin", std::string(64, '\0'));
  ASSERT_FALSE(model.ok());
  EXPECT_THAT(model.error().message, HasSubstr("found no blob storage"));
  model = read_with(kProgram, "");
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, ErrorKind::kBadInput);
}

}  // namespace
}  // namespace edgewright
