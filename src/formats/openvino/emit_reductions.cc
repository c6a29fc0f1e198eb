#include <numeric>

#include "formats/openvino/emit.h"
#include "formats/openvino/names.h"

namespace edgewright::openvino_ir {
namespace {

// No axes: all of them, or none with noop_with_empty_axes.
bool has_axes(const Node& node) {
  if (node.input(1) == nullptr) {
    return has_rank(node.input(0)) && node.attributes.get_int("noop_with_empty_axes", 0) == 0;
  }
  return has_constant(node, 1) && node.constant_input(1)->element_count() > 0;
}

Status emit_reduction(Emitter& emitter, const Node& node) {
  std::vector<int64_t> axes = constant_ints(node, 1);
  if (node.input(1) == nullptr) {
    axes.resize(rank_of(node.input(0)));
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (const NameRow& row : reduction_names()) {
    if (row.op != node.op) continue;
    emitter.finish(node, row.type, row.version, {emitter.input(node, 0), emitter.ints(axes)},
                   {{"keep_dims", flag(node.attributes.get_int("keepdims", 1) != 0)}});
  }
  return {};
}

std::vector<EmitRow> make_rows() {
  std::vector<EmitRow> rows;
  for (const NameRow& row : reduction_names()) rows.push_back({row.op, emit_reduction, has_axes});
  return rows;
}

}  // namespace

std::span<const EmitRow> reduction_rows() {
  static const auto* rows = new std::vector<EmitRow>(make_rows());
  return *rows;
}

}  // namespace edgewright::openvino_ir
