#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "tensor/datum.h"

namespace edgewright {

enum class InputKind : uint8_t { kRandom, kZeros, kOnes, kHuge, kTiny, kNegative };
inline constexpr InputKind kBoundaryKinds[] = {
    InputKind::kZeros, InputKind::kOnes, InputKind::kHuge, InputKind::kTiny, InputKind::kNegative};
std::string_view input_kind_name(InputKind kind);

struct InputOptions {
  InputKind kind = InputKind::kRandom;
  uint64_t seed = 0;
  int64_t symbol_size = 1;             // of dimensions that nobody fixes
  std::map<std::string, Dims> shapes;  // by input name
};

// Inputs for a graph, the same for the same options: reals from a standard normal distribution,
// integers from 0 to 3 (valid indices nearly everywhere), bools by coin. One symbol has one size
// throughout, and --shape of one input fixes the symbols of the others. Fails for an input whose
// type is unknown.
Result<std::vector<Datum>> make_inputs(const Graph& graph, const InputOptions& options);

}  // namespace edgewright
