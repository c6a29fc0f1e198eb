// Mutated model files: whatever they hold, importing ends with a well-formed graph or an error, and
// what was imported can be exported. Deterministic: a case is its number.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

#include <filesystem>

#include "formats/onnx/onnx.h"
#include "mutation.h"

namespace edgewright {
namespace {

namespace pb = google::protobuf;

constexpr const char* kSeeds[] = {
    R"(<ir_version: 4, opset_import: ["" : 9]>
    g (float[N, 6] x) => (float[N, 2] y) <float[6, 2] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> {
      a = MatMul (x, w)
      b = Clip <min = -1.0, max = 1.0> (a)
      c = Slice <axes = [1], starts = [0], ends = [2]> (b)
      d = Pad <pads = [0, 1, 0, 1]> (c)
      e, i = TopK <k = 2> (d)
      f = Unsqueeze <axes = [0]> (e)
      h = Squeeze <axes = [0]> (f)
      y = Softmax (h)
    })",
    R"(<ir_version: 10, opset_import: ["" : 21, "f" : 1]>
    g (bool c, int64 n, float[2] x) => (float[2] y, z) {
      s = Shape (x)
      a = f.twice <k: float = 0.5> (x)
      y = If (c) <then_branch = t () => (float[2] r) { r = Neg (a) },
                  else_branch = e () => (float[2] a) {}>
      z, o = Loop (n, c, x) <body = b (int64 i, bool k, float[2] v) => (bool k2, w, q) {
          k2 = Identity (k)  w = Neg (v)  q = Reshape (v, s) }>
    }
    <domain: "f", opset_import: ["" : 17]>
    twice <k> (x) => (y) { t = LeakyRelu <alpha: float = @k> (x)  y = ReduceSum (t) })",
    R"(<ir_version: 7, opset_import: ["" : 12, "com.microsoft" : 1]>
    g (float[1, 4, 8, 8] x) => (y) <float[4, 4, 3, 3] w, float[4] s = {1, 1, 1, 1}> {
      a = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, x)
      b = BatchNormalization (a, s, s, s, s)
      c = Resize <mode = "nearest"> (b, , s)
      d = Split <axis = 1, split = [2, 2]> (c)
      e = com.microsoft.FusedConv <strides = [1, 1]> (c, x)
      y = Flatten (c)
    })",
    R"(<ir_version: 4, opset_import: ["" : 8]>
    g (float[1, 2] s, float[1, 3, 2] x) => (y, z) {
      y, z = Scan <num_scan_inputs = 1, body = b (float[2] sum, float[2] next) =>
          (float[2] out, float[2] row) { out = Add (sum, next)  row = Identity (out) }> (, s, x)
    })"};

std::vector<onnx::ModelProto> seeds() {
  std::vector<onnx::ModelProto> protos;
  for (const char* text : kSeeds) {
    onnx::OnnxParser parser(text);
    const auto status = parser.Parse(protos.emplace_back());
    EXPECT_TRUE(status.IsOK()) << status.ErrorMessage();
  }
  return protos;
}

int64_t odd_number(Random& random) {
  static constexpr int64_t kNumbers[] = {0,         1,         -1,        2,         7,
                                         127,       -128,      65536,     INT32_MAX, INT32_MIN,
                                         1LL << 33, INT64_MAX, INT64_MIN, 99,        -2};
  return kNumbers[random() % std::size(kNumbers)];
}

void mutate_scalar(pb::Message& message, const pb::FieldDescriptor& field, Random& random) {
  const pb::Reflection& access = *message.GetReflection();
  const auto count = field.is_repeated() ? access.FieldSize(message, &field) : 0;
  const int at = count > 0 ? static_cast<int>(random() % static_cast<uint64_t>(count)) : 0;
  const int64_t number = odd_number(random);
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      if (field.is_repeated()) {
        access.SetRepeatedInt32(&message, &field, at, static_cast<int32_t>(number));
      } else {
        access.SetInt32(&message, &field, static_cast<int32_t>(number));
      }
      break;
    case pb::FieldDescriptor::CPPTYPE_INT64:
      if (field.is_repeated()) {
        access.SetRepeatedInt64(&message, &field, at, number);
      } else {
        access.SetInt64(&message, &field, number);
      }
      break;
    case pb::FieldDescriptor::CPPTYPE_STRING: {
      static constexpr const char* kNames[] = {"", "x", "y", "a", "s", "Softmax", "axes", "f", "c"};
      const char* name = kNames[random() % std::size(kNames)];
      if (field.is_repeated()) {
        access.SetRepeatedString(&message, &field, at, name);
      } else {
        access.SetString(&message, &field, name);
      }
      break;
    }
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      if (!field.is_repeated()) {
        access.SetEnumValue(&message, &field, static_cast<int>(number % 16));
      }
      break;
    default: access.ClearField(&message, &field);
  }
}

