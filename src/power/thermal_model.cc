#include "power/thermal_model.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

// Inverse by Gauss-Jordan elimination with pivoting; networks have some tens of nodes.
std::vector<double> inverse(std::vector<double> matrix, size_t n) {
  std::vector<double> out(n * n);
  for (size_t i = 0; i < n; ++i) out[i * n + i] = 1;
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < n; ++row) {
      if (std::fabs(matrix[row * n + column]) > std::fabs(matrix[pivot * n + column])) pivot = row;
    }
    for (size_t k = 0; k < n; ++k) {
      std::swap(matrix[pivot * n + k], matrix[column * n + k]);
      std::swap(out[pivot * n + k], out[column * n + k]);
    }
    const double scale = 1 / matrix[column * n + column];
    for (size_t k = 0; k < n; ++k) matrix[column * n + k] *= scale, out[column * n + k] *= scale;
    for (size_t row = 0; row < n; ++row) {
      const double factor = row == column ? 0 : matrix[row * n + column];
      if (factor == 0) continue;
      for (size_t k = 0; k < n; ++k) {
        matrix[row * n + k] -= factor * matrix[column * n + k];
        out[row * n + k] -= factor * out[column * n + k];
      }
    }
  }
  return out;
}

// Whether every node reaches the ambient over links.
bool all_reach_ambient(const std::vector<double>& conductances,
                       const std::vector<double>& to_ambient) {
  const size_t n = to_ambient.size();
  std::vector<bool> reached(n);
  for (size_t i = 0; i < n; ++i) reached[i] = to_ambient[i] > 0;
  for (size_t round = 0; round < n; ++round) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) {
        if (conductances[i * n + j] < 0 && reached[j]) reached[i] = true;
      }
    }
  }
  return std::ranges::all_of(reached, [](bool value) { return value; });
}

}  // namespace

Error thermal_runaway(double temperature_c) {
  return check_failed(
      "thermal runaway: leakage grows faster than heat leaves, {:.0f} C and rising; "
      "lower the power or the ambient temperature",
      temperature_c);
}

Result<ThermalModel> ThermalModel::create(const ThermalNetwork& network) {
  ThermalModel model;
  if (network.nodes.empty()) {
    return bad_input("the device has no thermal network; add [thermal_network] to its file");
  }
  for (const ThermalNode& node : network.nodes) {
    model.names_.push_back(node.name);
    model.capacities_.push_back(node.capacity_j_per_k);
  }
  const size_t n = model.size();
  model.conductances_.assign(n * n, 0);
  model.to_ambient_.assign(n, 0);
  for (const ThermalLink& link : network.links) {
    const bool out = link.from == "ambient" || link.to == "ambient";
    EDGEWRIGHT_ASSIGN(const size_t a, model.node(link.from == "ambient" ? link.to : link.from));
    const double g = link.conductance_w_per_k;
    model.conductances_[a * n + a] += g;
    if (out) {
      model.to_ambient_[a] += g;
      continue;
    }
    EDGEWRIGHT_ASSIGN(const size_t b, model.node(link.to));
    model.conductances_[b * n + b] += g;
    model.conductances_[a * n + b] -= g;
    model.conductances_[b * n + a] -= g;
  }
  if (!all_reach_ambient(model.conductances_, model.to_ambient_)) {
    return bad_input("a node of the thermal network has no way to 'ambient'; add a link");
  }
  model.steady_inverse_ = inverse(model.conductances_, n);
  model.scratch_.resize(n);
  return model;
}

Result<size_t> ThermalModel::node(const std::string& name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) return bad_input("the thermal network has no node '{}'", name);
  return static_cast<size_t>(found - names_.begin());
}

std::vector<double> ThermalModel::steady_state(std::span<const double> power_w,
                                               double ambient_c) const {
  const size_t n = size();
  std::vector<double> temperatures(n, ambient_c);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) temperatures[i] += steady_inverse_[i * n + j] * power_w[j];
  }
  return temperatures;
}

void ThermalModel::step(std::span<double> temperatures_c, std::span<const double> power_w,
                        double ambient_c, double step_s) {
  const size_t n = size();
  auto& factor = step_inverses_[step_s];
  if (factor.empty()) {
    std::vector<double> matrix = conductances_;
    for (size_t i = 0; i < n; ++i) matrix[i * n + i] += capacities_[i] / step_s;
    factor = inverse(std::move(matrix), n);
  }
  for (size_t i = 0; i < n; ++i) {
    scratch_[i] = capacities_[i] / step_s * (temperatures_c[i] - ambient_c) + power_w[i];
  }
  given_off_j_ = 0;
  for (size_t i = 0; i < n; ++i) {
    double above = 0;
    for (size_t j = 0; j < n; ++j) above += factor[i * n + j] * scratch_[j];
    temperatures_c[i] = ambient_c + above;
    given_off_j_ += to_ambient_[i] * above * step_s;
  }
}

double ThermalModel::stored_j(std::span<const double> temperatures_c) const {
  double sum = 0;
  for (size_t i = 0; i < size(); ++i) sum += capacities_[i] * temperatures_c[i];
  return sum;
}

}  // namespace edgewright
