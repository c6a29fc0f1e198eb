// The server over gRPC, asked by a client of the same messages in the same process.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "edgewright/serve.h"
#include "inference.grpc.pb.h"
#include "serve/grpc/grpc_client.h"
#include "serve/grpc/infer_messages.h"

namespace edgewright {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGraph = R"(graph %main(%x: float32[n,4]) -> (%y) {
  %b: float32[1] = {1.0}
  %y: float32[n,4] = Add(%x, %b)
}
)";
constexpr const char* kWords = R"(graph %main(%t: string[n]) -> (%u) {
  %u: string[n] = Identity(%t)
}
)";

class Grpc : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "edgewright_grpc_" +
            testing::UnitTest::GetInstance()->current_test_info()->name();
    add_model("adder", kGraph);
    add_model("words", kWords);
    ServeOptions options;
    options.repository = root_;
    options.http_port = -1;
    options.grpc_port = 0;
    options.max_body_bytes = 1 << 20;
    change(options);
    auto server = ModelServer::start(options);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::make_unique<ModelServer>(*std::move(server));
    channel_ = grpc::CreateChannel(fmt::format("127.0.0.1:{}", server_->report().grpc_port),
                                   grpc::InsecureChannelCredentials());
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
  }
  void TearDown() override {
    server_.reset();
    fs::remove_all(root_);
  }
  virtual void change(ServeOptions& /*options*/) {}

  void add_model(const std::string& name, const char* text) {
    fs::create_directories(root_ + "/" + name + "/1");
    ASSERT_TRUE(write_file(root_ + "/" + name + "/1/model.txt", text).ok());
  }

  static inference::ModelInferRequest request(const std::string& model, const std::string& input,
                                              Tensor tensor) {
    oip::InferRequest request;
    request.model = model;
    request.id = "7";
    request.inputs.push_back({input, std::move(tensor), {}, true});
    return *to_message(request);
  }
  grpc::Status infer(const inference::ModelInferRequest& request,
                     inference::ModelInferResponse& response) {
    grpc::ClientContext context;
    return stub_->ModelInfer(&context, request, &response);
  }

  std::string root_;
  std::unique_ptr<ModelServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

TEST_F(Grpc, InfersNumbersAndTexts) {
  inference::ModelInferResponse response;
  ASSERT_TRUE(infer(request("adder", "x", Tensor::of<float>({1, 4}, {1, 2, 3, 4})), response).ok());
  const auto numbers = from_message(response);
  ASSERT_TRUE(numbers.ok()) << numbers.error().message;
  EXPECT_EQ(numbers->id, "7");
  EXPECT_TRUE(identical(numbers->outputs[0].tensor, Tensor::of<float>({1, 4}, {2, 3, 4, 5})));

  // Elements in the typed list instead of raw contents.
  inference::ModelInferRequest typed =
      request("adder", "x", Tensor::of<float>({1, 4}, {0, 0, 0, 0}));
  typed.clear_raw_input_contents();
  for (int i = 0; i < 4; ++i) {
    typed.mutable_inputs(0)->mutable_contents()->add_fp32_contents(static_cast<float>(i));
  }
  ASSERT_TRUE(infer(typed, response).ok());
  EXPECT_TRUE(identical(from_message(response)->outputs[0].tensor,
                        Tensor::of<float>({1, 4}, {1, 2, 3, 4})));

  ASSERT_TRUE(infer(request("words", "t", Tensor::strings({2}, {"a", "\xff"})), response).ok());
  EXPECT_EQ(from_message(response)->outputs[0].tensor.string_elements(),
            (std::vector<std::string>{"a", "\xff"}));
}