void mutate_repeated(pb::Message& message, const pb::FieldDescriptor& field, Random& random) {
  const pb::Reflection& access = *message.GetReflection();
  const int count = access.FieldSize(message, &field);
  const int at = static_cast<int>(random() % static_cast<uint64_t>(count));
  switch (random() % 4) {
    case 0: access.RemoveLast(&message, &field); break;
    case 1: access.SwapElements(&message, &field, at, count - 1); break;
    case 2:
      if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
        const pb::Message& original = access.GetRepeatedMessage(message, &field, at);
        const std::unique_ptr<pb::Message> copy(original.New());
        copy->CopyFrom(original);
        access.AddMessage(&message, &field)->CopyFrom(*copy);
        break;
      }
      [[fallthrough]];
    default:
      if (field.cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) {
        mutate_scalar(message, field, random);
      }
  }
}

// Goes down a random path of set fields and changes what it ends at.
void mutate(pb::Message& message, Random& random, int depth = 0) {
  const pb::Reflection& access = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  access.ListFields(message, &fields);
  if (fields.empty()) return;
  const pb::FieldDescriptor& field = *fields[random() % fields.size()];
  const bool is_message = field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE;
  const bool descend = is_message && depth < 16 && random() % 6 != 0;
  if (descend && field.is_repeated()) {
    const auto count = static_cast<uint64_t>(access.FieldSize(message, &field));
    mutate(*access.MutableRepeatedMessage(&message, &field, static_cast<int>(random() % count)),
           random, depth + 1);
  } else if (descend) {
    mutate(*access.MutableMessage(&message, &field), random, depth + 1);
  } else if (field.is_repeated()) {
    mutate_repeated(message, field, random);
  } else if (is_message) {
    access.ClearField(&message, &field);
  } else {
    mutate_scalar(message, field, random);
  }
}

std::string mutated(const std::vector<onnx::ModelProto>& protos, uint64_t number) {
  Random random(number);
  onnx::ModelProto proto = protos[random() % protos.size()];
  const bool by_bytes = random() % 3 == 0;
  for (uint64_t i = by_bytes ? 0 : 1 + random() % 4; i > 0; --i) mutate(proto, random);
  std::string bytes = proto.SerializeAsString();
  for (uint64_t i = by_bytes ? 1 + random() % 4 : 0; i > 0; --i) mutate_bytes(bytes, random);
  return bytes;
}

TEST(OnnxFuzz, MutatedModelsAreReadOrRefused) {
  const auto protos = seeds();
  const std::string path = (std::filesystem::path(testing::TempDir()) / "fuzz.onnx").string();
  uint64_t read = 0, written = 0;
  Slowest slowest;
  for (uint64_t number = 0; number < case_count(); ++number) {
    SCOPED_TRACE(number);
    const std::string bytes = mutated(protos, number);
    slowest.measure([&] {
      auto model = import_onnx_bytes(std::as_bytes(std::span(bytes)), testing::TempDir());
      if (!model.ok()) {
        ASSERT_FALSE(model.error().message.empty());
        return;
      }
      ++read;
      ASSERT_THAT(violations(*model->graph), testing::ElementsAre());
      const int opset = 7 + static_cast<int>(number % 22);
      written += export_onnx(*model, path, {.opset = opset}).ok();
    });
  }
  std::filesystem::remove(path);
  RecordProperty("read", std::to_string(read));
  printf("%lu cases: %lu read, %lu written, slowest %.1f ms\n", case_count(), read, written,
         slowest.ms());
  EXPECT_GT(read, case_count() / 10);  // else the mutations are too coarse to test anything
  EXPECT_LT(slowest.ms(), 2000);       // a hang, on any machine
}

}  // namespace
}  // namespace edgewright
