// What an inference call costs over an echo of the same bytes by the same library, and how many
// calls a server answers.
//
// usage: serve_cost latency [CALLS [anywhere]]
//        serve_cost load ADDRESS PORT PATH BODY_FILE CONNECTIONS SECONDS
#include <grpcpp/grpcpp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "edgewright/serve.h"
#include "http_client.h"
#include "inference.grpc.pb.h"
#include "serve/grpc/infer_messages.h"
#include "serve/http/http_server.h"
#include "serve/protocol/infer_json.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

// 256 numbers of 4 bytes: a tensor of 1 KiB.
constexpr int kElements = 256;
constexpr const char* kGraph = R"(graph %main(%x: float32[1,256]) -> (%y) {
  %b: float32[1] = {1.0}
  %y: float32[1,256] = Add(%x, %b)
}
)";

double microseconds_of(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Answers with the data that it was sent, as an inference does with a tensor of the same size.
class EchoService final : public inference::GRPCInferenceService::Service {
 public:
  grpc::Status ModelInfer(grpc::ServerContext* /*context*/,
                          const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override {
    response->set_model_name(request->model_name());
    response->set_id(request->id());
    auto* output = response->add_outputs();
    output->set_name("y");
    output->set_datatype("FP32");
    output->add_shape(1);
    output->add_shape(kElements);
    response->add_raw_output_contents(request->raw_input_contents(0));
    return grpc::Status::OK;
  }
};

// Two calls in turn, so that both see the same machine.
template <class First, class Second>
bool compare(const char* name, int calls, First infer, Second echo) {
  std::vector<double> of_infer, of_echo;
  const int warm = calls / 10;
  for (int i = 0; i < calls + warm; ++i) {
    const auto start = Clock::now();
    if (!infer()) return false;
    const double first = microseconds_of(start);
    const auto again = Clock::now();
    if (!echo()) return false;
    const double second = microseconds_of(again);
    if (i < warm) continue;
    of_infer.push_back(first);
    of_echo.push_back(second);
  }
  const double a = median(of_infer), b = median(of_echo);
  printf("{\"transport\": \"%s\", \"infer_us\": %.2f, \"echo_us\": %.2f, \"over_us\": %.2f}\n",
         name, a, b, a - b);
  return true;
}

oip::InferRequest request() {
  oip::InferRequest request;
  request.model = "adder";
  request.inputs.push_back(
      {"x", Tensor::of<float>({1, kElements}, std::vector<float>(kElements, 0.5f)), {}, true});
  request.binary_outputs = true;
  return request;
}

bool compare_http(int port, int calls) {
  const auto body = oip::encode_infer_request(request());
  const auto echo = HttpServer::start({}, [](const HttpRequest& asked) {
    HttpReply reply;
    reply.body = asked.body;
    return reply;
  });
  if (!body.ok() || !echo.ok()) return false;
  const std::string header = fmt::format("{}: {}\r\n", oip::kJsonLengthHeader, *body->json_bytes);
  const std::string asked = post_request("/v2/models/adder/infer", header, body->bytes);
  HttpClient to_server("127.0.0.1", port), to_echo("127.0.0.1", (*echo)->port());
  return compare(
      "http", calls, [&] { return to_server.ask(asked) == 200; },
      [&] { return to_echo.ask(asked) == 200; });
}

bool compare_grpc(int port, int calls) {
  EchoService service;
  int echo_port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &echo_port);
  builder.RegisterService(&service);
  const auto echo = builder.BuildAndStart();
  const auto message = to_message(request());
  if (!echo || !message.ok()) return false;
  const auto stub_of = [](int to) {
    return inference::GRPCInferenceService::NewStub(
        grpc::CreateChannel(fmt::format("127.0.0.1:{}", to), grpc::InsecureChannelCredentials()));
  };
  const auto to_server = stub_of(port), to_echo = stub_of(echo_port);
  const auto ask = [&](inference::GRPCInferenceService::Stub& stub) {
    grpc::ClientContext context;
    inference::ModelInferResponse response;
    return stub.ModelInfer(&context, *message, &response).ok() &&
           response.raw_output_contents_size() == 1;
  };
  return compare("grpc", calls, [&] { return ask(*to_server); }, [&] { return ask(*to_echo); });
}

// Whether a call wakes a thread on another core is the kernel's choice, made anew for every thread,
// and on virtual machines takes longer than all that is compared here. So everything stays on one.
void stay_on_one_core() {
  cpu_set_t allowed, one;
  CPU_ZERO(&one);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  int core = 0;
  while (core < CPU_SETSIZE - 1 && !CPU_ISSET(core, &allowed)) ++core;
  CPU_SET(core, &one);
  ::sched_setaffinity(0, sizeof(one), &one);
}

int measure_latency(int calls, bool on_one_core) {
  if (on_one_core) stay_on_one_core();
  const std::string root =
      std::filesystem::temp_directory_path() / fmt::format("edgewright_serve_cost_{}", ::getpid());
  std::filesystem::create_directories(root + "/adder/1");
  if (!write_file(root + "/adder/1/model.txt", kGraph).ok()) return 1;
  ServeOptions options;
  options.repository = root;
  options.http_port = options.grpc_port = 0;
  auto server = ModelServer::start(options);
  if (!server.ok()) {
    fprintf(stderr, "%s\n", server.error().message.c_str());
    return 1;
  }
  const ServeReport report = server->report();
  const bool done = compare_http(report.http_port, calls) && compare_grpc(report.grpc_port, calls);
  std::filesystem::remove_all(root);
  return done ? 0 : 1;
}

int measure_load(char** words) {
  const std::string address = words[0], path = words[2];
  const int port = std::atoi(words[1]), connections = std::atoi(words[4]);
  const double seconds = std::atof(words[5]);
  const auto body = read_file(words[3]);
  if (!body.ok()) return 2;
  const std::string asked = post_request(path, "Content-Type: application/json\r\n", *body);
  std::atomic<int64_t> answered = 0, failed = 0;
  const auto start = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < connections; ++i) {
    threads.emplace_back([&] {
      HttpClient client(address, port);
      while (microseconds_of(start) < seconds * 1e6) {
        if (client.ask(asked) != 200) {
          ++failed;
          return;
        }
        ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double per_second = static_cast<double>(answered) / (microseconds_of(start) / 1e6);
  printf("{\"answered\": %ld, \"failed\": %ld, \"per_s\": %.1f}\n", answered.load(), failed.load(),
         per_second);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "latency") {
    const bool anywhere = argc > 3 && std::string_view(argv[3]) == "anywhere";
    return edgewright::measure_latency(argc > 2 ? std::atoi(argv[2]) : 20000, !anywhere);
  }
  if (mode == "load" && argc == 8) return edgewright::measure_load(argv + 2);
  fprintf(stderr,
          "usage: serve_cost latency [CALLS [anywhere]]\n"
          "       serve_cost load ADDRESS PORT PATH BODY CONNECTIONS SECONDS\n");
  return 2;
}
