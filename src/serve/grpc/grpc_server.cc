#include "serve/grpc/grpc_server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include "inference.grpc.pb.h"
#include "serve/grpc/description_messages.h"
#include "serve/grpc/infer_messages.h"
#include "serve/service/model_json.h"

namespace edgewright {
namespace {

using grpc::ServerContext;

grpc::Status status_of(const Refusal& refusal) {
  return {static_cast<grpc::StatusCode>(refusal_row(refusal.kind).grpc_code), refusal.message};
}
grpc::Status status_of(const Reply<bool>& done) {
  return done.ok() ? grpc::Status::OK : status_of(done.refusal());
}

std::string metadata_value(const ServerContext& context, const char* name) {
  const auto found = context.client_metadata().find(name);
  if (found == context.client_metadata().end()) return "";
  return {found->second.data(), found->second.size()};
}

// "ipv4:127.0.0.1:4711" without kind and port.
std::string address_of(const std::string& peer) {
  const size_t begin = peer.find(':'), end = peer.rfind(':');
  if (begin == std::string::npos || end <= begin) return peer;
  return peer.substr(begin + 1, end - begin - 1);
}

ServeClock::time_point deadline_of(const ServerContext& context, ServeClock::time_point otherwise) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  if (left > std::chrono::hours(24)) return otherwise;
  return std::min(otherwise,
                  ServeClock::now() + std::chrono::duration_cast<ServeClock::duration>(left));
}

class InferenceService final : public inference::GRPCInferenceService::Service {
 public:
  explicit InferenceService(edgewright::Service& service) : service_(service) {}

  grpc::Status ServerLive(ServerContext* /*context*/,
                          const inference::ServerLiveRequest* /*request*/,
                          inference::ServerLiveResponse* response) override {
    response->set_live(true);
    return grpc::Status::OK;
  }

  grpc::Status ServerReady(ServerContext* /*context*/,
                           const inference::ServerReadyRequest* /*request*/,
                           inference::ServerReadyResponse* response) override {
    response->set_ready(service_.is_ready());
    return grpc::Status::OK;
  }

  grpc::Status ModelReady(ServerContext* context, const inference::ModelReadyRequest* request,
                          inference::ModelReadyResponse* response) override {
    return guarded(*context, [&](const Caller& /*caller*/) {
      response->set_ready(service_.is_ready() &&
                          service_.find(request->name(), request->version()).ok());
      return grpc::Status::OK;
    });
  }

  grpc::Status ServerMetadata(ServerContext* context,
                              const inference::ServerMetadataRequest* /*request*/,
                              inference::ServerMetadataResponse* response) override {
    return guarded(*context, [&](const Caller& /*caller*/) {
      to_message(server_metadata(), *response);
      return grpc::Status::OK;
    });
  }

