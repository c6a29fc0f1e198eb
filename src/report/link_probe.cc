#include "edgewright/serve.h"
#include "report/document.h"

namespace edgewright {
namespace {

Json figure_json(const ProbedFigure& figure) {
  return {{"value", figure.value}, {"low", figure.low}, {"high", figure.high}};
}

}  // namespace

std::string to_json(const LinkProbeReport& report) {
  Json json = document("link probe", true, report.warnings);
  json["server"] = report.server;
  json["uplink_mbit_s"] = figure_json(report.uplink_mbit_s);
  json["downlink_mbit_s"] =
      report.downlink_mbit_s ? figure_json(*report.downlink_mbit_s) : Json(nullptr);
  json["round_trip_ms"] = figure_json(report.round_trip_ms);
  json["small_bytes"] = report.small_bytes;
  json["large_bytes"] = report.large_bytes;
  json["exchanges"] = report.exchanges;
  json["files"] = report.files;
  json["toml"] = report.toml;
  return finish_document(json);
}

}  // namespace edgewright
