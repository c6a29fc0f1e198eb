#include "api/split_run_privacy.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "split/privacy/noise.h"

namespace edgewright {
namespace {

constexpr size_t kMaxKeyBytes = 4096;

std::vector<float> row_of(const std::vector<std::string>& names, const NamedValues& values) {
  std::vector<float> row;
  for (const std::string& name : names) {
    const auto elements = values.at(name).elements<float>();
    row.insert(row.end(), elements.begin(), elements.end());
  }
  return row;
}

double norm_of(std::span<const float> row) {
  double square = 0;
  for (const float value : row) square += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(square);
}

// Clipped as one, whatever tensors it is in, so that one bound holds for all that is released.
NamedValues noisy(const std::vector<std::string>& names, const NamedValues& values, double clip,
                  double sigma) {
  std::vector<float> row = row_of(names, values);
  clip_norm(row, clip);
  add_noise(row, sigma);
  NamedValues changed = values;
  std::span<const float> rest = row;
  for (const std::string& name : names) {
    Tensor& tensor = changed[name];
    const auto count = static_cast<size_t>(tensor.element_count());
    tensor = Tensor::of<float>(tensor.dims(), rest.first(count));
    rest = rest.subspan(count);
  }
  return changed;
}

Result<PrivacyBudget> budget_of(const SplitRunPrivacy& options) {
  if (std::filesystem::exists(options.budget)) {
    EDGEWRIGHT_ASSIGN(PrivacyBudget budget, PrivacyBudget::open(options.budget));
    if (options.total_epsilon > 0 && options.total_epsilon != budget.bound().epsilon) {
      return usage_error("{} is a budget of epsilon {:g}, not {:g}; leave out total",
                         options.budget, budget.bound().epsilon, options.total_epsilon);
    }
    return budget;
  }
  if (!(options.total_epsilon > 0)) {
    return usage_error("{} does not exist; say with total=EPSILON what a new budget may spend",
                       options.budget);
  }
  return PrivacyBudget::create(options.budget, {options.total_epsilon, options.delta});
}

}  // namespace

Result<RunPrivacy> RunPrivacy::of(const SplitRunPrivacy& options) {
  RunPrivacy privacy;
  privacy.options_ = options;
  if (options.epsilon != 0) {
    EDGEWRIGHT_TRY(analytic_sigma({options.epsilon, options.delta}, 1));
  }
  if (!options.budget.empty()) {
    if (options.epsilon == 0) return usage_error("a budget needs epsilon, which it is spent by");
    EDGEWRIGHT_ASSIGN(privacy.budget_, budget_of(options));
  }
  if (options.sealed.empty() != options.key.empty()) {
    return usage_error("seal and key go together; give both or none");
  }
  if (options.key.empty()) return privacy;
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(options.key, kMaxKeyBytes));
  auto key = parse_seal_key(text);
  if (!key.ok()) return std::move(key).error().at(options.key);
  const bool all = std::ranges::find(options.sealed, "all") != options.sealed.end();
  privacy.seal_ = SealedTensors{*key, all ? std::vector<std::string>() : options.sealed};
  return privacy;
}

Status RunPrivacy::check(const RunnableCut& cut) const {
  for (const std::string& name : cut.sent) {
    const DType dtype = cut.sample.at(name).dtype();
    if (dtype == DType::kFloat32) continue;
    if (has_noise() || (has_seal() && seal_->has(name))) {
      return unsupported(
          "'{}' is sent as {} after {}, and only float32 can be sealed or made noisy; cut "
          "elsewhere",
          name, dtype_name(dtype), cut.cut);
    }
  }
  return {};
}

Result<SentNoise> RunPrivacy::noise_for(const RunnableCut& cut,
                                        std::span<const NamedTensors> sent) {
  std::vector<double> norms;
  for (const NamedTensors& values : sent) norms.push_back(norm_of(row_of(cut.sent, values)));
  std::ranges::sort(norms);
  Noise noise;
  noise.clip = options_.clip > 0 ? options_.clip : norms.empty() ? 1 : norms[norms.size() / 2];
  if (!(noise.clip > 0)) noise.clip = 1;
  // Any two inputs are neighbours: after clipping they are at most two bounds apart.
  EDGEWRIGHT_ASSIGN(noise.sigma,
                    analytic_sigma({options_.epsilon, options_.delta}, 2 * noise.clip));
  noise_[cut.cut] = noise;
  return SentNoise([names = cut.sent, noise](const NamedTensors& values) -> Result<NamedTensors> {
    return noisy(names, values, noise.clip, noise.sigma);
  });
}

Result<NamedValues> RunPrivacy::guard(const RunnableCut& cut, const NamedValues& values) {
  const Noise& noise = noise_.at(cut.cut);
  if (budget_) EDGEWRIGHT_TRY(budget_->spend(noise.sigma, 2 * noise.clip));
  loss_.add(noise.sigma, 2 * noise.clip);
  last_sigma_ = noise.sigma;
  return noisy(cut.sent, values, noise.clip, noise.sigma);
}

SplitRunPrivacyReport RunPrivacy::report() const {
  SplitRunPrivacyReport report;
  report.sigma = last_sigma_;
  report.releases = loss_.releases;
  report.spent_epsilon = budget_ ? budget_->spent_epsilon()
                                 : composed_epsilon(Accounting::kExact, loss_, options_.delta);
  report.total_epsilon = budget_ ? budget_->bound().epsilon : 0;
  return report;
}

}  // namespace edgewright
