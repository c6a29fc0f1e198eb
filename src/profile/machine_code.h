#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace edgewright {

// What the instructions of a loop are.
struct LoopCode {
  uint64_t address = 0;
  int instructions = 0;
  int vector_instructions = 0;  // that touch vector registers
  int arithmetic_vectors = 0;   // of them: those that multiply or add
  int vector_bits = 0;          // of the widest register
  int loads = 0, stores = 0;    // operands in memory
  // Instructions over the longest chain of them that wait for one another, within one round.
  double parallelism = 0;
};

// Looks at the bytes from an instruction on, of which at least one lies in a loop: decodes forward
// to the jump back, then the loop from its start. `bytes` begins at `address`; bytes before it are
// asked for by `before(count)`, which gives those right in front (fewer where there are none).
// Absent when no jump back comes within 4 KiB.
std::optional<LoopCode> loop_around(
    uint64_t address, std::span<const std::byte> bytes,
    const std::function<std::span<const std::byte>(size_t)>& before);

// Runs `work` for about `seconds` of this thread's processor time and notes where the program
// counter stands at every tick. kUnsupported where the system has no such timers.
Result<std::vector<uint64_t>> sample_addresses(const std::function<void()>& work, double seconds);

// The loop in which most samples lie, and the share of them that does. Reads the program's own
// memory, code made at run time included.
struct HotLoop {
  LoopCode code;
  double share = 0;
  size_t samples = 0;
};
Result<HotLoop> hot_loop(const std::vector<uint64_t>& samples);

}  // namespace edgewright
