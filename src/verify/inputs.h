#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tensor/datum.h"

namespace edgewright {

// What inputs look like. Integers and bools are affected by zeros, ones and constant only.
enum class InputKind : uint8_t {
  kRandom,  // standard normal
  kZeros,
  kOnes,
  kConstant,           // one half everywhere
  kSparse,             // nine of ten are zero
  kHuge,               // 10,000 times standard normal
  kTiny,               // denormal in float32
  kNegative,           // minus the absolute value of standard normal
  kOutOfDistribution,  // uniform from -20 to 20
  kInfinity,           // standard normal with one infinite element
  kNan,                // standard normal with one NaN
};
inline constexpr InputKind kBoundaryKinds[] = {
    InputKind::kZeros,    InputKind::kOnes, InputKind::kConstant, InputKind::kSparse,
    InputKind::kHuge,     InputKind::kTiny, InputKind::kNegative, InputKind::kOutOfDistribution,
    InputKind::kInfinity, InputKind::kNan};
// Runtimes may differ on what becomes of infinities and NaN (the maximum of NaN and 0, say), so
// those kinds are reported and do not fail a comparison.
constexpr bool is_finite_kind(InputKind kind) { return kind < InputKind::kInfinity; }
std::string_view input_kind_name(InputKind kind);

struct InputOptions {
  InputKind kind = InputKind::kRandom;
  uint64_t seed = 0;
  int64_t symbol_size = 1;             // of dimensions that nobody fixes
  uint64_t integers = 4;               // integers are below this; a power of two
  std::map<std::string, Dims> shapes;  // by input name
};

// Inputs for a graph, the same for the same options: reals from a standard normal distribution,
// small integers from 0 on (valid indices nearly everywhere), bools by coin. One symbol has one
// size throughout, and --shape of one input fixes the symbols of the others. Fails for an input
// whose type is unknown.
Result<std::vector<Datum>> make_inputs(const Graph& graph, const InputOptions& options);

}  // namespace edgewright
