#include "kernels/contrib/activation.h"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace edgewright::reference {
namespace {

double relu(double x, double, double) { return x > 0 ? x : x != x ? x : 0; }
double tanh_of(double x, double, double) { return std::tanh(x); }
double sigmoid(double x, double, double) { return 1 / (1 + std::exp(-x)); }
double affine(double x, double alpha, double beta) { return alpha * x + beta; }
double leaky_relu(double x, double alpha, double) { return x >= 0 ? x : alpha * x; }
double thresholded_relu(double x, double alpha, double) { return x >= alpha ? x : 0; }
double scaled_tanh(double x, double alpha, double beta) { return alpha * std::tanh(beta * x); }
double hard_sigmoid(double x, double alpha, double beta) {
  return std::clamp(alpha * x + beta, 0.0, 1.0);
}
double elu(double x, double alpha, double) { return x >= 0 ? x : alpha * std::expm1(x); }
double softsign(double x, double, double) { return x / (1 + std::fabs(x)); }
double softplus(double x, double, double) { return std::log1p(std::exp(x)); }
double clip(double x, double low, double high) { return std::min(std::max(x, low), high); }

struct Named {
  std::string_view name;
  Activation activation;
};
constexpr Named kNamed[] = {
    {"relu", {relu}},
    {"tanh", {tanh_of}},
    {"sigmoid", {sigmoid}},
    {"affine", {affine, 1, 0, 2}},
    {"leakyrelu", {leaky_relu, 0.01, 0, 1}},
    {"thresholdedrelu", {thresholded_relu, 1, 0, 1}},
    {"scaledtanh", {scaled_tanh, 1, 1, 2}},
    {"hardsigmoid", {hard_sigmoid, 0.2, 0.5, 2}},
    {"elu", {elu, 1, 0, 1}},
    {"softsign", {softsign}},
    {"softplus", {softplus}},
    {"clip", {clip, -3.4028234663852886e38, 3.4028234663852886e38, 2}},
};

}  // namespace

Result<Activation> activation_named(const OpCall& call, std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  for (const Named& named : kNamed) {
    if (named.name == lower) return named.activation;
  }
  return bad_input("{} names the activation '{}', which is none of those it may have", call.op,
                   name);
}

Result<Activation> fused_activation(const OpCall& call) {
  const std::string name = call.attributes->get_string("activation", "");
  if (name.empty()) return Activation();
  EDGEWRIGHT_ASSIGN(Activation activation, activation_named(call, name));
  const std::vector<float> parameters = call.attributes->get_floats("activation_params");
  if (!parameters.empty()) activation.alpha = parameters[0];
  if (parameters.size() > 1) activation.beta = parameters[1];
  for (const auto& [key, value] : {std::pair("activation_alpha", &activation.alpha),
                                   std::pair("activation_beta", &activation.beta)}) {
    if (call.attributes->contains(key)) *value = call.attributes->get_float(key, 0);
  }
  return activation;
}

}  // namespace edgewright::reference
