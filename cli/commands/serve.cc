#include "edgewright/serve.h"

#include "network.h"

namespace edgewright::cli {

Action declare_serve(CLI::App& app, CommonOptions& common) {
  auto settings = std::make_shared<ServerSettings>();
  ServeOptions& options = settings->serve;
  app.add_option("DIR", options.repository,
                 "a model repository: DIR/MODEL/VERSION/model.onnx, .ewplan, .ewlm or .gguf")
      ->required();
  app.add_option("--host", options.host, "the address to listen on");
  app.add_option("--http-port", options.http_port, "0: one that is free, -1: no HTTP");
  app.add_option("--grpc-port", options.grpc_port, "0: one that is free, -1: no gRPC");
  app.add_option("--announce", settings->announce,
                 "write addresses and models to this file once everything is ready")
      ->type_name("FILE");
  app.add_option("--certificate", options.certificate, "TLS: a certificate chain")
      ->type_name("FILE.pem");
  app.add_option("--key", options.key, "TLS: its private key")->type_name("FILE.pem");
  app.add_option("--tokens", options.tokens, "ask for tokens: a file of lines NAME TOKEN")
      ->type_name("FILE");
  app.add_flag("--model-control", options.model_control,
               "load, unload and roll out models over the network");
  app.add_option("--deadline-ms", options.deadline_ms, "of requests that ask for none");
  app.add_option("--max-queue", options.max_queue, "requests that wait for a model");
  app.add_option("--max-body-mb", settings->max_body_mb, "of a request")
      ->check(CLI::Range(1, 1024));
  app.add_option("--max-connections", options.max_connections, "at a time");
  app.add_option("--client-rate", options.client_requests_per_s,
                 "requests per second of one client (0: no limit)");
  app.add_option("--client-concurrent", options.client_concurrent,
                 "requests of one client under way (0: no limit)");
  app.add_option("--drain-s", settings->drain_s, "time to answer what is under way at the end")
      ->check(CLI::Range(0, 3600));
  return [settings, &common]() -> Result<Outcome> {
    settings->serve.threads = common.threads;
    settings->serve.max_body_bytes = static_cast<size_t>(settings->max_body_mb) << 20;
    return network::serve(*settings);
  };
}

}  // namespace edgewright::cli
