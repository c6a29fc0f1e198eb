#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "serve/protocol/datatype.h"
#include "serve/protocol/infer_json.h"
#include "serve/protocol/json_tensor.h"
#include "serve/protocol/metadata_json.h"
#include "serve/protocol/number_array.h"
#include "serve/protocol/raw_tensor.h"

namespace edgewright::oip {
namespace {

using testing::HasSubstr;

std::vector<Tensor> tensors() {
  std::vector<Tensor> all;
  all.push_back(Tensor::of<float>({2, 2}, {0.1f, -1.5f, 3e38f, 0.0f}));
  all.push_back(Tensor::of<double>({2}, {0.1, -1e300}));
  all.push_back(Tensor::of<int64_t>({3}, {INT64_MIN, 0, INT64_MAX}));
  all.push_back(Tensor::of<uint64_t>({1}, {UINT64_MAX}));
  all.push_back(Tensor::of<int8_t>({2}, {-128, 127}));
  all.push_back(Tensor::of<bool>({3}, {true, false, true}));
  all.push_back(Tensor::of<int32_t>({0, 4}, {}));
  all.push_back(Tensor::scalar<uint16_t>(7));
  all.push_back(Tensor::strings({2, 1}, {"first \"quoted\"\n", "\xc3\xa9t\xc3\xa9"}));
  return all;
}

void expect_same(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.dtype(), b.dtype());
  ASSERT_EQ(a.dims(), b.dims());
  if (a.dtype() == DType::kString) {
    EXPECT_EQ(a.string_elements(), b.string_elements());
  } else {
    EXPECT_TRUE(identical(a, b));
  }
}

InferRequest request_of_all(bool binary) {
  InferRequest request;
  request.id = "17";
  request.parameters = {{"priority", int64_t{3}}, {"key \"x\"", std::string("a")}};
  for (const Tensor& tensor : tensors()) {
    request.inputs.push_back({fmt::format("in{}", request.inputs.size()), tensor, {}, binary});
  }
  request.outputs.push_back({"y", true, 5, {{"scale", 0.5}}});
  request.outputs.push_back({"z", false, 0, {}});
  return request;
}

TEST(Protocol, RequestsComeBackAsTheyWere) {
  for (const bool binary : {false, true}) {
    const InferRequest sent = request_of_all(binary);
    const auto body = encode_infer_request(sent);
    ASSERT_TRUE(body.ok()) << body.error().message;
    EXPECT_EQ(body->json_bytes.has_value(), binary);
    const auto received = decode_infer_request(body->bytes, body->json_bytes);
    ASSERT_TRUE(received.ok()) << received.error().message << "\n" << body->bytes;
    EXPECT_EQ(received->id, "17");
    EXPECT_EQ(received->parameters, sent.parameters);
    ASSERT_EQ(received->inputs.size(), sent.inputs.size());
    for (size_t i = 0; i < sent.inputs.size(); ++i) {
      EXPECT_EQ(received->inputs[i].name, sent.inputs[i].name);
      expect_same(received->inputs[i].tensor, sent.inputs[i].tensor);
    }
    ASSERT_EQ(received->outputs.size(), 2u);
    EXPECT_TRUE(received->outputs[0].binary);
    EXPECT_EQ(received->outputs[0].classes, 5);
    EXPECT_EQ(received->outputs[0].parameters, sent.outputs[0].parameters);
    EXPECT_FALSE(received->outputs[1].binary);
  }
}

TEST(Protocol, ResponsesComeBackAsTheyWere) {
  InferResponse sent{"net", "3", "a", {}, {}};
  sent.outputs.push_back({"y", Tensor::of<float>({1, 2}, {1, 2}), {}, true});
  sent.outputs.push_back({"z", Tensor::of<int32_t>({2}, {1, -2}), {}, false});
  const auto body = encode_infer_response(sent);
  ASSERT_TRUE(body.ok());
  const auto received = decode_infer_response(body->bytes, body->json_bytes);
  ASSERT_TRUE(received.ok()) << received.error().message;
  EXPECT_EQ(received->model, "net");
  EXPECT_EQ(received->version, "3");
  ASSERT_EQ(received->outputs.size(), 2u);
  expect_same(received->outputs[0].tensor, sent.outputs[0].tensor);
  expect_same(received->outputs[1].tensor, sent.outputs[1].tensor);
}

// As kserve's Python server answers.
TEST(Protocol, NullsInAnAnswerAreWhatIsNotThere) {
  const auto read = decode_infer_response(
      R"({"model_name":"net","model_version":null,"id":"7","parameters":null,"outputs":[
          {"name":"y","shape":[2],"datatype":"FP32","parameters":null,"data":[1.5,2]}]})",
      std::nullopt);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->version, "");
  EXPECT_EQ(read->outputs[0].tensor.elements<float>()[0], 1.5f);
}

