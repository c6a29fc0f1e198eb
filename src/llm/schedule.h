#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace edgewright {

// What the scheduler of concurrent requests knows of one: plain values, in order of arrival.
struct ScheduledRequest {
  enum class State : uint8_t { kWaiting, kPrefill, kDecode };
  int64_t id = 0;
  State state = State::kWaiting;
  int to_compute = 0;      // prompt tokens that are not in its cache yet
  int pages_reserved = 0;  // of the cache, of those that have been admitted
  int pages_wanted = 0;    // for its whole length
  // Beyond the batch: only its prompt is computed, beside decoding, until a place is free.
  bool ahead = false;
  // Admitted while prompts were computed beside decoding: rounded as decoding is, so that the
  // result does not depend on which of its pieces were.
  bool beside = false;
  int in_flight = 0;  // pieces of it that a pipeline computes now
};

struct ScheduleLimits {
  int max_running = 16;      // requests that are computed at a time
  int max_waiting = 256;     // a longer queue refuses
  int prefill_tokens = 512;  // prompt tokens of one step, so that decoding goes on between
  // Prompt tokens that are computed in one pass with decoding, where anything decodes, and for
  // which one request more may be admitted; 0: prompts have passes of their own.
  int beside_tokens = 0;
  int total_pages = 0;
};

struct ScheduleState {
  ScheduleLimits limits;
  std::vector<ScheduledRequest> requests;
  int64_t turn = 0;  // whose prompt is first in the next step
};

// One step: who is admitted (they are computed from this step on), whose prompts go on by how many
// tokens, and who decodes.
struct StepPlan {
  struct Chunk {
    int64_t id;
    int tokens;
  };
  std::vector<int64_t> admitted;
  std::vector<int64_t> ahead;   // of them, those beyond the batch
  std::vector<int64_t> placed;  // were ahead and have a place from now on
  std::vector<Chunk> prefill;
  std::vector<Chunk> beside;  // in the pass of `decode`
  std::vector<int64_t> decode;

  bool empty() const { return prefill.empty() && decode.empty(); }
};

// Requests are admitted in order of arrival while places and pages last: no later one overtakes, so
// none starves. Prompt tokens are dealt out evenly among the prompts under way, beginning with
// another one in every step; those beside decoding in order of arrival.
StepPlan plan_step(const ScheduleState& state);

// Every rule that a state breaks; empty for a sound one.
std::vector<std::string> validate(const ScheduleState& state);

}  // namespace edgewright