TEST_F(Grpc, RefusesWithTheCodeOfTheReason) {
  inference::ModelInferResponse response;
  const Tensor four = Tensor::of<float>({1, 4}, {1, 2, 3, 4});
  EXPECT_EQ(infer(request("nothing", "x", four), response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(infer(request("adder", "z", four), response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  inference::ModelInferRequest short_of_data = request("adder", "x", four);
  short_of_data.set_raw_input_contents(0, "abc");
  EXPECT_EQ(infer(short_of_data, response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  inference::ModelInferRequest shared = request("adder", "x", four);
  (*shared.mutable_inputs(0)->mutable_parameters())["shared_memory_region"].set_string_param("r");
  EXPECT_EQ(infer(shared, response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  auto large = Tensor::allocate(DType::kFloat32, {1 << 16, 4});
  ASSERT_TRUE(large.ok());
  EXPECT_EQ(infer(request("adder", "x", *large), response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);

  grpc::ClientContext context;
  inference::Empty nothing;
  const grpc::Status status = stub_->SystemSharedMemoryRegister(&context, nothing, &nothing);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_NE(status.error_message().find("shared memory"), std::string::npos);

  grpc::ClientContext control;
  inference::RepositoryModelLoadRequest load;
  inference::RepositoryModelLoadResponse loaded;
  load.set_model_name("adder");
  EXPECT_EQ(stub_->RepositoryModelLoad(&control, load, &loaded).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(Grpc, StreamsGoOnAfterARefusal) {
  grpc::ClientContext context;
  const auto stream = stub_->ModelStreamInfer(&context);
  inference::ModelStreamInferResponse response;
  const Tensor four = Tensor::of<float>({1, 4}, {1, 2, 3, 4});
  for (const char* input : {"x", "wrong", "x"}) {
    ASSERT_TRUE(stream->Write(request("adder", input, four)));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.error_message().empty(), std::string(input) == "x");
  }
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Grpc, DescribesModels) {
  grpc::ClientContext first, second, third, fourth;
  inference::ModelMetadataRequest request;
  inference::ModelMetadataResponse metadata;
  request.set_name("words");
  ASSERT_TRUE(stub_->ModelMetadata(&first, request, &metadata).ok());
  EXPECT_EQ(metadata.inputs(0).datatype(), "BYTES");
  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(stub_->RepositoryIndex(&second, {}, &index).ok());
  EXPECT_EQ(index.models_size(), 2);
  inference::ModelConfigRequest of_config;
  inference::ModelConfigResponse config;
  of_config.set_name("adder");
  ASSERT_TRUE(stub_->ModelConfig(&third, of_config, &config).ok());
  EXPECT_EQ(config.config().input(0).data_type(), inference::TYPE_FP32);
  inference::ModelStatisticsResponse statistics;
  ASSERT_TRUE(stub_->ModelStatistics(&fourth, {}, &statistics).ok());
  EXPECT_EQ(statistics.model_stats_size(), 2);
}

class GrpcWithTokens : public Grpc {
 protected:
  void change(ServeOptions& options) override {
    options.tokens = root_ + "/tokens";
    ASSERT_TRUE(write_file(options.tokens, "alice 0123456789abcdef\n").ok());
  }
};

TEST_F(GrpcWithTokens, AsksForThem) {
  inference::ServerMetadataResponse response;
  grpc::ClientContext without, with;
  EXPECT_EQ(stub_->ServerMetadata(&without, {}, &response).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  with.AddMetadata("authorization", "Bearer 0123456789abcdef");
  EXPECT_TRUE(stub_->ServerMetadata(&with, {}, &response).ok());
  EXPECT_EQ(response.name(), "edgewright");
}

// The client of `split run` and `link probe`.
TEST_F(Grpc, OurClientAsks) {
  const auto in = [](int ms) {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  };
  const auto address =
      parse_server_address(fmt::format("grpc://127.0.0.1:{}", server_->report().grpc_port));
  ASSERT_TRUE(address.ok());
  const auto client = open_grpc_client(*address);
  ASSERT_TRUE(client.ok());
  EXPECT_GT(*(*client)->ping(in(5000)), 0);
  EXPECT_EQ((*client)->server(in(5000))->name, "edgewright");
  EXPECT_EQ(*(*client)->ready_models(in(5000)), (std::vector<std::string>{"adder", "words"}));
  const auto metadata = (*client)->model("adder", "", in(5000));
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->inputs[0].datatype, "FP32");
  EXPECT_EQ(metadata->inputs[0].shape, (std::vector<int64_t>{-1, 4}));
  EXPECT_EQ((*client)->model("nobody", "", in(5000)).error().kind, ErrorKind::kUnsupported);
  oip::InferRequest asked;
  asked.model = "adder";
  asked.id = "7";
  asked.inputs.push_back(
      {"x", Tensor::of<float>({1, 4}, std::vector<float>{1, 2, 3, 4}), {}, true});
  const RemoteAnswer answer = (*client)->infer(asked, in(5000));
  ASSERT_TRUE(answer.ok()) << answer.message;
  const auto values = answer.response.outputs[0].tensor.elements<float>();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()), (std::vector<float>{2, 3, 4, 5}));
  asked.model = "nobody";
  EXPECT_EQ((*client)->infer(asked, in(5000)).outcome, RemoteOutcome::kRefused);
  server_.reset();
  EXPECT_NE((*client)->infer(asked, in(500)).outcome, RemoteOutcome::kAnswered);
}

}  // namespace
}  // namespace edgewright
