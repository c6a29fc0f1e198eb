#pragma once

#include "api/deploy/bundle.h"
#include "device/device.h"
#include "edgewright/convert.h"
#include "edgewright/deploy.h"

namespace edgewright {

// What the stages of a deployment share.
struct Deployment {
  const DeployOptions& options;
  Device device;
  std::string device_text;   // the device as TOML: part of every key that depends on it
  std::string model_digest;  // of all files of the model
  std::string data_digest;   // of DATA; empty without
  Bundle bundle;
  DeployReport report;

  double goal(const std::string& name, double otherwise) const {
    const auto it = options.goals.find(name);
    return it == options.goals.end() ? otherwise : it->second;
  }
  void choose(std::string what, std::string chosen, std::string runner_up, std::string why) {
    report.choices.push_back(
        {std::move(what), std::move(chosen), std::move(runner_up), std::move(why)});
  }
  // Notes what a limit by this name would compare with.
  void reach(const std::string& name, double value) {
    const auto it = options.goals.find(name);
    if (it == options.goals.end()) return;
    report.goals.push_back({name, it->second, value, value <= it->second});
  }
};

// The path of a model that is run on tensors, and of one that is generated with.
Status deploy_network(Deployment& deployment);
Status deploy_language_model(Deployment& deployment);

// What every conversion of a deployment is told.
ConvertOptions convert_options(const DeployOptions& options);

// Writes the chosen model for the runtimes that the device has, or that --to names; what a runtime
// cannot take becomes a warning with the reason. `inputs` are all that the model depends on.
Status add_exports(Deployment& deployment, const std::string& chosen,
                   const std::vector<std::string>& inputs);

// What a packed language model is held against wherever it goes: a text, and its perplexity there.
inline constexpr const char* kProofText = "proof/text.txt";
inline constexpr int kProofWindow = 32;  // tokens

// Makes the closing files: run.sh, measurements.json, report.html, manifest.json.
Status finish_bundle(Deployment& deployment, const std::string& main_model);

}  // namespace edgewright
