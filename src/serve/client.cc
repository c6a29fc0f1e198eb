#include "serve/client.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <thread>

#include "base/clock.h"
#include "base/json.h"
#include "serve/protocol/infer_json.h"
#include "serve/protocol/json_tensor.h"
#include "serve/protocol/metadata_json.h"

namespace edgewright {
namespace {

using Clock = std::chrono::steady_clock;

std::string_view header_of(const ClientReply& reply, const std::string& name) {
  const auto it = reply.headers.find(name);
  return it == reply.headers.end() ? std::string_view() : it->second;
}

std::optional<size_t> number_of(std::string_view text) {
  size_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Of a name in an address everything but letters, digits and "-._~" is escaped (RFC 3986).
std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    out += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string model_path(const std::string& name, const std::string& version) {
  std::string path = "/v2/models/" + escaped(name);
  if (!version.empty()) path += "/versions/" + escaped(version);
  return path;
}

Error refusal(const ClientReply& reply, const std::string& what) {
  const std::string said = oip::decode_error(reply.body);
  if (reply.status == 404 || reply.status == 405 || reply.status == 501) {
    return unsupported("{}: the server has none: {} (HTTP {})", what, said, reply.status);
  }
  return check_failed("{}: the server refused: {} (HTTP {})", what, said, reply.status);
}

class HttpClient : public InferenceClient {
 public:
  explicit HttpClient(std::unique_ptr<HttpConnection> connection)
      : connection_(std::move(connection)) {}

  RemoteAnswer infer(const oip::InferRequest& request, Deadline deadline) override {
    RemoteAnswer answer;
    const auto start = Clock::now();
    auto reply = send(request, deadline);
    answer.elapsed_us = microseconds_since(start);
    if (!reply.ok()) {
      answer.message = reply.error().message;
      answer.outcome = Clock::now() >= deadline                        ? RemoteOutcome::kTimedOut
                       : reply.error().kind == ErrorKind::kCheckFailed ? RemoteOutcome::kUnreachable
                                                                       : RemoteOutcome::kRefused;
      return answer;
    }
    if (!reply->is_success()) {
      answer.outcome = reply->is_transient() ? RemoteOutcome::kBusy : RemoteOutcome::kRefused;
      answer.message = refusal(*reply, request.model).message;
      const auto seconds = number_of(header_of(*reply, "retry-after"));
      // Nobody waits longer for one answer than an hour.
      answer.retry_after_us =
          1e6 * static_cast<double>(std::min<size_t>(3600, seconds.value_or(0)));
      return answer;
    }
    take(*reply, request, answer);
    answer.elapsed_us = microseconds_since(start);
    return answer;
  }

  Result<double> ping(Deadline deadline) override {
    const auto start = Clock::now();
    EDGEWRIGHT_ASSIGN(const ClientReply reply,
                      connection_->exchange({"GET", "/v2/health/live"}, deadline));
    if (!reply.is_success()) return refusal(reply, "/v2/health/live");
    return microseconds_since(start);
  }

  Result<oip::ServerMetadata> server(Deadline deadline) override {
    EDGEWRIGHT_ASSIGN(const ClientReply reply, connection_->exchange({"GET", "/v2"}, deadline));
    if (!reply.is_success()) return refusal(reply, "/v2");
    return oip::decode_server_metadata(reply.body);
  }

  Result<oip::ModelMetadata> model(const std::string& name, const std::string& version,
                                   Deadline deadline) override {
    EDGEWRIGHT_ASSIGN(const ClientReply reply,
                      connection_->exchange({"GET", model_path(name, version)}, deadline));
    // Some servers say 400 for a model that they do not have.
    if (reply.status == 400) {
      return unsupported("model '{}': {}", name, oip::decode_error(reply.body));
    }
    if (!reply.is_success()) return refusal(reply, fmt::format("model '{}'", name));
    return oip::decode_model_metadata(reply.body);
  }

  Result<std::vector<std::string>> ready_models(Deadline deadline) override {
    ClientRequest request{"POST", "/v2/repository/index"};
    request.headers["Content-Type"] = "application/json";
    request.body = R"({"ready": true})";
    EDGEWRIGHT_ASSIGN(const ClientReply reply, connection_->exchange(request, deadline));
    if (!reply.is_success()) return refusal(reply, "the list of models");
    EDGEWRIGHT_ASSIGN(const Json json, oip::parse_json(reply.body));
    std::vector<std::string> names;
    for (const Json& row : json.is_array() ? json : Json::array()) {
      const auto name = row.is_object() ? row.find("name") : row.end();
      if (!row.is_object() || name == row.end() || !name->is_string()) {
        return bad_input("found a list of models whose rows have no names");
      }
      names.push_back(name->get<std::string>());
    }
    return names;
  }

 private:
  Result<ClientReply> send(const oip::InferRequest& request, Deadline deadline) {
    EDGEWRIGHT_ASSIGN(oip::HttpBody body, oip::encode_infer_request(request));
    ClientRequest message{"POST", model_path(request.model, request.version) + "/infer"};
    message.headers["Content-Type"] =
        body.json_bytes ? "application/octet-stream" : "application/json";
    if (body.json_bytes) {
      message.headers[std::string(oip::kJsonLengthHeader)] = fmt::format("{}", *body.json_bytes);
    }
    message.body = std::move(body.bytes);
    return connection_->exchange(message, deadline);
  }

  // The answer must be to this request.
  static void take(const ClientReply& reply, const oip::InferRequest& request,
                   RemoteAnswer& answer) {
    const std::string_view length = header_of(reply, "inference-header-content-length");
    const auto json_bytes = number_of(length);
    answer.outcome = RemoteOutcome::kRefused;
    if (!length.empty() && !json_bytes) {
      answer.message =
          fmt::format("found {} '{}', expected a number of bytes", oip::kJsonLengthHeader, length);
      return;
    }
    auto response = oip::decode_infer_response(reply.body, json_bytes);
    if (!response.ok()) {
      answer.message =
          fmt::format("{}: malformed answer: {}", request.model, response.error().message);
      return;
    }
    if (!request.id.empty() && !response->id.empty() && response->id != request.id) {
      answer.message = fmt::format("{}: found the answer to request '{}', expected that to '{}'",
                                   request.model, response->id, request.id);
      return;
    }
    answer.outcome = RemoteOutcome::kAnswered;
    answer.response = *std::move(response);
  }

  std::unique_ptr<HttpConnection> connection_;
};

}  // namespace

Result<std::unique_ptr<InferenceClient>> open_http_client(const ServerAddress& address,
                                                          const ClientOptions& options) {
  EDGEWRIGHT_ASSIGN(auto connection, open_http_connection(address, options));
  return std::unique_ptr<InferenceClient>(std::make_unique<HttpClient>(std::move(connection)));
}

double backoff_us(const RetryPolicy& policy, int retry, std::mt19937_64& random) {
  const double limit = std::min(policy.longest_us, policy.base_us * std::exp2(retry));
  return std::uniform_real_distribution<double>(0, limit)(random);
}

RemoteAnswer infer_with_retries(InferenceClient& client, const oip::InferRequest& request,
                                InferenceClient::Deadline deadline, const RetryPolicy& policy,
                                std::mt19937_64& random) {
  for (int attempt = 1;; ++attempt) {
    RemoteAnswer answer = client.infer(request, deadline);
    answer.attempts = attempt;
    const bool may_help =
        answer.outcome == RemoteOutcome::kUnreachable || answer.outcome == RemoteOutcome::kBusy;
    if (!may_help || attempt >= policy.most_attempts) return answer;
    const double wait_us = std::max(answer.retry_after_us, backoff_us(policy, attempt, random));
    const auto wait = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double, std::micro>(wait_us));
    if (Clock::now() + wait >= deadline) return answer;
    std::this_thread::sleep_for(wait);
  }
}

}  // namespace edgewright
