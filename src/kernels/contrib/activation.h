#pragma once

#include "kernels/kernel.h"

namespace edgewright::reference {

// A one-argument function that fused and recurrent operators name, with its two parameters.
struct Activation {
  using Function = double (*)(double x, double alpha, double beta);
  Function function = nullptr;  // null: identity
  double alpha = 0;
  double beta = 0;
  int parameters = 0;  // how many of the two it reads

  double operator()(double x) const { return function == nullptr ? x : function(x, alpha, beta); }
};

// By name without regard to case: Relu, Tanh, Sigmoid, Affine, LeakyRelu, ThresholdedRelu,
// ScaledTanh, HardSigmoid, Elu, Softsign, Softplus, with the defaults of the ONNX specification of
// RNN; kBadInput for others.
Result<Activation> activation_named(const OpCall& call, std::string_view name);
// The attributes `activation` and `activation_params` (FusedConv), or `activation_alpha` and
// `activation_beta` (FusedGemm), of com.microsoft operators.
Result<Activation> fused_activation(const OpCall& call);

}  // namespace edgewright::reference
