#include "serve/grpc/grpc_client.h"

#include <grpcpp/grpcpp.h>

#include "base/clock.h"
#include "base/file.h"
#include "inference.grpc.pb.h"
#include "serve/grpc/infer_messages.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;
using inference::GRPCInferenceService;

constexpr size_t kMaxPemBytes = size_t{4} << 20;

// github.com/grpc/grpc, doc/statuscodes.md: which of them a later try may change.
RemoteOutcome outcome_of(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK: return RemoteOutcome::kAnswered;
    case grpc::StatusCode::DEADLINE_EXCEEDED: return RemoteOutcome::kTimedOut;
    case grpc::StatusCode::UNAVAILABLE: return RemoteOutcome::kUnreachable;
    case grpc::StatusCode::RESOURCE_EXHAUSTED: return RemoteOutcome::kBusy;
    default: return RemoteOutcome::kRefused;
  }
}

class GrpcClient : public InferenceClient {
 public:
  GrpcClient(ServerAddress address, ClientOptions options,
             const std::shared_ptr<grpc::Channel>& channel)
      : address_(std::move(address)),
        options_(std::move(options)),
        stub_(GRPCInferenceService::NewStub(channel)) {}

  RemoteAnswer infer(const oip::InferRequest& request, Deadline deadline) override {
    RemoteAnswer answer;
    const auto start = Clock::now();
    const auto message = to_message(request);
    if (!message.ok()) {
      answer.outcome = RemoteOutcome::kRefused;
      answer.message = message.error().message;
      return answer;
    }
    inference::ModelInferResponse response;
    const grpc::Status status =
        call(&GRPCInferenceService::Stub::ModelInfer, *message, response, deadline);
    answer.outcome = outcome_of(status);
    if (!status.ok()) {
      answer.elapsed_us = microseconds_since(start);
      answer.message = said(request.model, status);
      return answer;
    }
    auto read = from_message(response);
    answer.elapsed_us = microseconds_since(start);
    answer.outcome = RemoteOutcome::kRefused;
    if (!read.ok()) {
      answer.message = fmt::format("{}: malformed answer: {}", request.model, read.error().message);
    } else if (!request.id.empty() && !read->id.empty() && read->id != request.id) {
      answer.message = fmt::format("{}: found the answer to request '{}', expected that to '{}'",
                                   request.model, read->id, request.id);
    } else {
      answer.outcome = RemoteOutcome::kAnswered;
      answer.response = *std::move(read);
    }
    return answer;
  }

  Result<double> ping(Deadline deadline) override {
    const auto start = Clock::now();
    inference::ServerLiveResponse response;
    EDGEWRIGHT_TRY(ask("ServerLive", &GRPCInferenceService::Stub::ServerLive,
                       inference::ServerLiveRequest(), response, deadline));
    return microseconds_since(start);
  }

  Result<oip::ServerMetadata> server(Deadline deadline) override {
    inference::ServerMetadataResponse response;
    EDGEWRIGHT_TRY(ask("ServerMetadata", &GRPCInferenceService::Stub::ServerMetadata,
                       inference::ServerMetadataRequest(), response, deadline));
    return oip::ServerMetadata{response.name(),
                               response.version(),
                               {response.extensions().begin(), response.extensions().end()}};
  }

  Result<oip::ModelMetadata> model(const std::string& name, const std::string& version,
                                   Deadline deadline) override {
    inference::ModelMetadataRequest request;
    request.set_name(name);
    request.set_version(version);
    inference::ModelMetadataResponse response;
    EDGEWRIGHT_TRY(ask(fmt::format("model '{}'", name), &GRPCInferenceService::Stub::ModelMetadata,
                       request, response, deadline));
    const auto ports = [](const auto& messages) {
      std::vector<oip::TensorMetadata> list;
      for (const auto& port : messages) {
        list.push_back({port.name(), port.datatype(), {port.shape().begin(), port.shape().end()}});
      }
      return list;
    };
    return oip::ModelMetadata{response.name(),
                              response.platform(),
                              {response.versions().begin(), response.versions().end()},
                              ports(response.inputs()),
                              ports(response.outputs())};
  }

  Result<std::vector<std::string>> ready_models(Deadline deadline) override {
    inference::RepositoryIndexRequest request;
    request.set_ready(true);
    inference::RepositoryIndexResponse response;
    EDGEWRIGHT_TRY(ask("the list of models", &GRPCInferenceService::Stub::RepositoryIndex, request,
                       response, deadline));
    std::vector<std::string> names;
    for (const auto& row : response.models()) names.push_back(row.name());
    return names;
  }

 private:
  template <class Method, class Request, class Response>
  grpc::Status call(Method method, const Request& request, Response& response, Deadline deadline) {
    grpc::ClientContext context;
    // The library counts by the system's clock.
    context.set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::system_clock::duration>(deadline - Clock::now()));
    if (!options_.token.empty()) context.AddMetadata("authorization", "Bearer " + options_.token);
    return ((*stub_).*method)(&context, request, &response);
  }

  template <class Method, class Request, class Response>
  Status ask(const std::string& what, Method method, const Request& request, Response& response,
             Deadline deadline) {
    const grpc::Status status = call(method, request, response, deadline);
    if (status.ok()) return {};
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED ||
        status.error_code() == grpc::StatusCode::NOT_FOUND) {
      return unsupported("{}: the server has none: {}", what, status.error_message());
    }
    return check_failed("{}", said(what, status));
  }

  std::string said(const std::string& what, const grpc::Status& status) const {
    return fmt::format("{}: {}: {} (gRPC status {})", address_.text(), what, status.error_message(),
                       static_cast<int>(status.error_code()));
  }

  ServerAddress address_;
  ClientOptions options_;
  std::unique_ptr<GRPCInferenceService::Stub> stub_;
};

}  // namespace

Result<std::unique_ptr<InferenceClient>> open_grpc_client(const ServerAddress& address,
                                                          const ClientOptions& options) {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (address.is_encrypted) {
    grpc::SslCredentialsOptions tls;
    if (!options.authorities.empty()) {
      EDGEWRIGHT_ASSIGN(tls.pem_root_certs, read_file(options.authorities, kMaxPemBytes));
    }
    credentials = grpc::SslCredentials(tls);
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.largest_reply));
  arguments.SetMaxSendMessageSize(-1);
  // Lost connections are tried again soon: the caller's deadlines are short.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  // Connections of clients that measure the link beside others' requests are their own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const std::string host =
      address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]";
  const auto channel = grpc::CreateCustomChannel(host + ":" + address.port, credentials, arguments);
  return std::unique_ptr<InferenceClient>(std::make_unique<GrpcClient>(address, options, channel));
}

}  // namespace edgewright
