#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serve/service/model_version.h"

namespace edgewright {

// A row of the repository's index. States as the protocol names them: READY, UNAVAILABLE.
struct IndexRow {
  std::string name, version, state, reason;
};

// The models of a repository and which of their versions are in service. Thread-safe; opening a
// model keeps nobody from asking others.
class Catalogue {
 public:
  Catalogue(std::string repository, ModelOpener opener, VersionOptions options)
      : repository_(std::move(repository)), opener_(std::move(opener)), options_(options) {}

  // Opens every model; one that cannot be opened stays in the index with the reason.
  Status load_all();
  // Opens a model anew, as its folder is now. The versions before stay in service until then, and
  // for good when it fails.
  Status load(const std::string& name);
  Reply<bool> unload(const std::string& name);

  // Without a version: the one in service.
  Reply<std::shared_ptr<ModelVersion>> find(const std::string& name,
                                            const std::string& version) const;
  // Opens one more version, whatever the policy says.
  Result<std::shared_ptr<ModelVersion>> add_version(const std::string& name, int64_t number);
  // Which version answers from now on where none is asked for.
  void set_service(const std::string& name, int64_t number);

  std::vector<IndexRow> index(bool ready_only) const;
  std::vector<std::string> versions(const std::string& name) const;  // in service, rising
  std::vector<std::shared_ptr<ModelVersion>> all() const;
  std::vector<std::string> warnings() const;
  const std::string& repository() const { return repository_; }

 private:
  using Versions = std::map<int64_t, std::shared_ptr<ModelVersion>>;
  struct Entry {
    Versions versions;
    int64_t service = 0;
    std::vector<IndexRow> failed;
    std::vector<std::string> warnings;
  };
  Result<Entry> open_entry(const std::string& name) const;

  const std::string repository_;
  const ModelOpener opener_;
  const VersionOptions options_;
  std::mutex load_mutex_;  // one load at a time
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace edgewright
