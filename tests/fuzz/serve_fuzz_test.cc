// Mutated requests of the inference protocol and of completions, and configurations of models: read
// or refused, whatever they hold. Deterministic: a case is its number.
#include <gtest/gtest.h>

#include "mutation.h"
#include "serve/language/openai.h"
#include "serve/protocol/infer_json.h"
#include "serve/protocol/metadata_json.h"
#include "serve/repository/serving_config.h"
#include "serve/service/client_limits.h"
#include "serve/service/rollout_file.h"

namespace edgewright {
namespace {

oip::InferRequest seed_request(bool binary) {
  oip::InferRequest request;
  request.id = "17";
  request.parameters = {{"timeout", int64_t{1000}}, {"key", std::string("a")}};
  request.inputs.push_back({"x", Tensor::of<float>({2, 2}, {1, -2, 0.5, 4}), {}, binary});
  request.inputs.push_back({"words", Tensor::strings({2}, {"one", "two"}), {}, binary});
  request.inputs.push_back({"flags", Tensor::of<bool>({2}, {true, false}), {}, binary});
  request.inputs.push_back({"n", Tensor::of<int64_t>({1}, {4096}), {}, binary});
  request.outputs.push_back({"y", binary, 3, {}});
  return request;
}

// Reads mutations of the seeds with `read`, which says whether the text was accepted.
template <class Read>
void expect_read_or_refused(const std::vector<std::string>& seeds, Read read) {
  Slowest slowest;
  uint64_t accepted = 0;
  for (uint64_t number = 0; number < case_count(); ++number) {
    SCOPED_TRACE(number);
    Random random(number);
    std::string bytes = seeds[random() % seeds.size()];
    for (uint64_t i = 1 + random() % 3; i > 0; --i) {
      random() % 2 == 0 ? mutate_bytes(bytes, random) : mutate_number(bytes, random);
    }
    slowest.measure([&] { accepted += read(bytes, random) ? 1 : 0; });
  }
  printf("%lu cases: %lu read, slowest %.1f ms\n", case_count(), accepted, slowest.ms());
  EXPECT_GT(accepted, case_count() / 50);  // else the mutations are too coarse to test anything
  EXPECT_LT(accepted, case_count());
  EXPECT_LT(slowest.ms(), 2000);  // a hang, on any machine
}

TEST(ServeFuzz, InferRequests) {
  const auto plain = oip::encode_infer_request(seed_request(false));
  const auto binary = oip::encode_infer_request(seed_request(true));
  ASSERT_TRUE(plain.ok() && binary.ok());
  const size_t json_bytes = *binary->json_bytes;
  expect_read_or_refused({plain->bytes}, [](const std::string& body, Random&) {
    const auto request = oip::decode_infer_request(body, std::nullopt);
    EXPECT_TRUE(request.ok() || !request.error().message.empty());
    return request.ok();
  });
  expect_read_or_refused({binary->bytes}, [&](const std::string& body, Random& random) {
    // Where the data begin is the client's word too.
    const size_t at = random() % 4 == 0 ? random() % (2 * body.size() + 1) : json_bytes;
    const auto request = oip::decode_infer_request(body, at);
    if (!request.ok()) return false;
    for (const oip::NamedTensor& input : request->inputs) {
      EXPECT_TRUE(checked_element_count(input.tensor.dims()).ok());
    }
    return true;
  });
}

TEST(ServeFuzz, InferResponsesAndMetadata) {
  oip::InferResponse response{"net", "1", "a", {}, {}};
  response.outputs.push_back({"y", Tensor::of<float>({2}, {1, 2}), {}, true});
  const auto body = oip::encode_infer_response(response);
  ASSERT_TRUE(body.ok());
  expect_read_or_refused({body->bytes}, [&](const std::string& bytes, Random&) {
    return oip::decode_infer_response(bytes, *body->json_bytes).ok();
  });
  const std::string metadata = oip::encode_model_metadata(
      {"net", "p", {"1", "2"}, {{"x", "FP32", {-1, 4}}}, {{"y", "FP32", {-1, 4}}}});
  expect_read_or_refused({metadata}, [](const std::string& bytes, Random&) {
    return oip::decode_model_metadata(bytes).ok();
  });
}

TEST(ServeFuzz, Completions) {
  const std::string text =
      R"({"model":"m","prompt":"It was","max_tokens":7,"temperature":0.5,"stop":["a","b"],"n":1})";
  const std::string chat =
      R"({"model":"m","messages":[{"role":"user","content":"x"},{"role":"system","content":
         [{"type":"text","text":"y"}]}],"stream":true,"stream_options":{"include_usage":true}})";
  for (const bool is_chat : {false, true}) {
    expect_read_or_refused({is_chat ? chat : text}, [&](const std::string& body, Random&) {
      return decode_completion(body, is_chat).ok();
    });
  }
}

TEST(ServeFuzz, ConfigurationsTokensAndOrders) {
  const std::string config = R"(name: "net" max_batch_size: 8
    input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, -1 ] } ]
    dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }
    instance_group [ { count: 2 kind: KIND_CPU } ] version_policy { latest { num_versions: 2 } })";
  expect_read_or_refused(
      {config}, [](const std::string& bytes, Random&) { return read_serving_config(bytes).ok(); });
  expect_read_or_refused(
      {"alice 0123456789abcdef # x\nbob fedcba9876543210\n"},
      [](const std::string& bytes, Random&) { return Clients::read_tokens(bytes).ok(); });
  expect_read_or_refused(
      {R"({"candidate":"2","max_weight":50,"shadow":{"most_requests":300}})"},
      [](const std::string& bytes, Random&) { return decode_rollout_order(bytes).ok(); });
}

}  // namespace
}  // namespace edgewright
