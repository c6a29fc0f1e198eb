#include <memory>

#include "serve/http/routes.h"
#include "serve/language/openai.h"

// OpenAI's addresses for language models: v1/models, v1/completions, v1/chat/completions.
namespace edgewright {
namespace {

HttpReply openai_reply(const Refusal& refusal) {
  HttpReply reply = reply_of(refusal);
  reply.body = encode_openai_error(refusal);
  return reply;
}

CompletionUsage usage_of(const HttpContext& context, const Service::Completion& completion,
                         const TextResult& result) {
  CompletionUsage usage{
      completion.prompt_tokens, static_cast<int>(result.tokens.size()), result.energy, {}};
  if (usage.energy.measured) {
    MeterState meter = context.service.meter();
    usage.meter = std::move(meter.method);
    usage.hottest_c = meter.hottest_c;
  }
  return usage;
}

void count(const Service::Completion& completion, const TextResult& result) {
  completion.version->statistics().add_text(
      static_cast<int64_t>(result.tokens.size()), result.energy.energy_j,
      std::chrono::duration_cast<std::chrono::nanoseconds>(ServeClock::now() - completion.start)
          .count());
}

void tell(const TextService& text, const std::vector<int>& tokens,
          const std::vector<Likelihood>& likelihoods, std::vector<ToldToken>& told) {
  for (size_t i = 0; i < likelihoods.size(); ++i) {
    told.push_back({text.token_text(tokens[i]), likelihoods[i].log_probability, {}});
    for (const TokenChance& each : likelihoods[i].likeliest) {
      told.back().likeliest.emplace_back(text.token_text(each.token), each.log_probability);
    }
  }
}

ToldTokens told_piece(const Service::Completion& completion, const TextAnswer::Piece& piece) {
  if (!completion.tells_likelihoods) return {};
  ToldTokens told(std::in_place);
  tell(*completion.version->text(), piece.tokens, piece.likelihoods, *told);
  return told;
}

// Of a whole answer, with the prompt where that is repeated.
ToldTokens told_answer(const Service::Completion& completion, const TextResult& result) {
  if (!completion.tells_likelihoods) return {};
  const TextService& text = *completion.version->text();
  ToldTokens told(std::in_place);
  const std::vector<int>& echoed = completion.echoed_tokens;
  if (!echoed.empty()) {
    told->push_back({text.token_text(echoed[0]), {}, {}});
    tell(text, {echoed.begin() + 1, echoed.end()}, result.prompt_likelihoods, *told);
  }
  tell(text, result.tokens, result.likelihoods, *told);
  return told;
}

HttpReply whole(const HttpContext& context, const Service::Completion& completion,
                ServeClock::time_point deadline) {
  while (true) {
    Reply<TextAnswer::Piece> piece = completion.answer->next(deadline);
    if (!piece.ok()) return openai_reply(piece.refusal());
    if (!piece->is_last) continue;
    count(completion, piece->result);
    HttpReply reply;
    const TextResult& result = piece->result;
    reply.body = encode_completion(completion.head, completion.echoed_text + result.text,
                                   told_answer(completion, result), result.finish,
                                   usage_of(context, completion, result));
    return reply;
  }
}

// Sends events until the text's end; an error in mid-stream is an event of its own.
void send_events(const HttpContext& context, const Service::Completion& completion,
                 ServeClock::time_point deadline, bool with_usage,
                 const std::function<bool(std::string_view)>& send) {
  bool wanted = send(encode_first_event(completion.head));
  size_t offset = 0;
  while (wanted) {
    Reply<TextAnswer::Piece> piece = completion.answer->next(deadline);
    if (!piece.ok()) {
      send("data: " + encode_openai_error(piece.refusal()) + "\n\n");
      return;
    }
    if (!piece->is_last || !piece->tokens.empty()) {
      wanted = send(
          encode_text_event(completion.head, piece->text, told_piece(completion, *piece), offset));
    }
    if (!piece->is_last) continue;
    count(completion, piece->result);
    send(encode_last_event(completion.head, piece->result.finish));
    if (with_usage) {
      send(encode_usage_event(completion.head, usage_of(context, completion, piece->result)));
    }
    send(kDoneEvent);
    return;
  }
}

HttpReply complete(const HttpContext& context, const RoutedRequest& request, bool is_chat) {
  Reply<CompletionRequest> decoded = decode_completion(request.http.body, is_chat);
  if (!decoded.ok()) return openai_reply(decoded.refusal());
  const bool stream = decoded->stream, with_usage = decoded->usage_in_stream;
  const Caller caller = caller_of(context, request);
  Reply<Service::Completion> completion = context.service.complete(*std::move(decoded), caller);
  if (!completion.ok()) return openai_reply(completion.refusal());
  if (!stream) return whole(context, *completion, caller.deadline);
  HttpReply reply;
  reply.content_type = "text/event-stream";
  reply.headers.emplace_back("Cache-Control", "no-cache");
  // Shared, as std::function copies what it holds.
  const auto shared = std::make_shared<Service::Completion>(*std::move(completion));
  // The context is the router's, which outlives every reply.
  reply.stream = [&context, shared, deadline = caller.deadline,
                  with_usage](const std::function<bool(std::string_view)>& send) {
    send_events(context, *shared, deadline, with_usage, send);
  };
  return reply;
}

HttpReply complete_text(const HttpContext& context, const RoutedRequest& request) {
  return complete(context, request, false);
}
HttpReply complete_chat(const HttpContext& context, const RoutedRequest& request) {
  return complete(context, request, true);
}

HttpReply models(const HttpContext& context, const RoutedRequest& /*request*/) {
  std::vector<std::string> names;
  for (const auto& version : context.service.versions()) {
    const bool is_new = names.empty() || names.back() != version->name();
    if (version->text() != nullptr && is_new) names.push_back(version->name());
  }
  HttpReply reply;
  reply.body = encode_openai_models(names, 0);
  return reply;
}

}  // namespace

std::vector<Route> completion_routes() {
  return {{"POST", "v1/completions", complete_text},
          {"POST", "v1/chat/completions", complete_chat},
          {"GET", "v1/models", models}};
}

}  // namespace edgewright
