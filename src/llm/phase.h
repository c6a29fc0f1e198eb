#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "llm/stage_cpus.h"

namespace edgewright {

// What an engine is doing, for whoever chooses its cores and frequencies.
struct EnginePhase {
  enum class Kind : uint8_t { kIdle, kPrefill, kDecode };
  Kind kind = Kind::kIdle;
  int batch = 0;       // decode: sequences computed together
  int tokens = 0;      // prefill: of prompts in this step
  double context = 0;  // decode: tokens before, on average
  // Whether a governor would choose alike: contexts count by the 256 tokens.
  bool alike(const EnginePhase& other) const;
};
// "idle", "prefill TOKENS" or "decode BATCH CONTEXT": what `power govern --hint-file` reads.
std::string phase_text(const EnginePhase& phase);

// Tells a file of every change, in place and without waiting for a disk. A reader may find half a
// line, which it has to leave. The file is made when it is not there; kBadInput when it cannot be.
Result<std::function<void(const EnginePhase&)>> phase_file(const std::string& path);

// What a governor lets an engine do.
struct EngineAdvice {
  int batch = 0;    // sequences computed together; 0: as many as the engine is set to
  double duty = 1;  // share of the time that it may compute, from 0.05
  int threads = 0;  // to compute with; 0, or more than it has: all
  // Prompt tokens that memory leaves time for in one pass with decoding; 0: prompts have passes of
  // their own. None: as the engine is set to.
  std::optional<int> beside;
  std::optional<StageCpus> stages;  // of a pipeline of layers; none: as the engine is set to
};
// "batch N duty SHARE threads T beside N stages CPUS/CPUS", in any order and each optional;
// kBadInput for anything else.
Result<EngineAdvice> parse_advice(const std::string& text);
// Reads a file that a governor writes, at most twenty times a second. What cannot be read leaves
// the last advice as it is.
std::function<EngineAdvice()> advice_file(const std::string& path);

}  // namespace edgewright
