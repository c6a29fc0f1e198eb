// Optimiser steps of ai.onnx.preview.training: inputs are R, T, then all tensors, all gradients and
// the optimiser's states, grouped; outputs are the new tensors and states in the same groups.
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/operand.h"

namespace edgewright {
namespace {

using namespace reference;

struct Rates {
  double rate = 0;   // R
  int64_t step = 0;  // T: updates before this one
};

// Calls update(values, state a, state b) for every element of every tensor.
template <class T, class F>
Status update_tensors(OpCall& call, size_t states, F update) {
  const size_t groups = states + 2;
  if (call.inputs.size() < 2 + groups || (call.inputs.size() - 2) % groups != 0 ||
      call.output_count != (call.inputs.size() - 2) / groups * (states + 1)) {
    return bad_input("{} has {} inputs and {} outputs", call.op, call.inputs.size(),
                     call.output_count);
  }
  const size_t tensors = (call.inputs.size() - 2) / groups;
  for (size_t i = 0; i < tensors; ++i) {
    EDGEWRIGHT_ASSIGN(const Operand<T> gradient, operand<T>(call, 2 + tensors + i));
    Computed<T> made[3];
    for (size_t g = 0; g <= states; ++g) {
      // Group 1 holds the gradients, which have no output.
      EDGEWRIGHT_ASSIGN(const Operand<T> old,
                        operand<T>(call, 2 + (g == 0 ? 0 : g + 1) * tensors + i));
      EDGEWRIGHT_TRY(expect_dims(call, "a tensor or state", *old.tensor, gradient.dims()));
      EDGEWRIGHT_ASSIGN(made[g], computed<T>(call, g * tensors + i, old.dtype(), old.dims()));
      std::copy_n(old.data, old.count(), made[g].data);
    }
    T unused = 0;
    for (int64_t j = 0; j < gradient.count(); ++j) {
      update(made[0][j], gradient[j], made[1][j], states > 1 ? made[2][j] : unused);
    }
    for (size_t g = 0; g <= states; ++g) EDGEWRIGHT_TRY(made[g].finish());
  }
  return {};
}

Result<Rates> read_rates(OpCall& call) {
  Rates rates;
  EDGEWRIGHT_ASSIGN(rates.rate, scalar_operand<double>(call, 0));
  EDGEWRIGHT_ASSIGN(rates.step, scalar_operand<int64_t>(call, 1));
  return rates;
}

template <class T>
Status adagrad(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Rates rates, read_rates(call));
  const double norm = call.attributes->get_float("norm_coefficient", 0);
  const double epsilon = call.attributes->get_float("epsilon", 1e-6f);
  const double decay = call.attributes->get_float("decay_factor", 0);
  const double rate = rates.rate / (1 + static_cast<double>(rates.step) * decay);
  return update_tensors<T>(call, 1, [=](T& x, T gradient, T& squares, T&) {
    const double g = norm * x + gradient;
    const double sum = squares + g * g;
    squares = static_cast<T>(sum);
    x = static_cast<T>(x - rate * g / (std::sqrt(sum) + epsilon));
  });
}

template <class T>
Status adam(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Rates rates, read_rates(call));
  const double alpha = call.attributes->get_float("alpha", 0.9f);
  const double beta = call.attributes->get_float("beta", 0.999f);
  const double norm = call.attributes->get_float("norm_coefficient", 0);
  const double norm_post = call.attributes->get_float("norm_coefficient_post", 0);
  const double epsilon = call.attributes->get_float("epsilon", 1e-6f);
  const auto step = static_cast<double>(rates.step);
  const double rate = rates.step > 0 ? rates.rate * std::sqrt(1 - std::pow(beta, step)) /
                                           (1 - std::pow(alpha, step))
                                     : rates.rate;
  return update_tensors<T>(call, 2, [=](T& x, T gradient, T& mean, T& squares) {
    const double g = norm * x + gradient;
    const double moved_mean = alpha * mean + (1 - alpha) * g;
    const double moved_squares = beta * squares + (1 - beta) * g * g;
    const double moved = x - rate * moved_mean / (std::sqrt(moved_squares) + epsilon);
    mean = static_cast<T>(moved_mean);
    squares = static_cast<T>(moved_squares);
    x = static_cast<T>((1 - norm_post) * moved);
  });
}

template <class T>
Status momentum(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Rates rates, read_rates(call));
  const double alpha = call.attributes->get_float("alpha", 0);
  const double norm = call.attributes->get_float("norm_coefficient", 0);
  const std::string mode = call.attributes->get_string("mode", "");
  if (mode != "standard" && mode != "nesterov") {
    return bad_input("{} has mode '{}', expected standard or nesterov", call.op, mode);
  }
  const double beta = rates.step > 0 ? call.attributes->get_float("beta", 0) : 1;
  return update_tensors<T>(call, 1, [=](T& x, T gradient, T& velocity, T&) {
    const double g = norm * x + gradient;
    const double moved = alpha * velocity + beta * g;
    velocity = static_cast<T>(moved);
    x = static_cast<T>(x - rates.rate * (mode == "nesterov" ? g + alpha * moved : moved));
  });
}

// The type is that of the tensors, not of R.
template <ReferenceFunction in_float, ReferenceFunction in_double>
Status by_tensor_type(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(2));
  if (!is_real(x->dtype())) return bad_input("{} of {}", call.op, dtype_name(x->dtype()));
  return x->dtype() == DType::kFloat64 ? in_double(call) : in_float(call);
}

constexpr std::string_view kDomain = "ai.onnx.preview.training";
constexpr ReferenceKernel kKernels[] = {
    {kDomain, "Adagrad", by_tensor_type<adagrad<float>, adagrad<double>>},
    {kDomain, "Adam", by_tensor_type<adam<float>, adam<double>>},
    {kDomain, "Momentum", by_tensor_type<momentum<float>, momentum<double>>},
};

}  // namespace

std::span<const ReferenceKernel> training_reference_kernels() { return kKernels; }

}  // namespace edgewright