  grpc::Status ModelMetadata(ServerContext* context, const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override {
    return guarded(*context, [&](const Caller& /*caller*/) {
      const auto metadata = service_.metadata(request->name(), request->version());
      if (!metadata.ok()) return status_of(metadata.refusal());
      to_message(*metadata, *response);
      return grpc::Status::OK;
    });
  }

  grpc::Status ModelConfig(ServerContext* context, const inference::ModelConfigRequest* request,
                           inference::ModelConfigResponse* response) override {
    return guarded(*context, [&](const Caller& /*caller*/) {
      const auto version = service_.find(request->name(), request->version());
      if (!version.ok()) return status_of(version.refusal());
      to_message(std::as_const(**version), *response->mutable_config());
      return grpc::Status::OK;
    });
  }

  grpc::Status ModelStatistics(ServerContext* context,
                               const inference::ModelStatisticsRequest* request,
                               inference::ModelStatisticsResponse* response) override {
    return guarded(*context, [&](const Caller& /*caller*/) {
      std::vector<std::shared_ptr<ModelVersion>> versions = service_.versions();
      if (!request->name().empty()) {
        auto version = service_.find(request->name(), request->version());
        if (!version.ok()) return status_of(version.refusal());
        versions = {*std::move(version)};
      }
      for (const auto& version : versions) to_message(*version, *response->add_model_stats());
      return grpc::Status::OK;
    });
  }

  grpc::Status ModelInfer(ServerContext* context, const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override {
    return guarded(*context, [&](const Caller& caller) {
      Result<oip::InferRequest> decoded = from_message(*request);
      if (!decoded.ok()) return status_of(refusal_of(std::move(decoded).error()));
      const Reply<oip::InferResponse> answer = service_.infer(*std::move(decoded), caller);
      if (!answer.ok()) return status_of(answer.refusal());
      Result<inference::ModelInferResponse> message = to_message(*answer);
      if (!message.ok()) return status_of(refusal_of(std::move(message).error()));
      response->Swap(&*message);
      return grpc::Status::OK;
    });
  }

  // One request after the other; each is answered by one message or, by language models, by many.
  // A request that fails is answered by a message that says so, and the stream goes on.
  grpc::Status ModelStreamInfer(
      ServerContext* context,
      grpc::ServerReaderWriter<inference::ModelStreamInferResponse, inference::ModelInferRequest>*
          stream) override {
    return guarded(*context, [&](const Caller& caller) {
      inference::ModelInferRequest request;
      while (stream->Read(&request)) {
        Caller now = caller;
        now.deadline = deadline_of(*context, service_.default_deadline());
        if (!answer_in_stream(request, now, *stream)) break;
      }
      return grpc::Status::OK;
    });
  }

  grpc::Status RepositoryIndex(ServerContext* context,
                               const inference::RepositoryIndexRequest* request,
                               inference::RepositoryIndexResponse* response) override {
    return guarded(*context, [&](const Caller& /*caller*/) {
      for (const IndexRow& row : service_.index(request->ready())) {
        to_message(row, *response->add_models());
      }
      return grpc::Status::OK;
    });
  }

  grpc::Status RepositoryModelLoad(ServerContext* context,
                                   const inference::RepositoryModelLoadRequest* request,
                                   inference::RepositoryModelLoadResponse* /*response*/) override {
    return guarded(*context, [&](const Caller& /*caller*/) {
      if (!request->parameters().empty()) {
        return status_of({RefusalKind::kUnsupported,
                          "a model's configuration and files come from the repository's folder; "
                          "send no parameters"});
      }
      return status_of(service_.load(request->model_name()));
    });
  }

  grpc::Status RepositoryModelUnload(
      ServerContext* context, const inference::RepositoryModelUnloadRequest* request,
      inference::RepositoryModelUnloadResponse* /*response*/) override {
    return guarded(*context, [&](const Caller& /*caller*/) {
      return status_of(service_.unload(request->model_name()));
    });
  }

#define EDGEWRIGHT_REFUSED_CALL(name, why)                                       \
  grpc::Status name(ServerContext* context, const inference::Empty* /*request*/, \
                    inference::Empty* /*response*/) override {                   \
    return guarded(*context, [&](const Caller& /*caller*/) {                     \
      return status_of(Refusal{RefusalKind::kUnsupported, why});                 \
    });                                                                          \
  }
  EDGEWRIGHT_REFUSED_CALL(SystemSharedMemoryStatus, kNoSharedMemory)
  EDGEWRIGHT_REFUSED_CALL(SystemSharedMemoryRegister, kNoSharedMemory)
  EDGEWRIGHT_REFUSED_CALL(SystemSharedMemoryUnregister, kNoSharedMemory)
  EDGEWRIGHT_REFUSED_CALL(CudaSharedMemoryStatus, kNoSharedMemory)
  EDGEWRIGHT_REFUSED_CALL(CudaSharedMemoryRegister, kNoSharedMemory)
  EDGEWRIGHT_REFUSED_CALL(CudaSharedMemoryUnregister, kNoSharedMemory)
  EDGEWRIGHT_REFUSED_CALL(TraceSetting, kNoSettings)
  EDGEWRIGHT_REFUSED_CALL(LogSettings, kNoSettings)
#undef EDGEWRIGHT_REFUSED_CALL

 private:
  static constexpr const char* kNoSharedMemory =
      "shared memory is not supported; send the data in the request";
  static constexpr const char* kNoSettings =
      "traces and logs are not set over the network; see /metrics and statistics";

  // Asks for the token, and keeps a defect met by one call from ending the service of the others.
  template <class Action>
  grpc::Status guarded(ServerContext& context, Action&& action) {
    const std::string address = address_of(context.peer());
    Reply<std::string> client =
        service_.identify(metadata_value(context, "authorization"), address);
    if (!client.ok()) return status_of(client.refusal());
    const Caller caller{*std::move(client), deadline_of(context, service_.default_deadline()),
                        metadata_value(context, "x-routing-key")};
    try {
      return action(caller);
    } catch (const std::exception& error) {
      return status_of(
          Refusal{RefusalKind::kFailed, fmt::format("internal error: {}", error.what())});
    }
  }

  // Whether the stream goes on.
  template <class Stream>
  bool answer_in_stream(const inference::ModelInferRequest& request, const Caller& caller,
                        Stream& stream) {
    bool open = true;
    const auto send = [&](const oip::InferResponse& response) {
      Result<inference::ModelInferResponse> message = to_message(response);
      inference::ModelStreamInferResponse wrapped;
      if (message.ok()) {
        wrapped.mutable_infer_response()->Swap(&*message);
      } else {
        wrapped.set_error_message(message.error().message);
      }
      open = stream.Write(wrapped);
      return open;
    };
    Result<oip::InferRequest> decoded = from_message(request);
    const Reply<bool> done = decoded.ok() ? service_.infer_stream(*std::move(decoded), caller, send)
                                          : Reply<bool>(std::move(decoded).error());
    if (done.ok()) return open;
    inference::ModelStreamInferResponse failure;
    failure.set_error_message(done.refusal().message);
    failure.mutable_infer_response()->set_id(request.id());
    return stream.Write(failure);
  }

  edgewright::Service& service_;
};

std::shared_ptr<grpc::ServerCredentials> credentials(const GrpcOptions& options) {
  if (options.certificate.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({options.key, options.certificate});
  return grpc::SslServerCredentials(tls);
}

}  // namespace

struct GrpcServer::State {
  explicit State(Service& service) : service(service) {}
  InferenceService service;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

GrpcServer::GrpcServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const GrpcOptions& options,
                                                      Service& service) {
  auto state = std::make_unique<State>(service);
  grpc::ResourceQuota quota;
  quota.SetMaxThreads(options.max_threads);
  grpc::ServerBuilder builder;
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.body_bytes));
  builder.SetMaxSendMessageSize(-1);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
  builder.AddListeningPort(fmt::format("{}:{}", options.host, options.port), credentials(options),
                           &state->port);
  builder.RegisterService(&state->service);
  state->server = builder.BuildAndStart();
  if (!state->server || state->port == 0) {
    return unsupported("cannot listen on {} port {} for gRPC", options.host, options.port);
  }
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(state)));
}

GrpcServer::~GrpcServer() { stop(std::chrono::milliseconds(0)); }

int GrpcServer::port() const { return state_->port; }

void GrpcServer::stop(std::chrono::milliseconds time) {
  if (!state_->server) return;
  state_->server->Shutdown(std::chrono::system_clock::now() + time);
  state_->server->Wait();
  state_->server.reset();
}

}  // namespace edgewright
