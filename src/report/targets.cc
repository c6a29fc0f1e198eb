#include "edgewright/deploy.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const TargetReport& report) {
  Json json = document("targets-check", report.passed, report.warnings);
  json["target"] = fmt::format("{}@{}", report.framework, report.version);
  json["hardware"] = report.hardware;
  Json placement = Json::object(), nodes = Json::array();
  for (const NodePlacement& node : report.nodes) {
    placement[node.node] = node.placement;
    nodes.push_back({{"node", node.node},
                     {"op", node.op},
                     {"placement", node.placement},
                     {"time_us", number(node.time_us)},
                     {"reason", node.reason},
                     {"advice", node.advice}});
  }
  json["placement"] = std::move(placement);
  json["nodes"] = std::move(nodes);
  json["counts"] = report.counts;
  json["transitions"] = report.transitions;
  json["bytes_moved"] = report.bytes_moved;
  json["predicted_us"] = number(report.predicted_us);
  json["unconstrained_us"] = number(report.unconstrained_us);
  json["max_opset"] = report.opset;
  json["assumptions"] = report.assumptions;
  if (report.fixed) {
    json["fixed"] = {{"file", report.fixed->path},
                     {"counts", report.fixed->counts},
                     {"transitions", report.fixed->transitions},
                     {"predicted_us", number(report.fixed->predicted_us)},
                     {"changes", report.fixed->changes},
                     {"relative_l2", number(report.fixed->relative_l2)}};
  }
  return finish_document(json);
}

}  // namespace edgewright
