#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "graph/graph.h"

namespace edgewright {

struct TextOptions {
  // Constants with more elements are printed as hexadecimal bytes, or elided.
  int64_t inline_elements = 16;
  // Large constants as "<N bytes>": for reading; such text cannot be parsed.
  bool elide_large_constants = false;
};

// The readable form of graphs, for logs, tests and patterns. Example:
//
//   graph %main(%x: float32[1,3,32,32]) -> (%y) {
//     %w: float32[2] = {1.0, 2.5}
//     %a: float32[1,8,30,30] = Conv(%x, %w, _) {pads=[0, 0, 0, 0], auto_pad="NOTSET"} "conv1"
//     %y, _: ? = com.microsoft::Odd(%a)
//   }
//
// `_` stands for an omitted input or output, a name with unusual characters is quoted (%"a:0"),
// subgraphs are attributes. print(parse(print(g))) has the bytes of print(g).
std::string print(const Graph& graph, const TextOptions& options = {});
// With the line `model {...}` in front.
std::string print(const Model& model, const TextOptions& options = {});

// kBadInput with line and column when the text is malformed or names an unknown value.
Result<std::unique_ptr<Graph>> parse_graph(std::string_view text);
// Text without a `model` line gives a model with defaults.
Result<Model> parse_model(std::string_view text);

}  // namespace edgewright
