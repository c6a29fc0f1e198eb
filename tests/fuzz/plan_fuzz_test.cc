// Mutated plan files: refused, or run without harm. A plan's header has a checksum, which is made
// right again after each change, so that what lies behind it is reached. Deterministic: a case is
// its number.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "api/open_backend.h"
#include "base/file.h"
#include "formats/onnx/type_inference.h"
#include "graph/text.h"
#include "mutation.h"
#include "runtime/plan_file.h"
#include "runtime/session.h"

namespace edgewright {
namespace {

constexpr const char* kSeeds[] = {
    R"(graph %image(%x: float32[1,3,9,9]) -> (%y) {
  %w: float32[8,3,3,3] = {"0x" zeros}
  %c: ? = Conv(%x, %w) {pads=[1, 1, 1, 1]}
  %r: ? = Relu(%c)
  %p: ? = MaxPool(%r) {kernel_shape=[2, 2], strides=[2, 2]}
  %t: ? = Transpose(%p) {perm=[0, 2, 3, 1]}
  %s: ? = Softmax(%t) {axis=-1}
  %y: ? = ReduceMean(%s) {keepdims=0}
})",
    R"(graph %flow(%c: bool[], %n: int64[], %x: float32[2,4]) -> (%y, %z) {
  %w: float32[4,2] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0}
  %m: ? = MatMul(%x, %w)
  %y: ? = If(%c) {then_branch=graph %then() -> (%a) {
      %a: ? = Neg(%m)
    }, else_branch=graph %else() -> (%b) {
      %b: ? = Erf(%m)
    }}
  %shape: ? = Shape(%x)
  %z: ? = ConstantOfShape(%shape)
})"};

// The weights of the first seed, written out.
std::string with_weights(std::string text) {
  const std::string mark = R"("0x" zeros)";
  const size_t at = text.find(mark);
  if (at == std::string::npos) return text;
  std::string numbers;
  for (int i = 0; i < 8 * 3 * 3 * 3; ++i) numbers += fmt::format("{}{}.5", i ? ", " : "", i % 5);
  return text.replace(at, mark.size(), numbers);
}

std::vector<std::string> plan_files(const std::string& path) {
  std::vector<std::string> files;
  for (const char* seed : kSeeds) {
    auto model = parse_model(with_weights(seed));
    EXPECT_TRUE(model.ok()) << model.error().message;
    if (!model.ok()) continue;
    EXPECT_TRUE(onnx_type_inferer().infer(*model->graph).ok());
    std::vector<std::string> warnings;
    InferenceOptions options;
    options.tune = false;
    const auto plan = make_plan(*model->graph, options, warnings);
    EXPECT_TRUE(plan.ok()) << plan.error().message;
    if (!plan.ok()) continue;
    EXPECT_TRUE(write_plan(**plan, path).ok());
    files.push_back(*read_file(path));
  }
  return files;
}

// The parts of a plan file; put together again they have a right checksum.
struct PlanParts {
  PlanPreamble preamble;
  std::string header, data;

  explicit PlanParts(const std::string& bytes) {
    std::memcpy(&preamble, bytes.data(), sizeof(preamble));
    header = bytes.substr(sizeof(preamble), preamble.header_bytes);
    data = bytes.substr((sizeof(preamble) + preamble.header_bytes + 63) / 64 * 64);
  }
  std::string joined() {
    header.resize((header.size() + 63) / 64 * 64, ' ');
    preamble.header_bytes = header.size();
    preamble.header_hash = fnv1a(header);
    preamble.file_bytes = sizeof(preamble) + header.size() + data.size();
    return std::string(reinterpret_cast<const char*>(&preamble), sizeof(preamble)) + header + data;
  }
};

std::string mutated(const std::string& file, Random& random) {
  if (random() % 8 == 0) {
    std::string bytes = file;
    mutate_bytes(bytes, random);
    return bytes;
  }
  PlanParts parts(file);
  for (uint64_t i = 1 + random() % 3; i > 0; --i) {
    const uint64_t how = random() % 8;
    if (how < 5) mutate_number(parts.header, random);
    if (how == 5 || how == 6) mutate_bytes(parts.data, random);
    if (how == 7) mutate_bytes(parts.header, random);
  }
  return parts.joined();
}

// Zeros for every input that a small tensor fits.
Result<std::vector<Datum>> zeros_for(const Session& session) {
  std::vector<Datum> inputs;
  for (const auto& port : session.inputs()) {
    const auto dims = port.type.shape ? known_dims(*port.type.shape) : std::nullopt;
    if (!dims) return bad_input("an input of open shape");
    EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(port.type.dtype, *dims));
    inputs.emplace_back(std::move(tensor));
  }
  return inputs;
}

Status open_and_run(const std::string& path, bool& opened) {
  EDGEWRIGHT_ASSIGN(auto plan, read_plan(path));
  EDGEWRIGHT_ASSIGN(const auto session, Session::open(std::move(plan), {}));
  opened = true;
  EDGEWRIGHT_ASSIGN(const auto inputs, zeros_for(*session));
  EDGEWRIGHT_ASSIGN(const auto outputs, session->run(inputs));
  return outputs.empty() ? bad_input("no outputs") : Status();
}

TEST(PlanFuzz, MutatedPlansAreRefusedOrRun) {
  const std::string path =
      testing::TempDir() + fmt::format("edgewright_fuzz_{}.ewplan", ::getpid());
  const auto files = plan_files(path);
  ASSERT_EQ(files.size(), std::size(kSeeds));
  Slowest slowest;
  uint64_t read = 0, ran = 0;
  for (uint64_t number = 0; number < case_count(); ++number) {
    SCOPED_TRACE(number);
    Random random(number);
    ASSERT_TRUE(write_file(path, mutated(files[random() % files.size()], random)).ok());
    slowest.measure([&] {
      bool opened = false;
      const Status status = open_and_run(path, opened);
      EXPECT_TRUE(status.ok() || !status.error().message.empty());
      read += opened ? 1 : 0;
      ran += status.ok() ? 1 : 0;
    });
  }
  std::filesystem::remove(path);
  printf("%lu cases: %lu opened, %lu run, slowest %.1f ms\n", case_count(), read, ran,
         slowest.ms());
  EXPECT_GT(ran, case_count() / 50);  // else the mutations are too coarse to test anything
  EXPECT_LT(read, case_count());
  EXPECT_LT(slowest.ms(), 2000);  // a hang, on any machine
}

}  // namespace
}  // namespace edgewright
