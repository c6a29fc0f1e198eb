#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "split/offload/policy.h"

namespace edgewright {
namespace {

// Regularised least squares with forgetting; the inverse is kept up to date by the formula of
// Sherman and Morrison.
struct LinearModel {
  std::vector<double> inverse;  // of the features' weighted second moments
  std::vector<double> moments;  // of features and costs
  double noise = 0;             // mean squared error of predictions, forgetting too
  int64_t observations = 0;

  explicit LinearModel(size_t features = 0) : inverse(features * features), moments(features) {
    // A weak belief in zero: one observation outweighs it.
    constexpr double kPriorVariance = 1e4;
    for (size_t i = 0; i < features; ++i) inverse[i * features + i] = kPriorVariance;
  }
  size_t size() const { return moments.size(); }

  std::vector<double> times_inverse(const std::vector<double>& x) const {
    std::vector<double> result(size(), 0);
    for (size_t i = 0; i < size(); ++i) {
      for (size_t j = 0; j < size(); ++j) result[i] += inverse[i * size() + j] * x[j];
    }
    return result;
  }
  double predict(const std::vector<double>& x) const {
    const auto theta = times_inverse(moments);
    double sum = 0;
    for (size_t i = 0; i < size(); ++i) sum += theta[i] * x[i];
    return sum;
  }
  double variance(const std::vector<double>& x) const {
    const auto product = times_inverse(x);
    double sum = 0;
    for (size_t i = 0; i < size(); ++i) sum += product[i] * x[i];
    return std::max(0.0, sum);
  }

  void learn(const std::vector<double>& x, double cost, double forgetting) {
    const double error = cost - predict(x);
    const double share = std::max(forgetting, 1.0 / static_cast<double>(++observations));
    // The first prediction is of nothing, so its error says nothing.
    if (observations > static_cast<int64_t>(size())) noise += share * (error * error - noise);
    // Forgetting divides the moments, so it multiplies the inverse; the prior bounds its growth.
    constexpr double kLargest = 1e4;
    const double keep = 1 - forgetting;
    double largest = 0;
    for (size_t i = 0; i < size(); ++i) largest = std::max(largest, inverse[i * size() + i]);
    if (largest / keep < kLargest) {
      for (double& value : inverse) value /= keep;
      for (double& value : moments) value *= keep;
    }
    const auto product = times_inverse(x);
    double denominator = 1;
    for (size_t i = 0; i < size(); ++i) denominator += x[i] * product[i];
    for (size_t i = 0; i < size(); ++i) {
      for (size_t j = 0; j < size(); ++j) {
        inverse[i * size() + j] -= product[i] * product[j] / denominator;
      }
      moments[i] += x[i] * cost;
    }
  }
};

bool is_zero(const std::vector<double>& x) {
  return std::ranges::all_of(x, [](double value) { return value == 0; });
}

class LinUcb : public OffloadPolicy {
 public:
  LinUcb(size_t actions, size_t features, const LinUcbOptions& options)
      : options_(options),
        models_(actions, LinearModel(features)),
        waited_(actions, 0),
        wait_(actions, options.forced_period),
        expected_best_(actions, 0),
        forced_(actions, 0) {}

  std::string_view name() const override { return "lin-ucb"; }

  size_t choose(const OffloadContext& context) override {
    size_t best = 0;
    double best_cost = 0, greedy_cost = 0;
    for (size_t action = 0; action < models_.size(); ++action) {
      const auto& x = context.features[action];
      const double expected = context.known_cost[action] + models_[action].predict(x);
      const double hope = is_zero(x) ? 0 : options_.optimism * error_of(action, x);
      if (action == 0 || expected - hope < best_cost) {
        best = action;
        best_cost = expected - hope;
      }
      greedy_cost = action == 0 ? expected : std::min(greedy_cost, expected);
    }
    bool is_forced = false;
    for (size_t action = 0; action < models_.size(); ++action) {
      if (waited_[action] > waited_[best] && must_try(context, action)) {
        best = action;
        is_forced = true;
      }
    }
    // What it costs may be known only after others have been chosen.
    for (int64_t& waited : waited_) ++waited;
    waited_[best] = 0;
    expected_best_[best] = std::max(0.0, greedy_cost);
    forced_[best] = is_forced ? 1 : 0;
    return best;
  }

