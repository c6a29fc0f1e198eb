#pragma once

#include <map>

#include "api/open_backend.h"
#include "verify/compare.h"

namespace edgewright {

// A backend session as one side of a comparison.
class BackendSubject : public Subject {
 public:
  explicit BackendSubject(OpenedModel session) : session_(std::move(session)) {}

  std::vector<std::string> output_names() const override {
    std::vector<std::string> names;
    for (const auto& port : session_->outputs()) names.push_back(port.name);
    return names;
  }
  Result<std::vector<Datum>> run(const std::vector<Datum>& inputs,
                                 const Observer& observer) override {
    return session_->run(inputs, observer);
  }

 private:
  OpenedModel session_;
};

// One engine where every inner value is watched, a quicker one for the other samples.
class WatchedSubject : public Subject {
 public:
  WatchedSubject(Subject& watched, Subject& unwatched) : watched_(watched), unwatched_(unwatched) {}

  std::vector<std::string> output_names() const override { return watched_.output_names(); }
  Result<std::vector<Datum>> run(const std::vector<Datum>& inputs,
                                 const Observer& observer) override {
    return (observer ? watched_ : unwatched_).run(inputs, observer);
  }

 private:
  Subject& watched_;
  Subject& unwatched_;
};

// Outputs that were recorded before: one array per value, samples along the first axis. Every run
// gives the next sample, whatever the inputs; past the last one it fails.
class RecordedSubject : public Subject {
 public:
  // `outputs`: names of the model's outputs, in order; each must be among the arrays, and all
  // arrays must have the same number of samples.
  static Result<RecordedSubject> create(std::map<std::string, Tensor> arrays,
                                        std::vector<std::string> outputs);
  int64_t samples() const { return samples_; }
  std::vector<std::string> output_names() const override { return outputs_; }
  Result<std::vector<Datum>> run(const std::vector<Datum>& inputs,
                                 const Observer& observer) override;

 private:
  RecordedSubject() = default;
  std::map<std::string, Tensor> arrays_;
  std::vector<std::string> outputs_;
  int64_t samples_ = 0, next_ = 0;
};

// Sample `index` of an array whose first axis is samples; that axis is kept, with length 1, where
// `keep_axis`.
Result<Tensor> slice_sample(const Tensor& array, int64_t index, bool keep_axis);

}  // namespace edgewright
