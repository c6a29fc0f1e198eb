#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/cut_model.h"
#include "api/wire_accuracy.h"
#include "serve/split_runner.h"

namespace edgewright {

// The device's side of several cuts of one model, all ready to run: the first half of each, its
// second half in case the server fails, and the whole model.
class SplitParts : public DeviceParts {
 public:
  struct Options {
    InputShapes shapes;
    int threads = 1;
    bool fallback = true;  // also second halves and the whole model
  };
  // Bound to the cut's sent values of these samples, adds noise to what is sent of them.
  using NoiseFor =
      std::function<Result<SentNoise>(const RunnableCut& cut, std::span<const NamedTensors> sent)>;
  static Result<std::unique_ptr<SplitParts>> open(const std::string& path, const Options& options);

  const std::vector<std::string>& layers() const { return layers_; }
  // The whole model's inputs.
  const std::vector<std::string>& inputs() const { return inputs_; }
  const std::vector<Dims>& input_dims() const { return input_dims_; }

  // Makes a cut ready and measures it with these inputs; "output": everything here. The cut's
  // number is its place in cuts().
  Status add_cut(const std::string& name, const std::string& server_model,
                 const NamedValues& inputs);
  // The last cut again, with its activations sent in a form that another model of the server takes.
  // `inputs` are samples to measure what that does to the answers; false when fewer than `floor` of
  // the top answers stay, and then it is not added.
  // With noise the floor is not asked for: it is what the noise leaves that is measured.
  Result<bool> add_variant(const SentForm& form, std::shared_ptr<CodedSender> sender,
                           const std::string& server_model, const std::vector<NamedValues>& inputs,
                           double floor);
  // What is measured from now on is measured with this noise, also of the last cut's plain form.
  Status set_noise(const NoiseFor& noise, const std::vector<NamedValues>& inputs);
  // Takes the last cut back, and keeps what was added of its forms.
  void drop_plain();
  // Random values in place of those that would be sent of a sample when the server is only looked
  // at.
  Status hide_samples(uint64_t seed);
  std::vector<RunnableCut>& cuts() { return cuts_; }
  // What the forms of cuts() do to the answers, cut by cut.
  const std::vector<WireAccuracy>& accuracies() const { return accuracies_; }

  Result<NamedValues> run_head(size_t cut, const NamedValues& inputs) override;
  Result<NamedValues> run_rest(size_t cut, const NamedValues& sent) override;

 private:
  struct Part {
    OpenedModel head, rest;  // without a session where a half is empty or not wanted
  };
  Status measure(size_t cut, const NamedValues& inputs);
  // What the last cut sends of the samples.
  Status take_samples(const std::vector<NamedValues>& inputs);
  Result<WireAccuracy> accuracy_of(const SentForm& form);

  Options options_;
  Model model_;
  GraphWork work_;
  std::vector<std::string> layers_, inputs_;
  std::vector<Dims> input_dims_;
  std::vector<Part> parts_;
  std::vector<size_t> part_of_;  // by cut; forms of one share a part
  std::vector<RunnableCut> cuts_;
  std::vector<WireAccuracy> accuracies_;
  std::vector<NamedValues> samples_;  // what the last cut sends of the samples
  SentNoise noise_;                   // of the last cut
};

}  // namespace edgewright
