#include <algorithm>
#include <cmath>
#include <map>

#include "base/json.h"
#include "split/offload/policy.h"

namespace edgewright {
namespace {

class Tabular : public OffloadPolicy {
 public:
  Tabular(size_t actions, uint64_t seed) : actions_(actions), random_(seed) {}

  std::string_view name() const override { return "tabular"; }

  size_t choose(const OffloadContext& context) override {
    const Row& row = rows_.try_emplace(key(context), Row(actions_)).first->second;
    // Random choices become rare as the square root of the visits of this row.
    const double visits = static_cast<double>(row.visits);
    if (std::bernoulli_distribution(0.5 / std::sqrt(1 + visits))(random_)) {
      return std::uniform_int_distribution<size_t>(0, actions_ - 1)(random_);
    }
    return static_cast<size_t>(std::ranges::min_element(row.costs) - row.costs.begin());
  }

  void learn(const OffloadContext& context, size_t action, double cost) override {
    ++rows_.try_emplace(key(context), Row(actions_)).first->second.visits;
    observe(context, action, cost);
  }

  void observe(const OffloadContext& context, size_t action, double cost) override {
    Row& row = rows_.try_emplace(key(context), Row(actions_)).first->second;
    ++row.counts[action];
    // A mean that forgets: the newest tenth counts for ever.
    const double share = std::max(0.1, 1.0 / static_cast<double>(row.counts[action]));
    row.costs[action] += share * (cost - row.costs[action]);
  }

  std::string save() const override {
    Json json;
    json["policy"] = name();
    json["actions"] = actions_;
    json["rows"] = Json::object();
    for (const auto& [key, row] : rows_) {
      json["rows"][key] = {{"visits", row.visits}, {"counts", row.counts}, {"costs", row.costs}};
    }
    return json.dump(2) + "\n";
  }

  Status load(std::string_view text) override {
    const Json json = Json::parse(text, nullptr, false);
    std::map<std::string, Row> rows;
    if (!read(json, rows))
      return bad_input("found no state of a tabular policy with {} actions", actions_);
    rows_ = std::move(rows);
    return {};
  }

 private:
  struct Row {
    explicit Row(size_t actions) : counts(actions, 0), costs(actions, 0) {}
    int64_t visits = 0;
    std::vector<int64_t> counts;
    std::vector<double> costs;  // zero, which is hopeful, until tried
  };

  // Features in steps of a factor of 1.6; all actions' together say where in the world this is.
  static std::string key(const OffloadContext& context) {
    std::string key;
    for (const auto& features : context.features) {
      for (const double value : features) {
        const double bucket = value <= 0 ? -99 : std::floor(std::log(value) / std::log(1.6));
        key += fmt::format("{} ", bucket);
      }
    }
    return key;
  }

  bool read(const Json& json, std::map<std::string, Row>& rows) const {
    // More rows than this no device has seen.
    constexpr size_t kMostRows = 1000000;
    if (!is_state_of("tabular", json) || !json.contains("rows") || !json["rows"].is_object() ||
        json["rows"].size() > kMostRows) {
      return false;
    }
    for (const auto& [key, value] : json["rows"].items()) {
      Row row(actions_);
      const bool complete = value.is_object() && value.contains("counts") &&
                            value.contains("costs") && value["counts"].is_array() &&
                            value["costs"].is_array() && value["counts"].size() == actions_ &&
                            value["costs"].size() == actions_;
      if (!complete) return false;
      for (size_t action = 0; action < actions_; ++action) {
        if (!value["counts"][action].is_number_integer() || !value["costs"][action].is_number()) {
          return false;
        }
        row.counts[action] = value["counts"][action].get<int64_t>();
        row.costs[action] = value["costs"][action].get<double>();
        row.visits += row.counts[action];
      }
      rows.emplace(key, std::move(row));
    }
    return true;
  }

  size_t actions_;
  std::mt19937_64 random_;
  std::map<std::string, Row> rows_;
};

class Fixed : public OffloadPolicy {
 public:
  Fixed(size_t action, std::string name) : action_(action), name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  size_t choose(const OffloadContext&) override { return action_; }
  void learn(const OffloadContext&, size_t, double) override {}
  void observe(const OffloadContext&, size_t, double) override {}
  std::string save() const override { return Json({{"policy", name_}}).dump(2) + "\n"; }
  Status load(std::string_view) override { return {}; }

 private:
  size_t action_;
  std::string name_;
};

}  // namespace

bool is_state_of(std::string_view policy, const Json& json) {
  if (!json.is_object()) return false;
  const auto it = json.find("policy");
  return it != json.end() && it->is_string() && it->get<std::string>() == policy;
}

std::unique_ptr<OffloadPolicy> make_tabular(size_t actions, uint64_t seed) {
  return std::make_unique<Tabular>(actions, seed);
}
std::unique_ptr<OffloadPolicy> make_fixed(size_t action, std::string name) {
  return std::make_unique<Fixed>(action, std::move(name));
}

}  // namespace edgewright
