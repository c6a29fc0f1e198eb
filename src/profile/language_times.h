#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "llm/decoder.h"
#include "profile/language_parts.h"

namespace edgewright {

struct LanguageTimeOptions {
  int prompt_tokens = 64, new_tokens = 16;
  double seconds = 2;  // for all requests together; at least `min_pairs` pairs are made
  int min_pairs = 4, max_pairs = 1000;
  uint64_t seed = 0;
  Progress progress;
};

// When a part of a call ran; microseconds since the request began.
struct PartTime {
  std::string_view part;
  int layer = -1;
  double start_us = 0, time_us = 0;
};
struct CallTimes {
  LanguageCall call;
  double start_us = 0, time_us = 0;
  std::vector<PartTime> parts;
};

// A request: the prompt in one call, then one call a token, the likeliest each time. Requests whose
// parts are timed alternate with ones of which only the calls are; of each call and kind the
// quieter half is averaged, and times of requests are the sums of their calls. What reading the
// clock adds to each part is taken off, as for the steps of graphs.
struct LanguageTimes {
  std::vector<CallTimes> calls;  // of the requests whose parts are timed
  std::vector<float> wall_samples_us;
  double wall_us = 0, wall_spread = 0, profiled_wall_us = 0, first_us = 0;
  int pairs = 0;
};
// kUsage when the request does not fit the cache.
Result<LanguageTimes> measure_language(Decoder& decoder, KvCache& cache,
                                       const LanguageTimeOptions& options);

// One more request, for those who listen otherwise (PoolTrace); the same calls.
Result<std::vector<CallTimes>> timed_request(Decoder& decoder, KvCache& cache,
                                             const LanguageTimeOptions& options);

}  // namespace edgewright
