#pragma once

#include <string_view>

namespace edgewright {

// The three ways to compute GELU(x) = x/2 (1 + erf(x / sqrt 2)) with what a target has (Hendrycks
// and Gimpel 2016, "Gaussian error linear units"):
//   erf      the definition
//   tanh     x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
//   sigmoid  x / (1 + exp(-1.702 x))
enum class GeluForm : unsigned char { kErf, kTanh, kSigmoid };
std::string_view gelu_form_name(GeluForm form);
double gelu(GeluForm form, double x);

// The largest |form(x) - GELU(x)| for x from `low` to `high`.
double gelu_error(GeluForm form, double low, double high);

// The cheapest form (sigmoid, then tanh) whose error over the observed range stays within
// `max_error`; the exact one where none does.
GeluForm choose_gelu_form(double low, double high, double max_error);

}  // namespace edgewright
