#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/progress.h"
#include "base/result.h"

namespace edgewright {

// A type for every layer, as an index; 0 is the original.
using Assignment = std::vector<uint8_t>;

// What a search may ask. `cost` is cheap (a model made of measurements), `judge` runs the model.
struct MixedProblem {
  size_t layers = 0;
  size_t types = 2;
  std::function<double(const Assignment&)> cost;
  struct Verdict {
    double error = 0;
    bool allowed = false;  // within the constraint
  };
  std::function<Result<Verdict>(const Assignment&)> judge;
  // Squared error that a layer adds when only it has a type, [layer * types + type]; 0 for type 0.
  // The errors of layers are taken to be independent, so that squares add up.
  std::vector<double> sensitivity;
};

struct MixedOptions {
  uint64_t seed = 0;
  size_t judgements = 40;             // how often the model may be run at most
  std::function<bool()> out_of_time;  // empty: never
  // Judges every assignment after the search, however many judgements that takes; for models of few
  // layers.
  bool exhaustive = false;
  Progress progress;
};

struct MixedPoint {
  Assignment assignment;
  double cost = 0, error = 0;
  bool allowed = false;
};

struct MixedResult {
  std::vector<MixedPoint> judged;  // in the order of judgement
  std::vector<size_t> front;       // judged points that no other beats in both, by rising cost
  size_t chosen = 0;               // the cheapest allowed point
  // What the search itself had found, and whether every other assignment was judged after it.
  size_t found = 0;
  bool proved = false;
  size_t knee = 0;  // of the front: farthest from the line between its ends
};

// Spaces of at most so many assignments can be looked through whole.
inline constexpr size_t kSmallSpace = 4096;

// Looks for the cheapest assignment that is allowed: first greedily (from the cheapest assignment
// type by type back to the original, worst error for its gain first, with a binary search along
// that path),
// then by evolution on the added-up errors, judging the most promising. The original is judged too
// and must be allowed. Same seed, same result, unless time runs out. kUsage where an exhaustive
// search is asked for and there are more than kSmallSpace assignments.
Result<MixedResult> search_mixed(const MixedProblem& problem, const MixedOptions& options);

// Indices of the points that no other point beats in cost and error, by rising cost.
std::vector<size_t> pareto_front(const std::vector<MixedPoint>& points);
// The point of the front farthest from the straight line between its first and last point, both
// axes scaled to [0, 1]; the first where there are less than three.
size_t knee_of(const std::vector<MixedPoint>& points, const std::vector<size_t>& front);

}  // namespace edgewright
