#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "split/offload/policy.h"

namespace edgewright {
namespace {

constexpr size_t kHidden = 16, kReplay = 512, kBatch = 16;
constexpr double kRate = 0.01;

// Predicts one number from features: linear, rectified, linear. Requests do not influence each
// other, so that a value network has nothing to bootstrap: its target is the cost itself.
class Network {
 public:
  Network(size_t inputs, std::mt19937_64& random) : inputs_(inputs), weights_(count(inputs)) {
    std::normal_distribution<double> normal(0, 1 / std::sqrt(static_cast<double>(inputs)));
    for (double& weight : weights_) weight = normal(random);
    first_.assign(weights_.size(), 0);
    second_.assign(weights_.size(), 0);
  }

  static size_t count(size_t inputs) { return kHidden * (inputs + 1) + kHidden + 1; }
  std::vector<double>& weights() { return weights_; }
  const std::vector<double>& weights() const { return weights_; }

  double predict(const std::vector<double>& x, std::vector<double>* hidden = nullptr) const {
    const double* output = &weights_[kHidden * (inputs_ + 1)];
    double sum = output[kHidden];
    for (size_t unit = 0; unit < kHidden; ++unit) {
      const double* row = &weights_[unit * (inputs_ + 1)];
      double value = row[inputs_];
      for (size_t i = 0; i < inputs_; ++i) value += row[i] * x[i];
      value = std::max(0.0, value);
      if (hidden != nullptr) hidden->push_back(value);
      sum += output[unit] * value;
    }
    return sum;
  }

  // Adds the gradient of half the squared error.
  void add_gradient(const std::vector<double>& x, double target,
                    std::vector<double>& gradient) const {
    std::vector<double> hidden;
    const double error = std::clamp(predict(x, &hidden) - target, -1.0, 1.0);  // Huber's loss
    const size_t output = kHidden * (inputs_ + 1);
    gradient[output + kHidden] += error;
    for (size_t unit = 0; unit < kHidden; ++unit) {
      gradient[output + unit] += error * hidden[unit];
      if (hidden[unit] == 0) continue;
      const double back = error * weights_[output + unit];
      for (size_t i = 0; i < inputs_; ++i) gradient[unit * (inputs_ + 1) + i] += back * x[i];
      gradient[unit * (inputs_ + 1) + inputs_] += back;
    }
  }

  // Adam (Kingma and Ba, ICLR 2015) with its usual constants.
  void step(const std::vector<double>& gradient) {
    ++steps_;
    const double correction1 = 1 - std::pow(0.9, steps_), correction2 = 1 - std::pow(0.999, steps_);
    for (size_t i = 0; i < weights_.size(); ++i) {
      first_[i] = 0.9 * first_[i] + 0.1 * gradient[i];
      second_[i] = 0.999 * second_[i] + 0.001 * gradient[i] * gradient[i];
      weights_[i] -=
          kRate * (first_[i] / correction1) / (std::sqrt(second_[i] / correction2) + 1e-8);
    }
  }

 private:
  size_t inputs_;
  std::vector<double> weights_, first_, second_;
  double steps_ = 0;
};

class Dqn : public OffloadPolicy {
 public:
  Dqn(size_t actions, size_t features, uint64_t seed)
      : actions_(actions),
        features_(features),
        random_(seed),
        network_(actions + features, random_) {}

  std::string_view name() const override { return "dqn"; }

  size_t choose(const OffloadContext& context) override {
    // From one request in two down to one in a hundred.
    const double explore = std::max(0.01, 0.5 * std::exp(-static_cast<double>(seen_) / 120));
    if (std::bernoulli_distribution(explore)(random_)) {
      return std::uniform_int_distribution<size_t>(0, actions_ - 1)(random_);
    }
    size_t best = 0;
    double best_cost = 0;
    for (size_t action = 0; action < actions_; ++action) {
      const double cost =
          context.known_cost[action] + scale_ * network_.predict(input(context, action));
      if (action > 0 && cost >= best_cost) continue;
      best = action;
      best_cost = cost;
    }
    return best;
  }

  void learn(const OffloadContext& context, size_t action, double cost) override {
    ++seen_;
    // Costs near one train well; the first few say how large they are.
    if (seen_ <= 20) scale_ = std::max({scale_, cost, 1e-9});
    observe(context, action, cost);
    if (replay_.size() < kBatch) return;
    for (int round = 0; round < 2; ++round) {
      std::vector<double> gradient(network_.weights().size(), 0);
      std::uniform_int_distribution<size_t> any(0, replay_.size() - 1);
      for (size_t i = 0; i < kBatch; ++i) {
        const Seen& seen = replay_[any(random_)];
        network_.add_gradient(seen.input, seen.target, gradient);
      }
      for (double& value : gradient) value /= kBatch;
      network_.step(gradient);
    }
  }

  void observe(const OffloadContext& context, size_t action, double cost) override {
    replay_.push_back({input(context, action), (cost - context.known_cost[action]) / scale_});
    if (replay_.size() > kReplay) replay_.erase(replay_.begin());
  }

  std::string save() const override {
    return Json({{"policy", name()},
                 {"seen", seen_},
                 {"scale", scale_},
                 {"weights", network_.weights()}})
               .dump(2) +
           "\n";
  }
  Status load(std::string_view text) override {
    const Json json = Json::parse(text, nullptr, false);
    const bool complete =
        is_state_of("dqn", json) && json.contains("weights") && json["weights"].is_array() &&
        json["weights"].size() == network_.weights().size() && json.contains("seen") &&
        json["seen"].is_number_integer() && json.contains("scale") && json["scale"].is_number() &&
        std::ranges::all_of(json["weights"], [](const Json& value) { return value.is_number(); });
    if (!complete) return bad_input("found no state of a dqn policy of this size");
    for (size_t i = 0; i < network_.weights().size(); ++i) {
      network_.weights()[i] = json["weights"][i].get<double>();
    }
    seen_ = json["seen"].get<int64_t>();
    scale_ = std::max(1e-9, json["scale"].get<double>());
    return {};
  }

 private:
  struct Seen {
    std::vector<double> input;
    double target = 0;
  };
  // Which action, and its features.
  std::vector<double> input(const OffloadContext& context, size_t action) const {
    std::vector<double> x(actions_ + features_, 0);
    x[action] = 1;
    std::ranges::copy(context.features[action], x.begin() + static_cast<std::ptrdiff_t>(actions_));
    return x;
  }

  size_t actions_, features_;
  std::mt19937_64 random_;
  Network network_;
  std::vector<Seen> replay_;
  int64_t seen_ = 0;
  double scale_ = 1;
};

}  // namespace

std::unique_ptr<OffloadPolicy> make_dqn(size_t actions, size_t features, uint64_t seed) {
  return std::make_unique<Dqn>(actions, features, seed);
}

}  // namespace edgewright
