#include "serve/http/routes.h"
#include "serve/protocol/json_tensor.h"
#include "serve/protocol/metadata_json.h"
#include "serve/service/model_json.h"

// The addresses that describe and control: health, metadata, configuration, statistics, repository
// and rollouts.
namespace edgewright {
namespace {

HttpReply json_reply(std::string body) {
  HttpReply reply;
  reply.body = std::move(body);
  return reply;
}

HttpReply empty_reply() {
  HttpReply reply;
  reply.content_type = "text/plain";
  return reply;
}

HttpReply reply_of_control(const Reply<bool>& done) {
  return done.ok() ? empty_reply() : reply_of(done.refusal());
}

std::string version_of(const RoutedRequest& request) {
  return request.parts.size() > 1 ? request.parts[1] : std::string();
}

HttpReply live(const HttpContext& /*context*/, const RoutedRequest& /*request*/) {
  return json_reply(R"({"live":true})");
}

HttpReply ready(const HttpContext& context, const RoutedRequest& /*request*/) {
  if (context.service.is_ready()) return json_reply(R"({"ready":true})");
  return reply_of({RefusalKind::kUnavailable, "the server shuts down"});
}

HttpReply server(const HttpContext& /*context*/, const RoutedRequest& /*request*/) {
  return json_reply(oip::encode_server_metadata(server_metadata()));
}

HttpReply model(const HttpContext& context, const RoutedRequest& request) {
  const Reply<oip::ModelMetadata> metadata =
      context.service.metadata(request.parts[0], version_of(request));
  if (!metadata.ok()) return reply_of(metadata.refusal());
  return json_reply(oip::encode_model_metadata(*metadata));
}

HttpReply model_ready(const HttpContext& context, const RoutedRequest& request) {
  const auto version = context.service.find(request.parts[0], version_of(request));
  if (!version.ok()) return reply_of(version.refusal());
  if (!context.service.is_ready()) return ready(context, request);
  return json_reply(
      fmt::format(R"({{"name":{},"ready":true}})", oip::json_string((*version)->name())));
}

HttpReply model_config(const HttpContext& context, const RoutedRequest& request) {
  const auto version = context.service.find(request.parts[0], version_of(request));
  return version.ok() ? json_reply(encode_config(**version)) : reply_of(version.refusal());
}

HttpReply statistics(const HttpContext& context, const RoutedRequest& request) {
  if (request.parts.empty()) return json_reply(encode_statistics(context.service.versions()));
  auto version = context.service.find(request.parts[0], version_of(request));
  return version.ok() ? json_reply(encode_statistics({*version})) : reply_of(version.refusal());
}

// The body of a control request, which may be empty.
Reply<Json> control_body(const RoutedRequest& request) {
  if (request.http.body.empty()) return Json(Json::object());
  Result<Json> json = oip::parse_json(request.http.body);
  if (!json.ok()) return std::move(json).error();
  if (!json->is_object()) return Refusal{RefusalKind::kMalformed, "the body is no JSON object"};
  return *std::move(json);
}

HttpReply index(const HttpContext& context, const RoutedRequest& request) {
  const Reply<Json> body = control_body(request);
  if (!body.ok()) return reply_of(body.refusal());
  const auto flag = body->find("ready");
  const bool ready_only = flag != body->end() && flag->is_boolean() && flag->get<bool>();
  return json_reply(encode_index(context.service.index(ready_only)));
}

HttpReply load(const HttpContext& context, const RoutedRequest& request) {
  const Reply<Json> body = control_body(request);
  if (!body.ok()) return reply_of(body.refusal());
  const auto parameters = body->find("parameters");
  if (parameters != body->end() && !parameters->empty()) {
    return reply_of({RefusalKind::kUnsupported,
                     "a model's configuration and files come from the repository's folder; send no "
                     "parameters"});
  }
  return reply_of_control(context.service.load(request.parts[0]));
}

HttpReply unload(const HttpContext& context, const RoutedRequest& request) {
  return reply_of_control(context.service.unload(request.parts[0]));
}

HttpReply begin_rollout(const HttpContext& context, const RoutedRequest& request) {
  const Reply<bool> begun = context.service.begin_rollout(request.parts[0], request.http.body);
  if (!begun.ok()) return reply_of(begun.refusal());
  const Reply<std::string> shown = context.service.show_rollout(request.parts[0]);
  return shown.ok() ? json_reply(*shown) : reply_of(shown.refusal());
}

HttpReply show_rollout(const HttpContext& context, const RoutedRequest& request) {
  const Reply<std::string> shown = context.service.show_rollout(request.parts[0]);
  return shown.ok() ? json_reply(*shown) : reply_of(shown.refusal());
}

HttpReply stop_rollout(const HttpContext& context, const RoutedRequest& request) {
  const Reply<Json> body = control_body(request);
  if (!body.ok()) return reply_of(body.refusal());
  const auto text = body->find("reason");
  const std::string reason =
      text != body->end() && text->is_string() ? text->get<std::string>() : "asked for";
  const Reply<bool> stopped = context.service.stop_rollout(request.parts[0], reason);
  return stopped.ok() ? show_rollout(context, request) : reply_of(stopped.refusal());
}

HttpReply no_shared_memory(const HttpContext& /*context*/, const RoutedRequest& /*request*/) {
  return reply_of(
      {RefusalKind::kUnsupported, "shared memory is not supported; send the data in the request"});
}

HttpReply no_settings(const HttpContext& /*context*/, const RoutedRequest& /*request*/) {
  return reply_of({RefusalKind::kUnsupported,
                   "traces and logs are not set over the network; see /metrics and statistics"});
}

}  // namespace

std::vector<Route> model_routes() {
  return {
      {"GET", "v2/health/live", live, true},
      {"GET", "v2/health/ready", ready, true},
      {"GET", "v2", server},
      {"GET", "v2/models/stats", statistics},
      {"GET", "v2/models/{}", model},
      {"GET", "v2/models/{}/versions/{}", model},
      {"GET", "v2/models/{}/ready", model_ready},
      {"GET", "v2/models/{}/versions/{}/ready", model_ready},
      {"GET", "v2/models/{}/config", model_config},
      {"GET", "v2/models/{}/versions/{}/config", model_config},
      {"GET", "v2/models/{}/stats", statistics},
      {"GET", "v2/models/{}/versions/{}/stats", statistics},
      {"POST", "v2/repository/index", index},
      {"POST", "v2/repository/models/{}/load", load},
      {"POST", "v2/repository/models/{}/unload", unload},
      {"POST", "v2/repository/models/{}/rollout", begin_rollout},
      {"GET", "v2/repository/models/{}/rollout", show_rollout},
      {"POST", "v2/repository/models/{}/rollout/stop", stop_rollout},
      {"GET", "v2/systemsharedmemory/status", no_shared_memory},
      {"GET", "v2/cudasharedmemory/status", no_shared_memory},
      {"GET", "v2/systemsharedmemory/region/{}/status", no_shared_memory},
      {"GET", "v2/cudasharedmemory/region/{}/status", no_shared_memory},
      {"POST", "v2/systemsharedmemory/region/{}/register", no_shared_memory},
      {"POST", "v2/cudasharedmemory/region/{}/register", no_shared_memory},
      {"POST", "v2/systemsharedmemory/region/{}/unregister", no_shared_memory},
      {"POST", "v2/cudasharedmemory/region/{}/unregister", no_shared_memory},
      {"POST", "v2/systemsharedmemory/unregister", no_shared_memory},
      {"POST", "v2/cudasharedmemory/unregister", no_shared_memory},
      {"GET", "v2/trace/setting", no_settings},
      {"POST", "v2/trace/setting", no_settings},
      {"GET", "v2/models/{}/trace/setting", no_settings},
      {"POST", "v2/models/{}/trace/setting", no_settings},
      {"GET", "v2/logging", no_settings},
      {"POST", "v2/logging", no_settings},
  };
}

}  // namespace edgewright
