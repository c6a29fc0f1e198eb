#include <charconv>

#include "serve/http/routes.h"
#include "serve/protocol/infer_json.h"

// The addresses that compute: v2/models/{}/infer and v2/models/{}/versions/{}/infer.
namespace edgewright {
namespace {

HttpReply infer(const HttpContext& context, const RoutedRequest& request) {
  std::optional<size_t> json_bytes;
  const std::string_view text = request.http.header("inference-header-content-length");
  if (!text.empty()) {
    size_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size()) {
      return reply_of(
          {RefusalKind::kMalformed, fmt::format("{} is no number", oip::kJsonLengthHeader)});
    }
    json_bytes = value;
  }
  Result<oip::InferRequest> decoded = oip::decode_infer_request(request.http.body, json_bytes);
  if (!decoded.ok()) return reply_of(refusal_of(std::move(decoded).error()));
  decoded->model = request.parts[0];
  if (request.parts.size() > 1) decoded->version = request.parts[1];
  Reply<oip::InferResponse> response =
      context.service.infer(*std::move(decoded), caller_of(context, request));
  if (!response.ok()) return reply_of(response.refusal());
  Result<oip::HttpBody> body = oip::encode_infer_response(*response);
  if (!body.ok()) return reply_of(refusal_of(std::move(body).error()));
  HttpReply reply;
  reply.body = std::move(body->bytes);
  if (body->json_bytes) {
    reply.content_type = "application/octet-stream";
    reply.headers.emplace_back(oip::kJsonLengthHeader, std::to_string(*body->json_bytes));
  }
  return reply;
}

}  // namespace

std::vector<Route> infer_routes() {
  return {{"POST", "v2/models/{}/infer", infer}, {"POST", "v2/models/{}/versions/{}/infer", infer}};
}

}  // namespace edgewright
