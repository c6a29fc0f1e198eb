#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace edgewright {

// A graph whose operations run on an accelerator or on the CPU beside it.
struct PlacementProblem {
  static constexpr double kImpossible = -1;
  struct Node {
    double accelerator_us = 0, cpu_us = 0;  // kImpossible: cannot run there
  };
  // A value that crosses once each way, however many read it there.
  struct Tensor {
    size_t producer = 0;            // kOutside: an input of the model, which lies with the CPU
    std::vector<size_t> consumers;  // kOutside: an output of the model
    double transfer_us = 0;         // copying, alignment and synchronisation
    double size_bytes = 0;
  };
  static constexpr size_t kOutside = ~size_t{0};
  std::vector<Node> nodes;
  std::vector<Tensor> tensors;
};

struct PlacementResult {
  bool possible = true;      // false: some node runs nowhere
  std::vector<bool> on_cpu;  // by node
  double total_us = 0;       // nodes and transfers
  double transfer_us = 0;
  double bytes_moved = 0;
  int64_t transitions = 0;  // values that cross, counted once each way
};

// The placement of least total time, exactly: a minimum cut in which every value has a vertex for
// its way to the accelerator and one for its way back, so that several readers pay once.
PlacementResult place(const PlacementProblem& problem);
// What a given placement costs.
PlacementResult cost_of(const PlacementProblem& problem, std::vector<bool> on_cpu);

}  // namespace edgewright
