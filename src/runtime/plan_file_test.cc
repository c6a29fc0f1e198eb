#include "runtime/plan_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "base/file.h"
#include "runtime/compile.h"
#include "runtime/session.h"

namespace edgewright {
namespace {

ValueType floats(Dims dims) { return ValueType::tensor(DType::kFloat32, to_shape(dims)); }

Tensor numbers(Dims dims) {
  auto tensor = Tensor::allocate(DType::kFloat32, std::move(dims));
  EDGEWRIGHT_CHECK(tensor.ok());
  for (int64_t i = 0; i < tensor->element_count(); ++i) {
    tensor->mutable_data<float>()[i] = static_cast<float>(i % 7) - 3.0f;
  }
  return *std::move(tensor);
}

// A packed kernel, a plain sum, a branch, a constant that is read as it is.
std::unique_ptr<Graph> sample_graph() {
  auto graph = std::make_unique<Graph>();
  Value* x = graph->add_input("x", floats({4, 8}));
  Value* which = graph->add_input("which", ValueType::tensor(DType::kBool, Shape{}));
  Value* w = graph->add_constant("w\xff", numbers({8, 4}));
  Attributes attributes;
  attributes.set("activation", std::string("Clip"));
  attributes.set("alpha", -std::numeric_limits<float>::infinity());
  attributes.set("beta", 6.0f);
  Value* product =
      graph->add_node("MatMul", {x, w}, {"product"}, attributes, "edgewright")->outputs[0];
  product->type = floats({4, 4});
  Node* branch = graph->add_node("If", {which}, {"chosen"});
  branch->outputs[0]->type = floats({4, 4});
  Graph* then_body = graph->add_subgraph(branch, "then_branch");
  Value* sum = then_body->add_node("Add", {product, product}, {"sum"})->outputs[0];
  sum->type = floats({4, 4});
  then_body->add_output(sum);
  graph->add_subgraph(branch, "else_branch")->add_output(product);
  Value* shift = graph->add_constant("shift", numbers({4, 4}));
  Value* last = graph->add_node("Add", {branch->outputs[0], shift}, {"last"})->outputs[0];
  last->type = floats({4, 4});
  graph->add_output(last);
  return graph;
}

class PlanFile : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "edgewright_" +
            testing::UnitTest::GetInstance()->current_test_info()->name() + ".ewplan";
    auto plan = compile(*sample_graph(), {});
    ASSERT_TRUE(plan.ok()) << plan.error().message;
    plan_ = *plan;
    const Status written = write_plan(*plan_, path_);
    ASSERT_TRUE(written.ok()) << written.error().message;
    bytes_ = *read_file(path_);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  static Result<std::vector<Datum>> run(std::shared_ptr<const Plan> plan) {
    EDGEWRIGHT_ASSIGN(auto session, Session::open(std::move(plan), {}));
    const std::vector<Datum> inputs = {numbers({4, 8}), Tensor::scalar<bool>(true)};
    return session->run(inputs);
  }

  // The file with another header, its checksum right.
  std::string with_header(std::string header) const {
    header.resize((header.size() + 63) / 64 * 64, ' ');
    PlanPreamble preamble;
    std::memcpy(&preamble, bytes_.data(), sizeof(preamble));
    const size_t data = (sizeof(preamble) + preamble.header_bytes + 63) / 64 * 64;
    preamble.header_bytes = header.size();
    preamble.header_hash = fnv1a(header);
    preamble.file_bytes = sizeof(preamble) + header.size() + bytes_.size() - data;
    return std::string(reinterpret_cast<const char*>(&preamble), sizeof(preamble)) + header +
           bytes_.substr(data);
  }
  std::string header() const {
    PlanPreamble preamble;
    std::memcpy(&preamble, bytes_.data(), sizeof(preamble));
    return bytes_.substr(sizeof(preamble), preamble.header_bytes);
  }

  Result<std::shared_ptr<const Plan>> read(const std::string& bytes) const {
    EDGEWRIGHT_CHECK(write_file(path_, bytes).ok());
    return read_plan(path_);
  }

  std::string path_;
  std::shared_ptr<const Plan> plan_;
  std::string bytes_;
};

TEST_F(PlanFile, RunsAsThePlanItWasMadeFrom) {
  auto opened = read_plan(path_);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  auto expected = run(plan_), found = run(*opened);
  ASSERT_TRUE(expected.ok()) << expected.error().message;
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_TRUE(identical((*found)[0].tensor(), (*expected)[0].tensor()));
  EXPECT_EQ((*opened)->arena_bytes, plan_->arena_bytes);
  EXPECT_EQ((*opened)->live_set_bytes, plan_->live_set_bytes);
}

TEST_F(PlanFile, WritingAgainGivesTheSameBytes) {
  auto opened = read_plan(path_);
  ASSERT_TRUE(opened.ok());
  const std::string second = path_ + ".second";
  ASSERT_TRUE(write_plan(**opened, second).ok());
  EXPECT_EQ(*read_file(second), bytes_);
  std::filesystem::remove(second);
}

TEST_F(PlanFile, RefusesEveryTruncation) {
  for (size_t size = 0; size < bytes_.size(); size += size < 200 ? 1 : 37) {
    auto opened = read(bytes_.substr(0, size));
    ASSERT_FALSE(opened.ok()) << size << " bytes";
    EXPECT_EQ(opened.error().kind, ErrorKind::kBadInput);
  }
}

TEST_F(PlanFile, RefusesAChangedHeader) {
  std::string changed = bytes_;
  changed[70] ^= 1;
  auto opened = read(changed);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("checksum"), std::string::npos);
}

TEST_F(PlanFile, NamesTheFeaturesThatTheCpuLacks) {
  std::string text = header();
  const std::string key = "\"cpu_features\":[";
  text.insert(text.find(key) + key.size(),
              text[text.find(key) + key.size()] == ']' ? "\"abacus\"" : "\"abacus\",");
  auto opened = read(with_header(text));
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(opened.error().message.find("abacus"), std::string::npos);
}

// Numbers and structure changed at random behind a right checksum: refused or run, never a crash.
TEST_F(PlanFile, SurvivesHostileHeaders) {
  const std::string original = header();
  std::minstd_rand random(7);
  size_t refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = original;
    for (uint32_t change = 0; change <= random() % 3; ++change) {
      const size_t at = random() % text.size();
      constexpr std::string_view kReplacements[] = {
          "0", "9", "-1", "[", "]", ",", "null", "64", "4294967295", "99999999999999999999"};
      const std::string_view with = kReplacements[random() % std::size(kReplacements)];
      const size_t digit = text.find_first_of("0123456789", at);
      if (digit == std::string::npos) continue;
      const size_t end = text.find_first_not_of("0123456789", digit);
      text.replace(random() % 4 == 0 ? at : digit, random() % 4 == 0 ? 1 : end - digit, with);
    }
    auto opened = read(with_header(text));
    if (!opened.ok()) {
      ++refused;
      continue;
    }
    if ((*opened)->arena_bytes < (size_t{1} << 24)) (void)run(*opened).ok();
  }
  EXPECT_GT(refused, 1000u);
}

TEST(PlanText, KeepsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(from_json_text(to_json_text(bytes)), bytes);
}

}  // namespace
}  // namespace edgewright
