#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// A run of nodes in a graph's order, from node `first` to before node `end`.
struct Block {
  size_t first = 0, end = 0;
};

// What a run of nodes reads of nodes before it, and what others read of it.
struct BlockPorts {
  std::vector<std::string> takes, gives;
};

// A graph cut at its narrow places, where few tensors of known shape go on: at most `most` blocks
// of about the same work each.
std::vector<Block> blocks_of(const Graph& graph, size_t most);

BlockPorts ports_of(const Graph& graph, const Block& block);
// The name of a node, or of its first output where it has none.
std::string node_label(const Graph& graph, size_t index);

}  // namespace edgewright
