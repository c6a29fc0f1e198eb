#include "edgewright/serve.h"
#include "report/document.h"
#include "report/energy_figures.h"

namespace edgewright {

std::string to_json(const ServeReport& report) {
  Json json = document("serve", report.passed, report.warnings);
  json["host"] = report.host;
  json["http_port"] = report.http_port;
  json["grpc_port"] = report.grpc_port;
  Json& models = json["models"] = Json::array();
  for (const ServedModelReport& model : report.models) {
    models.push_back({{"name", model.name},
                      {"version", model.version},
                      {"state", model.state},
                      {"reason", model.reason},
                      {"requests", model.requests},
                      {"failures", model.failures}});
  }
  json["answered"] = report.answered;
  json["refused"] = report.refused;
  json["uptime_s"] = report.uptime_s;
  add_energy(report.energy, "energy_mj_per_request", json);
  return finish_document(json);
}

}  // namespace edgewright
