#include "serve/language/openai.h"

#include <algorithm>
#include <utility>

#include "serve/protocol/json_tensor.h"

namespace edgewright {
namespace {

// Of OpenAI's reference: completions make 16 tokens where nothing is said; chats go on to the end
// of the context.
constexpr int kDefaultTokens = 16;

template <class... Args>
Refusal malformed(fmt::format_string<Args...> format, Args&&... args) {
  return {RefusalKind::kMalformed, fmt::format(format, std::forward<Args>(args)...)};
}

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Fields that are refused unless they have the value that changes nothing.
bool has_no_effect(const std::string& key, const Json& value) {
  if (value.is_null()) return true;
  if (key == "n" || key == "best_of") return value == 1;
  if (key == "presence_penalty" || key == "frequency_penalty") return value == 0;
  if (key == "suffix") return value.is_string() && value.get_ref<const std::string&>().empty();
  if (key == "logit_bias" || key == "tools" || key == "functions") return value.empty();
  if (key == "tool_choice") return value == "none" || value == "auto";
  if (key == "response_format") {
    return value.is_object() && value.value("type", std::string()) == "text";
  }
  return false;
}

constexpr std::string_view kRefused[] = {
    "n",          "best_of", "presence_penalty", "suffix",      "frequency_penalty",
    "logit_bias", "tools",   "functions",        "tool_choice", "response_format"};

// A number between limits where it is there.
Reply<double> number_of(const Json& json, const char* key, double otherwise, double low,
                        double high) {
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return otherwise;
  if (!it->is_number()) return malformed("'{}' is no number", key);
  const auto value = it->get<double>();
  if (value >= low && value <= high) return value;
  return malformed("'{}' is {}, expected {} to {}", key, value, low, high);
}

Reply<bool> flag_of(const Json& json, const char* key) {
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) return false;
  if (!it->is_boolean()) return malformed("'{}' is neither true nor false", key);
  return it->get<bool>();
}

Reply<std::string> text_of(const Json& json, const char* key, bool required) {
  const auto it = json.find(key);
  if (it == json.end() || it->is_null()) {
    if (!required) return std::string();
    return malformed("'{}' is missing", key);
  }
  if (!it->is_string()) return malformed("'{}' is no text", key);
  return it->get<std::string>();
}

#define EDGEWRIGHT_ASK(target, expression)                        \
  do {                                                            \
    auto ew_reply = (expression);                                 \
    if (!ew_reply.ok()) return std::move(ew_reply).refusal();     \
    target = static_cast<decltype(target)>(*std::move(ew_reply)); \
  } while (false)

Reply<bool> read_sampling(const Json& json, CompletionRequest& request) {
  Sampling& sampling = request.text.sampling;
  EDGEWRIGHT_ASK(sampling.temperature, number_of(json, "temperature", 1, 0, 2));
  EDGEWRIGHT_ASK(sampling.top_p, number_of(json, "top_p", 1, 1e-6, 1));
  EDGEWRIGHT_ASK(sampling.min_p, number_of(json, "min_p", 0, 0, 1));
  EDGEWRIGHT_ASK(sampling.top_k, number_of(json, "top_k", 0, 0, 1e6));
  EDGEWRIGHT_ASK(sampling.repetition_penalty, number_of(json, "repetition_penalty", 1, 0.01, 10));
  EDGEWRIGHT_ASK(sampling.seed, number_of(json, "seed", 0, 0, 9e15));
  const char* const limit = request.is_chat && json.contains("max_completion_tokens")
                                ? "max_completion_tokens"
                                : "max_tokens";
  request.has_max_tokens = json.contains(limit) && !json[limit].is_null();
  // A prompt may be asked about without an answer.
  const double fewest = request.echo ? 0 : 1;
  EDGEWRIGHT_ASK(request.text.max_tokens, number_of(json, limit, kDefaultTokens, fewest, 1 << 20));
  return true;
}

Reply<bool> read_stops(const Json& json, CompletionRequest& request) {
  const auto it = json.find("stop");
  if (it == json.end() || it->is_null()) return true;
  const Json list = it->is_array() ? *it : Json::array({*it});
  if (list.size() > 16) return malformed("{} stop texts, at most 16 are watched for", list.size());
  for (const Json& item : list) {
    if (!item.is_string() || item.get<std::string>().size() > 1024) {
      return malformed("'stop' is no text, nor a list of texts of at most 1024 bytes");
    }
    request.text.stop_strings.push_back(item.get<std::string>());
  }
  return true;
}

// Chats ask by a flag and a number, completions by a number alone.
Reply<bool> read_likelihoods(const Json& json, CompletionRequest& request) {
  constexpr double kMost = 20;  // of OpenAI's reference
  TextRequest& text = request.text;
  EDGEWRIGHT_ASK(request.echo, flag_of(json, "echo"));
  if (request.echo && (request.is_chat || request.stream)) {
    return Refusal{RefusalKind::kUnsupported, "'echo' is for completions that do not stream"};
  }
  if (request.is_chat) {
    EDGEWRIGHT_ASK(text.log_probabilities, flag_of(json, "logprobs"));
    EDGEWRIGHT_ASK(text.likeliest, number_of(json, "top_logprobs", 0, 0, kMost));
    if (text.likeliest > 0 && !text.log_probabilities) {
      return malformed("'top_logprobs' is {}, which wants 'logprobs' to be true", text.likeliest);
    }
    return true;
  }
  const auto asked = json.find("logprobs");
  text.log_probabilities = asked != json.end() && asked->is_number();
  if (text.log_probabilities) {
    EDGEWRIGHT_ASK(text.likeliest, number_of(json, "logprobs", 0, 0, kMost));
  } else if (asked != json.end() && !asked->is_null() && *asked != false) {
    return malformed("'logprobs' is no number");
  }
  if (const auto top = json.find("top_logprobs");
      top != json.end() && !top->is_null() && *top != 0) {
    return malformed("'top_logprobs' is for chats; completions ask with a number as 'logprobs'");
  }
  text.prompt_log_probabilities = request.echo && text.log_probabilities;
  return true;
}

Reply<bool> read_prompt(const Json& json, CompletionRequest& request) {
  auto it = json.find("prompt");
  if (it == json.end()) return malformed("'prompt' is missing");
  const Json* prompt = &*it;
  if (prompt->is_array() && prompt->size() == 1 && !(*prompt)[0].is_number())
    prompt = &(*prompt)[0];
  if (prompt->is_string()) {
    request.prompt = prompt->get<std::string>();
    return true;
  }
  if (!prompt->is_array() || prompt->empty()) {
    return malformed("'prompt' is no text and no list of tokens; one prompt a request");
  }
  for (const Json& token : *prompt) {
    if (!token.is_number_unsigned() || !std::in_range<int>(token.get<uint64_t>())) {
      return malformed("'prompt' is a list of more than tokens; send one prompt a request");
    }
    request.prompt_tokens.push_back(token.get<int>());
  }
  return true;
}

Reply<bool> read_messages(const Json& json, CompletionRequest& request) {
  const auto it = json.find("messages");
  if (it == json.end() || !it->is_array() || it->empty()) {
    return malformed("'messages' is missing or no list");
  }
  for (const Json& item : *it) {
    if (!item.is_object()) return malformed("a message is no object");
    ChatTurn turn;
    EDGEWRIGHT_ASK(turn.role, text_of(item, "role", true));
    if (turn.role == "developer") turn.role = "system";  // its later name
    if (turn.role != "system" && turn.role != "user" && turn.role != "assistant") {
      return malformed("found role '{}', expected system, user or assistant", turn.role);
    }
    const auto content = item.find("content");
    if (content != item.end() && content->is_array()) {
      for (const Json& part : *content) {
        if (!part.is_object() || part.value("type", Json()) != "text") {
          return Refusal{RefusalKind::kUnsupported, "messages hold text only"};
        }
        std::string text;
        EDGEWRIGHT_ASK(text, text_of(part, "text", true));
        turn.content += text;
      }
    } else {
      EDGEWRIGHT_ASK(turn.content, text_of(item, "content", true));
    }
    request.messages.push_back(std::move(turn));
  }
  return true;
}

// "stop", "length" as OpenAI names them.
const char* reason_name(FinishReason finish) {
  return finish == FinishReason::kLength || finish == FinishReason::kContext ? "length" : "stop";
}

Json head_json(const CompletionHead& head, bool is_event) {
  const char* const chat = is_event ? "chat.completion.chunk" : "chat.completion";
  return {{"id", head.id},
          {"object", head.is_chat ? chat : "text_completion"},
          {"created", head.created_s},
          {"model", head.model}};
}

// Joules with the window, the method, the sampling rate and the thermal state they hold for.
Json energy_json(const CompletionUsage& usage) {
  const RequestEnergy& energy = usage.energy;
  const double per_token =
      usage.completion_tokens > 0 ? energy.energy_j * 1e3 / usage.completion_tokens : 0;
  const double rate =
      energy.window_s > 0 ? static_cast<double>(energy.readings) / energy.window_s : 0;
  Json json = {{"energy_mj", energy.energy_j * 1e3},
               {"energy_mj_per_token", per_token},
               {"window_s", energy.window_s},
               {"readings", energy.readings},
               {"readings_per_s", rate},
               {"method", std::string(kEnergyShareMethod) + usage.meter}};
  if (usage.hottest_c > 0) json["hottest_c"] = usage.hottest_c;
  return json;
}

Json usage_json(const CompletionUsage& usage) {
  Json json = {{"prompt_tokens", usage.prompt_tokens},
               {"completion_tokens", usage.completion_tokens},
               {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
  if (usage.energy.measured) json["energy"] = energy_json(usage);
  return json;
}

Json chat_token_json(const std::string& text, double log_probability) {
  Json bytes = Json::array();
  for (const char byte : text) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"token", text}, {"logprob", log_probability}, {"bytes", std::move(bytes)}};
}

Json chat_likelihoods(const std::vector<ToldToken>& told) {
  Json content = Json::array();
  for (const ToldToken& token : told) {
    Json json = chat_token_json(token.text, token.log_probability.value_or(0));
    json["top_logprobs"] = Json::array();
    for (const auto& [text, log_probability] : token.likeliest) {
      json["top_logprobs"].push_back(chat_token_json(text, log_probability));
    }
    content.push_back(std::move(json));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

// Lists side by side. Tokens of the same text, such as parts of characters, share one entry among
// the likeliest; the token itself always has one.
Json text_likelihoods(const std::vector<ToldToken>& told, size_t& offset) {
  Json tokens = Json::array(), chances = Json::array(), tops = Json::array(),
       offsets = Json::array();
  for (const ToldToken& token : told) {
    tokens.push_back(token.text);
    offsets.push_back(offset);
    offset += static_cast<size_t>(std::ranges::count_if(
        token.text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; }));
    if (!token.log_probability) {
      chances.push_back(nullptr);
      tops.push_back(nullptr);
      continue;
    }
    chances.push_back(*token.log_probability);
    Json top = Json::object();
    for (const auto& [text, log_probability] : token.likeliest) {
      if (!top.contains(text)) top[text] = log_probability;
    }
    if (!top.contains(token.text)) top[token.text] = *token.log_probability;
    tops.push_back(std::move(top));
  }
  return {{"tokens", std::move(tokens)},
          {"token_logprobs", std::move(chances)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

Json likelihoods_json(const CompletionHead& head, const ToldTokens& told, size_t& offset) {
  if (!told) return nullptr;
  return head.is_chat ? chat_likelihoods(*told) : text_likelihoods(*told, offset);
}

std::string event(const CompletionHead& head, Json choice) {
  Json json = head_json(head, true);
  choice["index"] = 0;
  if (!choice.contains("finish_reason")) choice["finish_reason"] = nullptr;
  json["choices"] = Json::array({std::move(choice)});
  return "data: " + dump(json) + "\n\n";
}

}  // namespace

Reply<CompletionRequest> decode_completion(std::string_view body, bool is_chat) {
  Result<Json> parsed = oip::parse_json(body);
  if (!parsed.ok()) return std::move(parsed).error();
  const Json& json = *parsed;
  if (!json.is_object()) return malformed("the body is no JSON object");
  CompletionRequest request;
  request.is_chat = is_chat;
  EDGEWRIGHT_ASK(request.model, text_of(json, "model", true));
  EDGEWRIGHT_ASK(request.user, text_of(json, "user", false));
  EDGEWRIGHT_ASK(request.stream, flag_of(json, "stream"));
  for (const std::string_view key : kRefused) {
    const auto it = json.find(key);
    if (it != json.end() && !has_no_effect(std::string(key), *it)) {
      return Refusal{RefusalKind::kUnsupported,
                     fmt::format("'{}' is not supported; leave it out", key)};
    }
  }
  if (const auto it = json.find("stream_options"); it != json.end() && it->is_object()) {
    EDGEWRIGHT_ASK(request.usage_in_stream, flag_of(*it, "include_usage"));
  }
  bool read = false;
  EDGEWRIGHT_ASK(read, read_likelihoods(json, request));
  EDGEWRIGHT_ASK(read, read_sampling(json, request));
  EDGEWRIGHT_ASK(read, read_stops(json, request));
  EDGEWRIGHT_ASK(read, is_chat ? read_messages(json, request) : read_prompt(json, request));
  return request;
}

std::string encode_completion(const CompletionHead& head, const std::string& text,
                              const ToldTokens& told, FinishReason finish,
                              const CompletionUsage& usage) {
  Json json = head_json(head, false);
  Json choice = {{"index", 0}};
  if (head.is_chat) {
    choice["message"] = {{"role", "assistant"}, {"content", text}};
  } else {
    choice["text"] = text;
  }
  size_t offset = 0;
  choice["logprobs"] = likelihoods_json(head, told, offset);
  choice["finish_reason"] = reason_name(finish);
  json["choices"] = Json::array({std::move(choice)});
  json["usage"] = usage_json(usage);
  return dump(json);
}

std::string encode_first_event(const CompletionHead& head) {
  if (!head.is_chat) return "";
  return event(head, {{"delta", {{"role", "assistant"}, {"content", ""}}}});
}

std::string encode_text_event(const CompletionHead& head, std::string_view text,
                              const ToldTokens& told, size_t& offset) {
  Json likelihoods = likelihoods_json(head, told, offset);
  Json choice = head.is_chat ? Json{{"delta", {{"content", text}}}} : Json{{"text", text}};
  choice["logprobs"] = std::move(likelihoods);
  return event(head, std::move(choice));
}

std::string encode_last_event(const CompletionHead& head, FinishReason finish) {
  Json choice = {{"finish_reason", reason_name(finish)}};
  if (head.is_chat) {
    choice["delta"] = Json::object();
  } else {
    choice["text"] = "";
  }
  return event(head, std::move(choice));
}

std::string encode_usage_event(const CompletionHead& head, const CompletionUsage& usage) {
  Json json = head_json(head, true);
  json["choices"] = Json::array();
  json["usage"] = usage_json(usage);
  return "data: " + dump(json) + "\n\n";
}

std::string encode_openai_error(const Refusal& refusal) {
  const RefusalRow& row = refusal_row(refusal.kind);
  const char* const type = row.http_status < 500 ? "invalid_request_error" : "server_error";
  return dump({{"error",
                {{"message", refusal.message},
                 {"type", type},
                 {"param", nullptr},
                 {"code", row.http_status}}}});
}

std::string encode_openai_models(const std::vector<std::string>& names, int64_t created_s) {
  Json list = Json::array();
  for (const std::string& name : names) {
    list.push_back(
        {{"id", name}, {"object", "model"}, {"created", created_s}, {"owned_by", "edgewright"}});
  }
  return dump({{"object", "list"}, {"data", list}});
}

}  // namespace edgewright
