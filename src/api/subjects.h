#pragma once

#include <functional>
#include <map>

#include "api/open_backend.h"
#include "graph/graph.h"
#include "runtime/plan.h"
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

// Bytes that stand for real numbers, (byte - zero) * scale, and the name of the value that was
// rounded to them.
struct RoundedValue {
  std::string real;
  double scale = 1;
  int64_t zero = 0;
};
using RoundedValues = std::map<std::string, RoundedValue>;  // by the name of the bytes
// What QuantizeLinear of one scale makes in a graph, and what the integer steps of a plan make: a
// plan holds no value before its rounding, but the names of bytes say what they were made of.
RoundedValues rounded_values(const Graph& graph);
RoundedValues rounded_values(const Plan& plan);

// Shows, beside bytes, the real numbers that they stand for under the name of the rounded value,
// where the subject does not show that value itself: so an integer layer is compared with its
// original.
class RealValuesSubject : public Subject {
 public:
  RealValuesSubject(std::unique_ptr<Subject> subject, RoundedValues rounded)
      : subject_(std::move(subject)), rounded_(std::move(rounded)) {}

  std::vector<std::string> output_names() const override { return subject_->output_names(); }
  Result<std::vector<Datum>> run(const std::vector<Datum>& inputs,
                                 const Observer& observer) override;

 private:
  std::unique_ptr<Subject> subject_;
  RoundedValues rounded_;
};

// A runtime that gives outputs only. Where layers are watched a second session computes them, with
// the inner values of the graph as further outputs; where that cannot be opened there are no
// layers.
class ShownValuesSubject : public Subject {
 public:
  using Open = std::function<Result<std::unique_ptr<Subject>>(const Graph& graph)>;
  ShownValuesSubject(std::unique_ptr<Subject> plain, std::unique_ptr<Graph> graph, Open open)
      : plain_(std::move(plain)), graph_(std::move(graph)), open_(std::move(open)) {}

  std::vector<std::string> output_names() const override { return plain_->output_names(); }
  Result<std::vector<Datum>> run(const std::vector<Datum>& inputs,
                                 const Observer& observer) override;

 private:
  void open_shown();

  std::unique_ptr<Subject> plain_, shown_;
  std::unique_ptr<Graph> graph_;  // given up once `shown_` was asked for
  Open open_;
};

// Sample `index` of an array whose first axis is samples; that axis is kept, with length 1, where
// `keep_axis`.
Result<Tensor> slice_sample(const Tensor& array, int64_t index, bool keep_axis);

}  // namespace edgewright
