#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "split/privacy/gaussian.h"

namespace edgewright {

// How the losses of several releases are added up. All are valid; they differ in how tight they
// are.
enum class Accounting : uint8_t {
  kExact,  // Gaussian differential privacy: k releases of noise s are one of noise s / sqrt(k)
           // (Dong, Roth and Su, JRSS B 2022, corollary 3.3), turned into epsilon exactly
  kRdp,    // Renyi orders, converted by Canonne, Kamath and Steinke, NeurIPS 2020, proposition 12
  kZcdp,   // rho-zCDP (Bun and Steinke, TCC 2016): epsilon = rho + 2 sqrt(rho ln(1 / delta))
};
std::string_view accounting_name(Accounting accounting);

// Releases of Gaussian noise so far, as the sum of (sensitivity / sigma)^2: all that any of the
// three needs.
struct PrivacyLoss {
  double squared_ratio = 0;
  int64_t releases = 0;

  void add(double sigma, double sensitivity, int64_t count = 1);
};

// The epsilon that the releases so far keep at this delta; 0 when there are none.
double composed_epsilon(Accounting accounting, const PrivacyLoss& loss, double delta);

// Splits a budget over layers: the noise of each layer, for one release of all of them, so that
// they keep the bound together and every layer's share of the loss is proportional to its weight. A
// layer of weight w gets sigma = sensitivity / (mu sqrt(w / sum)), mu being the whole bound's
// ratio.
Result<std::vector<double>> allocate_noise(PrivacyBound bound,
                                           const std::vector<double>& sensitivities,
                                           const std::vector<double>& weights);

// A budget that is kept in a file and ends. Every spending is on disk before it is granted, so that
// a crash loses budget and never gains any.
class PrivacyBudget {
 public:
  // A new budget; nothing is written until the first spending.
  static Result<PrivacyBudget> create(const std::string& path, PrivacyBound bound,
                                      Accounting accounting = Accounting::kExact);
  // kBadInput when the file is malformed.
  static Result<PrivacyBudget> open(const std::string& path);

  // kCheckFailed, with what is left, when the release would exceed the bound; nothing is spent
  // then.
  Status spend(double sigma, double sensitivity);
  double spent_epsilon() const;
  // How many more such releases there are room for.
  int64_t releases_left(double sigma, double sensitivity) const;
  PrivacyBound bound() const { return bound_; }
  const PrivacyLoss& loss() const { return loss_; }

 private:
  Status save(const PrivacyLoss& loss) const;
  std::string path_;
  PrivacyBound bound_;
  Accounting accounting_ = Accounting::kExact;
  PrivacyLoss loss_;
};

}  // namespace edgewright
