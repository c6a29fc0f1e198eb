#pragma once

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string_view>

#include "graph/node_facts.h"

namespace edgewright {

// What the writers of other runtimes' formats share: tables that say how an operator is written,
// and what their rows ask of a node. `Emitter` is the writer's own.

// One operator of ai.onnx and its form.
template <class Emitter>
struct OperatorRow {
  std::string_view op;
  Status (*emit)(Emitter& emitter, const Node& node);
  bool (*fits)(const Node& node) = nullptr;  // null: always
};

// The row for a node, or null when the tables have no form for it.
template <class Emitter>
const OperatorRow<Emitter>* find_operator_row(
    const Node& node, std::initializer_list<std::span<const OperatorRow<Emitter>>> tables) {
  for (const auto rows : tables) {
    const auto it = std::ranges::find(rows, node.op, &OperatorRow<Emitter>::op);
    if (it == rows.end()) continue;
    return it->fits == nullptr || it->fits(node) ? &*it : nullptr;
  }
  return nullptr;
}

// Writes a node by its row; errors name the node. `format` is the name that people know.
template <class Emitter>
Status emit_by_row(Emitter& emitter, const Node& node, const OperatorRow<Emitter>* row,
                   std::string_view format) {
  const std::string place = fmt::format("node '{}' ({})", node.name, node.op);
  if (row == nullptr) return unsupported("{}: {} has no form for it", place, format);
  Status status = row->emit(emitter, node);
  return status.ok() ? status : Status(std::move(status).error().at(place));
}

}  // namespace edgewright
