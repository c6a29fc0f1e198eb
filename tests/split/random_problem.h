#pragma once

#include <algorithm>
#include <random>

#include "split/problem.h"

namespace edgewright {

// A random computation of `layers` layers and as many tiers as asked for: layered or tangled, with
// tensors of up to four consumers, results, and now and then free layers and empty tensors.
inline SplitProblem random_problem(uint64_t seed, size_t layers, size_t tiers) {
  std::mt19937_64 random(seed);
  const auto uniform = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  const auto below = [&](size_t end) {
    return std::uniform_int_distribution<size_t>(0, end - 1)(random);
  };
  SplitProblem problem;
  problem.hops.resize(tiers - 1);
  for (SplitHop& hop : problem.hops) {
    hop = {uniform(0.001, 2), uniform(0, 1), uniform(0, 1) < 0.3 ? 0 : uniform(0, 60), 0.01};
  }
  for (size_t i = 0; i < layers; ++i) {
    SplitLayer layer;
    layer.name = "layer" + std::to_string(i);
    double time_us = i == 0 || uniform(0, 1) < 0.1 ? 0 : uniform(0, 40);
    for (size_t tier = 0; tier < tiers; ++tier) {
      layer.time_us.push_back(time_us);
      time_us *= uniform(0.05, 1.1);
    }
    layer.weight_bytes = i == 0 ? 0 : uniform(0, 100);
    if (i + 1 == layers || uniform(0, 1) < 0.05) layer.result_bytes = uniform(0, 20);
    problem.layers.push_back(layer);
  }
  const size_t reach = 1 + below(8);
  for (size_t i = 0; i + 1 < layers; ++i) {
    SplitTensor tensor{
        "tensor" + std::to_string(i), i, {}, uniform(0, 1) < 0.1 ? 0 : uniform(0, 100)};
    for (size_t count = 1 + below(4); count > 0; --count) {
      const size_t consumer = i + 1 + below(std::min(reach, layers - i - 1));
      if (std::find(tensor.consumers.begin(), tensor.consumers.end(), consumer) ==
          tensor.consumers.end()) {
        tensor.consumers.push_back(consumer);
      }
    }
    problem.tensors.push_back(tensor);
  }
  return problem;
}

}  // namespace edgewright