// The example of the protocol's own text (rest_predict_v2: "Inference Request JSON Object").
TEST(Protocol, ReadsNestedAndFlatData) {
  const auto request = decode_infer_request(
      R"({"id":"42","inputs":[{"name":"input0","shape":[2,2],"datatype":"UINT32","data":[[1,2],[3,4]]},
          {"name":"input1","shape":[3],"datatype":"BOOL","data":[true,false,1]}],
          "outputs":[{"name":"output0"}]})",
      std::nullopt);
  ASSERT_TRUE(request.ok()) << request.error().message;
  expect_same(request->inputs[0].tensor, Tensor::of<uint32_t>({2, 2}, {1, 2, 3, 4}));
  expect_same(request->inputs[1].tensor, Tensor::of<bool>({3}, {true, false, true}));
}

// Numbers that stand aside are read as the parser reads them, and refused where it refuses them.
TEST(Protocol, NumbersAreReadAsTheParserReadsThem) {
  const std::string_view arrays[] = {"[1,2,3]",
                                     "[[1],[2],[3]]",
                                     "[ 1 ,\n2\t, 3 ]",
                                     "[1e2,-0.5,3E+1]",
                                     "[1,2]",
                                     "[1,2,3,4]",
                                     "[1,,2,3]",
                                     "[1,2,3,]",
                                     "[,1,2,3]",
                                     "[1 2 3]",
                                     "[01,2,3]",
                                     "[.5,1,2]",
                                     "[1.,2,3]",
                                     "[+1,2,3]",
                                     "[1.e3,2,3]",
                                     "[-,1,2]",
                                     "[1e400,2,3]",
                                     "[3.5e38,1,2]",
                                     "[1,[2],3]",
                                     "[[],1,2,3]",
                                     "[1,2,3]]",
                                     "[[1,2,3]",
                                     "[]",
                                     "[1e,2,3]",
                                     "[--1,2,3]",
                                     "[-1,2,3]",
                                     "[256,1,2]",
                                     "[1.0,2,3]",
                                     "[2147483648,0,0]",
                                     "[9223372036854775807,0,0]",
                                     "[18446744073709551615,0,0]",
                                     "[1,2,3][4]",
                                     "[[[[[[[[[[[[[[[[[[[[1,2,3]]]]]]]]]]]]]]]]]]]]"};
  for (const std::string_view array : arrays) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kInt32,
                              DType::kUint8, DType::kUint64, DType::kBool}) {
      const auto json = parse_json(array);
      const auto expected =
          json.ok() ? tensor_from_json(dtype, {3}, *json) : Result<Tensor>(Error(json.error()));
      const auto found = tensor_from_numbers(dtype, {3}, array);
      if (dtype == DType::kBool) {
        EXPECT_FALSE(found) << array;
        continue;
      }
      if (!expected.ok()) {
        EXPECT_FALSE(found) << array << " as " << dtype_name(dtype);
        continue;
      }
      // Only what nests deeper than tensors do is left to the parser.
      ASSERT_EQ(found.has_value(), array.size() < 40) << array << " as " << dtype_name(dtype);
      if (!found) continue;
      EXPECT_EQ(std::memcmp(found->bytes(), expected->bytes(), expected->size_bytes()), 0) << array;
    }
  }
}

