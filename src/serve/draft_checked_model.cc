#include "serve/draft_checked_model.h"

#include <chrono>

#include "base/thread_pool.h"
#include "llm/draft_check.h"
#include "serve/remote_speculation.h"

namespace edgewright {
namespace {

class DraftCheckedModel : public ServedModel {
 public:
  DraftCheckedModel(const LanguageParts& parts, int threads)
      : pool_(threads), checker_(parts.model, pool_, parts.model->config.context) {}

  const std::vector<ServedPort>& inputs() const override { return inputs_; }
  const std::vector<ServedPort>& outputs() const override { return outputs_; }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    std::vector<oip::NamedTensor> named;
    named.reserve(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      named.push_back({inputs_.at(i).name, inputs[i], {}, false});
    }
    EDGEWRIGHT_ASSIGN(const DraftQuestion question, decode_question(named));
    auto checked = checker_.check(question);
    // What is wrong with a question is its sender's doing.
    if (!checked.ok()) return bad_input("{}", checked.error().message);
    const std::vector<int32_t> chosen(checked->begin(), checked->end());
    const double time_us = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    return std::vector<Tensor>{Tensor::of<int32_t>({std::ssize(chosen)}, chosen),
                               Tensor::of<double>({1}, std::vector<double>{time_us})};
  }

 private:
  ThreadPool pool_;
  DraftChecker checker_;
  std::vector<ServedPort> inputs_ = {
      {"tokens", DType::kInt32, false, {-1}},    {"prompt", DType::kInt32, false, {1}},
      {"drafted", DType::kInt32, false, {1}},    {"more", DType::kInt32, false, {1}},
      {"sampling", DType::kFloat32, false, {5}}, {"seed", DType::kUint64, false, {1}}};
  std::vector<ServedPort> outputs_ = {{"chosen", DType::kInt32, false, {-1}},
                                      {"time_us", DType::kFloat64, false, {1}}};
};

}  // namespace

Result<std::unique_ptr<ServedModel>> draft_checked_model(const LanguageParts& parts, int threads) {
  if (parts.model->config.context < 2) {
    return unsupported("the model's context is {}, expected at least 2 tokens",
                       parts.model->config.context);
  }
  return std::unique_ptr<ServedModel>(std::make_unique<DraftCheckedModel>(parts, threads));
}

}  // namespace edgewright
