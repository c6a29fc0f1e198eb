// The ordered pipeline, one table per stage.
#include "passes/passes.h"

namespace edgewright {
namespace {

Stage simplify() {
  return {"simplify",
          {
              {"eliminate_identity", "drop Identity nodes", eliminate_identity},
              {"eliminate_dead", "drop nodes and constants that nothing uses", eliminate_dead},
          }};
}

// Fusions into larger operators (normalisation, attention, activations): before any rewrite that
// reorders arithmetic, which would hide the patterns.
Stage recognise() { return {"recognise", {}}; }

// Fusions into convolutions and matrix products, transposes moved and cancelled.
Stage combine() { return {"combine", {}}; }

// What must come last: forms that only pay when nothing else wants the nodes any more.
Stage finish() { return {"finish", {}}; }

}  // namespace

const std::vector<Stage>& optimisation_stages() {
  static const auto* stages = new std::vector<Stage>{simplify(), recognise(), combine(), finish()};
  return *stages;
}

}  // namespace edgewright
