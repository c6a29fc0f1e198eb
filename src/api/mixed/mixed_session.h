#pragma once

#include "api/open_backend.h"

namespace edgewright {

// Parts of a model in several engines, run one after the other: each takes what earlier ones made,
// and the model's inputs, by name.
class MixedSession : public BackendSession {
 public:
  // kUnsupported when an output of the model is made by none of the parts.
  static Result<std::unique_ptr<MixedSession>> create(std::vector<Session::Port> inputs,
                                                      std::vector<Session::Port> outputs,
                                                      std::vector<OpenedModel> parts);

  const std::vector<Session::Port>& inputs() const override { return inputs_; }
  const std::vector<Session::Port>& outputs() const override { return outputs_; }
  const SessionFigures& figures() const override { return figures_; }
  Result<std::vector<Datum>> run(std::span<const Datum> inputs,
                                 const ValueObserver& observer) override;

  // Runs again and again for about so long, at least three times; gives the median time of every
  // part in its place, taking over what others made included.
  Result<std::vector<double>> time_parts(std::span<const Datum> inputs, double budget_us);

  size_t part_count() const { return parts_.size(); }
  // What the part takes in the run that was last, in its order.
  std::vector<Datum> part_inputs(size_t part) const;
  BackendSession& part(size_t part) { return *parts_[part].model.session; }
  // Bytes that all parts but the first take from others.
  double bytes_moved() const;

 private:
  struct Part {
    OpenedModel model;
    std::vector<size_t> inputs, outputs;  // places in values_
  };
  MixedSession() = default;
  Status link(std::vector<OpenedModel> parts);
  Status run_part(size_t part, const ValueObserver& observer);

  std::vector<Session::Port> inputs_, outputs_;
  std::vector<Part> parts_;
  std::vector<Datum> values_;  // the model's inputs, then what the parts make
  std::vector<size_t> output_places_;
  SessionFigures figures_;
};

}  // namespace edgewright
