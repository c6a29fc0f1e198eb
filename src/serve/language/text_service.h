#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/thread_pool.h"
#include "llm/chat.h"
#include "llm/engine.h"
#include "serve/refusal.h"
#include "serve/served_model.h"

namespace edgewright {

// A text that a client asked for, as it comes out of the engine's thread piece by piece. The client
// takes pieces until the last; dropping the object cancels the rest. One thread at a time.
class TextAnswer {
 public:
  struct Piece {
    std::string text;
    // Tokens since the piece before, where the request asks how likely they are. A token's text may
    // come with a later piece.
    std::vector<int> tokens;
    std::vector<Likelihood> likelihoods;
    bool is_last = false;
    TextResult result;  // of the last piece, which has no text of its own
  };

  ~TextAnswer() { cancel(); }
  TextAnswer(const TextAnswer&) = delete;
  TextAnswer& operator=(const TextAnswer&) = delete;

  // Waits for the next piece; a refusal when none came by the deadline or the engine refused.
  Reply<Piece> next(std::chrono::steady_clock::time_point deadline);
  void cancel();

 private:
  friend class TextService;
  // What the client's and the engine's threads share.
  struct Shared {
    std::mutex mutex;
    std::condition_variable ready;
    std::deque<Piece> pieces;
    Piece held;  // tokens that have no text yet
    std::optional<Refusal> refusal;
    bool cancelled = false;

    void end(TextResult result);
    void refuse(Refusal why);
    // A token's text; false when nobody wants more.
    bool take(const TokenEvent& event);
  };
  explicit TextAnswer(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Shared> shared_;
};

// A language model in service: one thread steps the engine for everybody who asks. Thread-safe.
class TextService {
 public:
  TextService(const LanguageParts& parts, int threads, int max_waiting);
  ~TextService();  // cancels what runs
  TextService(const TextService&) = delete;
  TextService& operator=(const TextService&) = delete;

  // Tokens of a prompt or a conversation, with what the model wants before them.
  Reply<std::vector<int>> prompt_tokens(const std::string& prompt) const;
  Reply<std::vector<int>> chat_tokens(const std::vector<ChatTurn>& turns) const;
  std::vector<std::string> chat_stops() const;
  std::string text_of(const std::vector<int>& tokens) const {
    return parts_.tokenizer->decode(tokens);
  }
  // The bytes of a token in a text, special ones included.
  std::string token_text(int token) const { return parts_.tokenizer->token_bytes(token, true); }
  int context() const { return context_; }

  // Refusals: unavailable after close(), exhausted when too many wait. What the engine refuses
  // comes with the answer's first piece.
  Reply<std::unique_ptr<TextAnswer>> submit(TextRequest request);
  // Refuses from now on; what was accepted is still answered.
  void close();
  size_t under_way() const;

 private:
  struct Pending {
    TextRequest request;
    std::shared_ptr<TextAnswer::Shared> answer;
  };
  void work();
  bool step_all(std::deque<Pending> arrived);
  void start(Pending pending);
  void deliver(std::vector<TextResult> results);
  void refuse_all(const Refusal& why);

  const LanguageParts parts_;
  ThreadPool pool_;
  Engine engine_;
  const int context_;
  const size_t max_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Pending> pending_;
  std::map<int64_t, std::shared_ptr<TextAnswer::Shared>>
      answers_;  // of the engine's thread, by request
  size_t under_way_ = 0;
  bool closed_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace edgewright
