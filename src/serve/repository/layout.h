#pragma once

#include <string>
#include <vector>

#include "serve/repository/serving_config.h"

namespace edgewright {

// One model of a repository as its folder says: DIR/NAME/VERSION/model.onnx, .ewplan, .ewlm, .gguf,
// or checker.ewlm, .gguf (serve/draft_checked_model.h).
struct ModelFolder {
  struct Version {
    int64_t number = 0;
    std::string file;
    bool is_language = false;
  };
  std::string name, path;
  ServingConfig config;
  std::vector<Version> versions;  // all that are there, rising
};

// The names of the models in a repository, sorted: folders that do not begin with a dot.
Result<std::vector<std::string>> model_names(const std::string& repository);

// Errors: bad input (no such model, no version, a bad config.pbtxt), with the path.
Result<ModelFolder> read_model_folder(const std::string& repository, const std::string& name);

// The versions that the configuration's policy wants in service, rising.
Result<std::vector<ModelFolder::Version>> chosen_versions(const ModelFolder& folder);

}  // namespace edgewright
