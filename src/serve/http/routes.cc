#include "serve/http/routes.h"

#include <charconv>

namespace edgewright {
namespace {

std::vector<std::string> split(std::string_view pattern) {
  std::vector<std::string> parts;
  while (!pattern.empty()) {
    const size_t end = std::min(pattern.find('/'), pattern.size());
    parts.emplace_back(pattern.substr(0, end));
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
  }
  return parts;
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    if (pattern[i] != "{}" && pattern[i] != path[i]) return false;
  }
  return true;
}

HttpReply wrong_method(std::string_view method) {
  HttpReply reply =
      reply_of({RefusalKind::kMalformed, fmt::format("this address does not take {}", method)});
  reply.status = 405;
  reply.reason = "Method Not Allowed";
  return reply;
}

}  // namespace

Router::Router(HttpContext context) : context_(std::move(context)) {
  for (const auto& routes :
       {infer_routes(), model_routes(), completion_routes(), metrics_routes()}) {
    for (const Route& route : routes) entries_.push_back({route, split(route.pattern)});
  }
}

HttpReply Router::handle(const HttpRequest& request) const {
  const auto path = request.segments();
  if (!path) return reply_of({RefusalKind::kMalformed, "the address has a broken %-encoding"});
  bool is_known = false;
  for (const Entry& entry : entries_) {
    if (!matches(entry.pattern, *path)) continue;
    is_known = true;
    const bool head = request.method == "HEAD" && entry.route.method == "GET";
    if (entry.route.method != request.method && !head) continue;
    RoutedRequest routed{request, "", {}};
    if (!entry.route.is_open) {
      Reply<std::string> client =
          context_.service.identify(request.header("authorization"), request.address);
      if (!client.ok()) return reply_of(client.refusal());
      routed.client = *std::move(client);
    }
    for (size_t i = 0; i < path->size(); ++i) {
      if (entry.pattern[i] == "{}") routed.parts.push_back((*path)[i]);
    }
    return entry.route.handle(context_, routed);
  }
  if (is_known) return wrong_method(request.method);
  return reply_of({RefusalKind::kUnknown, "nothing is served at this address"});
}

Caller caller_of(const HttpContext& context, const RoutedRequest& request) {
  Caller caller{request.client, context.service.default_deadline(),
                std::string(request.http.header("x-routing-key"))};
  const std::string_view text = request.http.header("timeout-ms");
  int64_t timeout_ms = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), timeout_ms);
  if (code == std::errc() && end == text.data() + text.size() && timeout_ms > 0) {
    const auto most = std::chrono::milliseconds(std::min<int64_t>(timeout_ms, 1 << 30));
    caller.deadline = std::min(caller.deadline, ServeClock::now() + most);
  }
  return caller;
}

}  // namespace edgewright
