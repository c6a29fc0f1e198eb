#pragma once

#include <memory>
#include <string>
#include <vector>

#include "serve/batching/lane.h"
#include "serve/language/text_service.h"
#include "serve/protocol/message.h"
#include "serve/repository/layout.h"
#include "serve/service/statistics.h"

namespace edgewright {

// Who asks, and by when an answer is of use.
struct Caller {
  std::string client;
  ServeClock::time_point deadline;
  std::string
      routing_key;  // the same key sees the same version during a rollout; empty: the client
};

struct VersionOptions {
  int threads = 1;
  // Where the model's configuration says nothing.
  size_t max_queue = 256;
  int instances = 1;
};

// One version of a model in service. Thread-safe once opened.
class ModelVersion {
 public:
  static Result<std::shared_ptr<ModelVersion>> open(const ModelFolder& folder,
                                                    const ModelFolder::Version& version,
                                                    const ModelOpener& opener,
                                                    const VersionOptions& options);

  const std::string& name() const { return config_.name; }
  int64_t number() const { return number_; }
  const ServingConfig& config() const { return config_; }
  const std::vector<ServedPort>& inputs() const { return inputs_; }
  const std::vector<ServedPort>& outputs() const { return outputs_; }
  oip::ModelMetadata metadata() const;               // versions: this one
  TextService* text() const { return text_.get(); }  // null for models of tensors
  ModelStatistics& statistics() { return statistics_; }
  size_t waiting() const;

  // The tensors of a request in the model's order, checked against its inputs.
  Reply<std::vector<Tensor>> inputs_of(oip::InferRequest& request) const;
  // Counts in the statistics what comes of it. `energy`: what it cost, for an order that wants it.
  Reply<std::vector<Tensor>> run(LaneOrder order, RequestEnergy* energy = nullptr);
  // What its requests of tensors were charged with since it was opened.
  double energy_j() const { return lane_ ? lane_->energy_j() : 0; }
  // The outputs that a request wants, in the form in which it wants them.
  Reply<oip::InferResponse> response(const oip::InferRequest& request,
                                     const std::vector<Tensor>& outputs) const;
  // Refuses from now on; what waits is still answered.
  void close();

 private:
  ModelVersion() = default;
  Status open_tensors(const ModelFolder::Version& version, const ModelOpener& opener,
                      const VersionOptions& options);
  Status open_language(const ModelFolder::Version& version, const ModelOpener& opener,
                       const VersionOptions& options);

  ServingConfig config_;
  int64_t number_ = 0;
  std::string platform_;
  std::vector<ServedPort> inputs_, outputs_;
  std::unique_ptr<Lane> lane_;
  std::unique_ptr<TextService> text_;
  ModelStatistics statistics_;
};

// The largest `classes` values of each row as "VALUE:INDEX" texts (the protocol's classification
// extension); of the whole tensor where `by_row` is false.
Result<Tensor> classify(const Tensor& scores, int64_t classes, bool by_row);

}  // namespace edgewright
