#pragma once

#include <set>
#include <string>

#include "quantize/layer.h"
#include "quantize/scheme.h"

namespace edgewright {

// Rounds the weights of MatMul and Gemm to int8 with a scale per column, and their inputs to uint8
// with a scale that every run finds anew: DynamicQuantizeLinear, MatMulInteger, and the scales
// multiplied back. No samples are needed. Types must be inferred again. Returns the layers.
std::set<std::string> insert_dynamic_int8(Graph& graph, const Scheme& scheme,
                                          const std::set<std::string>& excluded);

}  // namespace edgewright
