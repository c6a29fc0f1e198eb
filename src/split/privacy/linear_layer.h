#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// A layer that is a fixed matrix times elements of its input, at every position, plus a bias:
//   y[row][position] = bias[row] + sum over columns of weights[row][column] x[place],
// place = places[column][position], an element of the flat input, or the input's size for a zero
// (padding). MatMul and Gemm have one column for each element of a row of the input, convolutions
// one for each element under the kernel.
struct LinearLayer {
  std::string name;           // of the node, or where it has none of its value
  std::string input, output;  // values
  Dims input_dims, output_dims;
  size_t rows = 0, columns = 0, positions = 0;
  std::vector<float> weights, bias;  // rows x columns, rows
  std::vector<int64_t> places;       // columns x positions
  bool has_zeros = false;            // some place is the zero
  bool rows_last = false;            // the output is positions x rows

  size_t input_size() const;
  size_t result_size() const { return rows * positions; }
};

// kUnsupported, with the reason, when a node is not one: constant float32 weights, known shapes,
// no groups, batch 1 of convolutions, and at most 2^26 multiply-adds.
Result<LinearLayer> linear_layer(const Node& node);
// The nodes of a graph that are, in order.
std::vector<const Node*> linear_nodes(const Graph& graph);
// The node's name, or its value's.
const std::string& layer_name(const Node& node);

}  // namespace edgewright