TEST(Protocol, OnlyTheDataOfTensorsStandAside) {
  const auto aside = set_numbers_aside(
      R"({"id":"\"data\":[1]","inputs":[{"name":"data","data":[1,2]},{"data" : [[3]] }]})");
  ASSERT_TRUE(aside);
  EXPECT_EQ(aside->document,
            R"({"id":"\"data\":[1]","inputs":[{"name":"data","data":0},{"data" : 1 }]})");
  EXPECT_EQ(aside->arrays, (std::vector<std::string_view>{"[1,2]", "[[3]]"}));
  for (const char* text :
       {R"({"inputs":[{"data":["a"]}]})", R"({"inputs":[{"data":[1]},{"data":0}]})",
        R"({"inputs":[{"data":[true]}]})", R"({"inputs":[{"data":[1})", R"({"data":[1]})", "",
        R"({"inputs":[{"parameters":{"data":[1]}}]})", R"("data)", R"({"a":[{"data")"}) {
    EXPECT_FALSE(set_numbers_aside(text)) << text;
  }
}

TEST(Protocol, BinaryDataAreLittleEndianWithLengthsBeforeStrings) {
  std::string raw;
  append_raw(Tensor::of<int32_t>({1}, {0x01020304}), raw);
  append_raw(Tensor::strings({1}, {"ab"}), raw);
  EXPECT_EQ(raw, std::string("\x04\x03\x02\x01\x02\x00\x00\x00"
                             "ab",
                             10));
}

// What is wrong is said with its place; nothing is allocated for what is not there.
TEST(Protocol, RefusesMalformedRequests) {
  const struct {
    const char* body;
    const char* message;
  } kCases[] = {
      {"", "no JSON"},
      {"[]", "no JSON object"},
      {"{}", "'inputs' is missing"},
      {R"({"id":3,"inputs":[]})", "'id' is no text"},
      {R"({"inputs":[3]})", "inputs[0] is no object"},
      {R"({"inputs":[{"name":"x"}]})", "inputs[0]: 'datatype' is missing"},
      {R"({"inputs":[{"name":"x","datatype":"FP31","shape":[1],"data":[1]}]})", "FP31"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[-1],"data":[1]}]})", "holds -1"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[1]}]})",
       "found 1 elements, expected 2"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[4294967296,4294967296],"data":[]}]})",
       "inputs[0]"},
      {R"({"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[128]}]})", "128"},
      {R"({"inputs":[{"name":"x","datatype":"INT64","shape":[1],"data":[1.5]}]})", "1.5"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1e39]}]})", "1e+39"},
      {R"({"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":[1]}]})", "BYTES"},
      {R"({"inputs":[{"name":"x","datatype":"FP16","shape":[1],"data":[1]}]})", "binary data"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]})", "neither"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]})",
       "of which 0 bytes are there"},
      {R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"shared_memory_region":"r"}}]})",
       "shared memory is not supported"},
      {R"({"inputs":[],"outputs":[{"name":"y","parameters":{"binary_data":1}}]})", "outputs[0]"},
  };
  for (const auto& [body, message] : kCases) {
    const auto request = decode_infer_request(body, std::nullopt);
    ASSERT_FALSE(request.ok()) << body;
    EXPECT_THAT(request.error().message, HasSubstr(message)) << body;
  }
  const std::string deep(100000, '[');
  EXPECT_FALSE(decode_infer_request(deep, std::nullopt).ok());
  EXPECT_FALSE(decode_infer_request("{}", 3).ok());
}

TEST(Protocol, RefusesBinaryDataThatDoNotFit) {
  EXPECT_FALSE(tensor_from_raw(DType::kFloat32, {2}, "1234").ok());
  EXPECT_FALSE(tensor_from_raw(DType::kFloat32, {INT64_MAX / 2}, "1234").ok());
  EXPECT_FALSE(tensor_from_raw(DType::kString, {1 << 30}, "1234").ok());
  EXPECT_FALSE(tensor_from_raw(DType::kString, {1}, std::string("\x05\0\0\0ab", 6)).ok());
  EXPECT_FALSE(tensor_from_raw(DType::kString, {1}, std::string("\x01\0\0\0ab", 6)).ok());
  EXPECT_FALSE(tensor_from_raw(DType::kInt4, {2}, "a").ok());
  const auto strange = tensor_from_raw(DType::kBool, {2}, std::string("\x07\x00", 2));
  ASSERT_TRUE(strange.ok());
  expect_same(*strange, Tensor::of<bool>({2}, {true, false}));
}

// JSON has no NaN, and a text in another encoding would not arrive as it was.
TEST(Protocol, SaysWhatJsonCannotHold) {
  std::string out;
  EXPECT_EQ(append_json(Tensor::of<float>({1}, {NAN}), out).error().kind, ErrorKind::kUnsupported);
  EXPECT_FALSE(append_json(Tensor::strings({1}, {"\xff"}), out).ok());
  EXPECT_FALSE(is_utf8("\xc0\x80"));
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_utf8("\xf5\x80\x80\x80"));
  EXPECT_TRUE(is_utf8("\xf0\x9f\x98\x80 a \xc3\xa9"));
}

TEST(Protocol, MetadataComesBack) {
  const ModelMetadata sent{
      "net", "edgewright", {"1", "3"}, {{"x", "FP32", {-1, 3}}}, {{"y", "INT64", {}}}};
  const auto received = decode_model_metadata(encode_model_metadata(sent));
  ASSERT_TRUE(received.ok());
  EXPECT_EQ(received->versions, sent.versions);
  EXPECT_EQ(received->inputs[0].shape, sent.inputs[0].shape);
  EXPECT_EQ(received->outputs[0].datatype, "INT64");
  const auto server = decode_server_metadata(encode_server_metadata({"edgewright", "1", {"a"}}));
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(server->extensions.size(), 1u);
  EXPECT_EQ(decode_error(encode_error("no \"such\" model")), "no \"such\" model");
  EXPECT_EQ(decode_error("<html>"), "<html>");
}

TEST(Protocol, EveryDatatypeHasOneName) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const auto name = datatype_name(dtype);
    if (name.empty()) continue;
    EXPECT_EQ(datatype_from_name(name), dtype);
  }
  EXPECT_EQ(datatype_from_name("fp32"), std::nullopt);
}

}  // namespace
}  // namespace edgewright::oip
