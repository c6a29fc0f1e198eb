#include "edgewright/deploy.h"
#include "report/document.h"

namespace edgewright {

std::string to_json(const DeployReport& report) {
  Json json = document("deploy", report.passed, report.warnings);
  json["bundle"] = report.bundle;
  json["model"] = report.model;
  json["device"] = report.device;
  json["stages"] = Json::array();
  for (const DeployStage& stage : report.stages) {
    json["stages"].push_back({{"name", stage.name}, {"reused", stage.reused}});
  }
  json["choices"] = Json::array();
  for (const DeployChoice& choice : report.choices) {
    json["choices"].push_back({{"what", choice.what},
                               {"chosen", choice.chosen},
                               {"runner_up", choice.runner_up},
                               {"why", choice.why}});
  }
  json["goals"] = Json::array();
  for (const DeployGoal& goal : report.goals) {
    json["goals"].push_back({{"name", goal.name},
                             {"limit", number(goal.limit)},
                             {"reached", number(goal.reached)},
                             {"passed", goal.passed}});
  }
  json["binding_constraint"] = report.binding_constraint;
  json["files"] = Json::array();
  for (const BundleFile& file : report.files) {
    json["files"].push_back(
        {{"path", file.path}, {"sha256", file.sha256}, {"size_bytes", file.size_bytes}});
  }
  return finish_document(json);
}

}  // namespace edgewright