  void learn(const OffloadContext& context, size_t action, double cost) override {
    const auto& x = context.features[action];
    if (!is_zero(x)) {
      models_[action].learn(x, cost - context.known_cost[action], options_.forgetting);
    }
    total_cost_ += cost;
    if (forced_[action] == 0) return;
    forced_[action] = 0;
    explored_cost_ += std::max(0.0, cost - expected_best_[action]);
    const bool lost = cost > expected_best_[action];
    wait_[action] = lost ? std::min<int64_t>(2 * wait_[action], 16 * options_.forced_period)
                         : options_.forced_period;
  }

  void observe(const OffloadContext& context, size_t action, double cost) override {
    const auto& x = context.features[action];
    if (is_zero(x)) return;
    models_[action].learn(x, cost - context.known_cost[action], options_.forgetting);
    waited_[action] = 0;
  }

  std::string save() const override {
    Json json;
    json["policy"] = name();
    json["total_cost"] = total_cost_;
    json["explored_cost"] = explored_cost_;
    json["waited"] = waited_;
    json["wait"] = wait_;
    for (const LinearModel& model : models_) {
      json["models"].push_back({{"inverse", model.inverse},
                                {"moments", model.moments},
                                {"noise", model.noise},
                                {"observations", model.observations}});
    }
    return json.dump(2) + "\n";
  }

  Status load(std::string_view text) override {
    const Json json = Json::parse(text, nullptr, false);
    LinUcb loaded = *this;
    if (!read(json, loaded)) {
      return bad_input("found no state of a lin-ucb policy with {} actions and {} features",
                       models_.size(), models_.empty() ? 0 : models_[0].size());
    }
    *this = std::move(loaded);
    return {};
  }

 private:
  double error_of(size_t action, const std::vector<double>& x) const {
    const LinearModel& model = models_[action];
    // Before anything is known every action is worth a try.
    const double noise =
        model.observations > static_cast<int64_t>(model.size()) ? model.noise : 1e6;
    return std::sqrt(model.variance(x) * noise);
  }
  bool must_try(const OffloadContext& context, size_t action) const {
    return options_.forced_period > 0 && !is_zero(context.features[action]) &&
           waited_[action] >= wait_[action] &&
           explored_cost_ <= options_.exploration_share * total_cost_;
  }

  static bool numbers(const Json& json, const char* key, size_t count, std::vector<double>& into) {
    const auto it = json.find(key);
    if (it == json.end() || !it->is_array() || it->size() != count) return false;
    into.clear();
    for (const Json& value : *it) {
      if (!value.is_number()) return false;
      into.push_back(value.get<double>());
    }
    return true;
  }
  static bool number(const Json& json, const char* key, double& into) {
    const auto it = json.find(key);
    if (it == json.end() || !it->is_number()) return false;
    into = it->get<double>();
    return std::isfinite(into);
  }
  static bool read(const Json& json, LinUcb& into) {
    if (!is_state_of("lin-ucb", json)) return false;
    const size_t actions = into.models_.size();
    std::vector<double> waited, wait;
    const auto models = json.find("models");
    if (!number(json, "total_cost", into.total_cost_) ||
        !number(json, "explored_cost", into.explored_cost_) ||
        !numbers(json, "waited", actions, waited) || !numbers(json, "wait", actions, wait) ||
        models == json.end() || !models->is_array() || models->size() != actions) {
      return false;
    }
    for (size_t action = 0; action < actions; ++action) {
      LinearModel& model = into.models_[action];
      double observations = 0;
      const Json& state = (*models)[action];
      if (!state.is_object() || !numbers(state, "inverse", model.inverse.size(), model.inverse) ||
          !numbers(state, "moments", model.moments.size(), model.moments) ||
          !number(state, "noise", model.noise) || !number(state, "observations", observations)) {
        return false;
      }
      model.observations = static_cast<int64_t>(observations);
      into.waited_[action] = static_cast<int64_t>(waited[action]);
      into.wait_[action] = static_cast<int64_t>(wait[action]);
    }
    return true;
  }

  LinUcbOptions options_;
  std::vector<LinearModel> models_;
  std::vector<int64_t> waited_, wait_;  // requests since an action's last, and until its next trial
  double total_cost_ = 0, explored_cost_ = 0;
  // By action, of its last choice that has not been learned from: what the greedy choice was
  // expected to cost, and whether it was a forced trial.
  std::vector<double> expected_best_;
  std::vector<uint8_t> forced_;
};

}  // namespace

std::unique_ptr<OffloadPolicy> make_lin_ucb(size_t actions, size_t features,
                                            const LinUcbOptions& options) {
  return std::make_unique<LinUcb>(actions, features, options);
}

}  // namespace edgewright
