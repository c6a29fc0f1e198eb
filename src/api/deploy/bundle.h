#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "edgewright/deploy.h"

namespace edgewright {

// The folder that `deploy` writes. A stage is a pure function of its key: what it makes (files and
// a JSON result) is kept under that key, and used again as long as key and files are unchanged.
class Bundle {
 public:
  static Result<Bundle> create(const std::string& folder);

  struct Outcome {
    Json result;
    std::vector<std::string> files;  // relative to the bundle
  };
  using Work = std::function<Result<Outcome>()>;
  // Runs `work`, or takes what an earlier run kept. `inputs` are all that the result depends on.
  Result<Json> stage(const std::string& name, const std::vector<std::string>& inputs,
                     const Work& work);

  std::string path(const std::string& relative) const { return folder_ + "/" + relative; }
  // Writes a file of the bundle whole or not at all.
  Status write(const std::string& relative, std::string_view text);
  // Size and hash; a file is read once, and again only when this run has written it since.
  Result<BundleFile> describe(const std::string& relative);
  // All files below a folder of the bundle, relative to the bundle and sorted.
  std::vector<std::string> files_below(const std::string& relative) const;
  // Deletes what killed runs left beside the files to keep, and what only an earlier manifest of
  // this folder names. Files that no run of ours made stay.
  void remove_leftovers(const std::vector<std::string>& keep) const;

  const std::vector<DeployStage>& stages() const { return stages_; }
  // Files of all stages so far, sorted.
  const std::vector<std::string>& files() const { return files_; }

 private:
  explicit Bundle(std::string folder) : folder_(std::move(folder)) {}
  Result<Json> kept(const std::string& name, const std::string& key);
  void add_files(const Json& record);

  std::string folder_;
  std::vector<DeployStage> stages_;
  std::vector<std::string> files_;
  std::map<std::string, BundleFile> described_;
};

}  // namespace edgewright
