#include "split/privacy/accountant.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/file.h"
#include "base/json.h"

namespace edgewright {
namespace {

constexpr std::pair<Accounting, std::string_view> kNames[] = {
    {Accounting::kExact, "exact"}, {Accounting::kRdp, "rdp"}, {Accounting::kZcdp, "zcdp"}};
constexpr size_t kMaxFileBytes = 65536;

// epsilon(a) = a r / 2 + ln((a - 1) / a) - (ln delta + ln a) / (a - 1), r the squared ratio. It
// falls and then rises in a, so the least lies inside a ternary search; orders as usual from just
// above 1.
double rdp_epsilon(double squared_ratio, double delta) {
  const auto epsilon = [&](double order) {
    return order * squared_ratio / 2 + std::log1p(-1 / order) -
           (std::log(delta) + std::log(order)) / (order - 1);
  };
  // In the logarithm of order - 1.
  double low = std::log(1e-6), high = std::log(1e9);
  for (int step = 0; step < 300; ++step) {
    const double a = low + (high - low) / 3, b = high - (high - low) / 3;
    (epsilon(1 + std::exp(a)) < epsilon(1 + std::exp(b)) ? high : low) =
        epsilon(1 + std::exp(a)) < epsilon(1 + std::exp(b)) ? b : a;
  }
  return std::max(0.0, epsilon(1 + std::exp(0.5 * (low + high))));
}

}  // namespace

std::string_view accounting_name(Accounting accounting) {
  return std::ranges::find(kNames, accounting, [](const auto& row) { return row.first; })->second;
}

void PrivacyLoss::add(double sigma, double sensitivity, int64_t count) {
  const double ratio = sensitivity / sigma;
  squared_ratio += ratio * ratio * static_cast<double>(count);
  releases += count;
}

double composed_epsilon(Accounting accounting, const PrivacyLoss& loss, double delta) {
  if (loss.squared_ratio == 0) return 0;
  if (accounting == Accounting::kExact) {
    return gaussian_epsilon(1, std::sqrt(loss.squared_ratio), delta);
  }
  if (accounting == Accounting::kRdp) return rdp_epsilon(loss.squared_ratio, delta);
  const double rho = loss.squared_ratio / 2;
  return rho + 2 * std::sqrt(rho * std::log(1 / delta));
}

Result<std::vector<double>> allocate_noise(PrivacyBound bound,
                                           const std::vector<double>& sensitivities,
                                           const std::vector<double>& weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  const bool positive = std::ranges::all_of(weights, [](double weight) { return weight > 0; });
  if (weights.size() != sensitivities.size() || weights.empty() || !positive) {
    return usage_error("found {} weights for {} layers, expected one above 0 for each",
                       weights.size(), sensitivities.size());
  }
  EDGEWRIGHT_ASSIGN(const double unit_sigma, analytic_sigma(bound, 1));
  std::vector<double> sigmas;
  sigmas.reserve(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    sigmas.push_back(sensitivities[i] * unit_sigma / std::sqrt(weights[i] / total));
  }
  return sigmas;
}

Result<PrivacyBudget> PrivacyBudget::create(const std::string& path, PrivacyBound bound,
                                            Accounting accounting) {
  EDGEWRIGHT_TRY(analytic_sigma(bound, 1));
  if (std::filesystem::exists(path)) {
    return usage_error("{} exists; a budget is not begun again over an older one", path);
  }
  PrivacyBudget budget;
  budget.path_ = path;
  budget.bound_ = bound;
  budget.accounting_ = accounting;
  return budget;
}

Result<PrivacyBudget> PrivacyBudget::open(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path, kMaxFileBytes));
  const Json json = Json::parse(text, nullptr, false);
  PrivacyBudget budget;
  budget.path_ = path;
  const auto number = [&json](const char* key) {
    const auto it = json.is_object() ? json.find(key) : json.end();
    return it != json.end() && it->is_number() ? it->get<double>() : -1.0;
  };
  budget.bound_ = {number("epsilon"), number("delta")};
  budget.loss_ = {number("squared_ratio"), static_cast<int64_t>(number("releases"))};
  const auto mode = json.is_object() ? json.find("accounting") : json.end();
  const auto* name = std::ranges::find_if(kNames, [&](const auto& row) {
    return json.is_object() && mode != json.end() && *mode == row.second;
  });
  if (!analytic_sigma(budget.bound_, 1).ok() || !(budget.loss_.squared_ratio >= 0) ||
      budget.loss_.releases < 0 || name == std::end(kNames)) {
    return bad_input(
        "{}: found no privacy budget, expected epsilon, delta, accounting, "
        "squared_ratio and releases; without it nothing can be released",
        path);
  }
  budget.accounting_ = name->first;
  return budget;
}

Status PrivacyBudget::spend(double sigma, double sensitivity) {
  if (!(sigma > 0) || !(sensitivity > 0)) {
    return usage_error("found sigma {} and sensitivity {}, expected both above 0", sigma,
                       sensitivity);
  }
  PrivacyLoss next = loss_;
  next.add(sigma, sensitivity);
  const double epsilon = composed_epsilon(accounting_, next, bound_.delta);
  if (epsilon > bound_.epsilon) {
    return check_failed(
        "the privacy budget is spent: {} releases used epsilon {:.4f} of {:.4f} at "
        "delta {:g}, one more would make it {:.4f}; nothing was released",
        loss_.releases, spent_epsilon(), bound_.epsilon, bound_.delta, epsilon);
  }
  EDGEWRIGHT_TRY(save(next));
  loss_ = next;
  return {};
}

double PrivacyBudget::spent_epsilon() const {
  return composed_epsilon(accounting_, loss_, bound_.delta);
}

int64_t PrivacyBudget::releases_left(double sigma, double sensitivity) const {
  const auto fits = [&](int64_t count) {
    PrivacyLoss next = loss_;
    next.add(sigma, sensitivity, count);
    return composed_epsilon(accounting_, next, bound_.delta) <= bound_.epsilon;
  };
  int64_t low = 0, high = 1;
  while (fits(high) && high < (int64_t{1} << 40)) high *= 2;
  while (low + 1 < high) {
    const int64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

Status PrivacyBudget::save(const PrivacyLoss& loss) const {
  Json json;
  json["epsilon"] = bound_.epsilon;
  json["delta"] = bound_.delta;
  json["accounting"] = accounting_name(accounting_);
  json["squared_ratio"] = loss.squared_ratio;
  json["releases"] = loss.releases;
  return write_file(path_, json.dump(2) + "\n");
}

}  // namespace edgewright
