#include "report/document.h"

namespace edgewright {

Json outputs_json(const std::vector<RunOutput>& outputs) {
  Json list = Json::array();
  for (const RunOutput& output : outputs) {
    list.push_back({{"name", output.name},
                    {"dtype", output.dtype},
                    {"shape", output.shape},
                    {"file", output.file}});
  }
  return list;
}

std::string run_to_json(const std::vector<RunOutput>& outputs, const std::string& backend,
                        const std::vector<std::string>& warnings) {
  Json json = document("run", true, warnings);
  json["backend"] = backend;
  json["outputs"] = outputs_json(outputs);
  return finish_document(json);
}

}  // namespace edgewright
