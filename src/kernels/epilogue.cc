#include "kernels/epilogue.h"

#include <limits>
#include <string>

namespace edgewright {
namespace {

struct ActivationName {
  std::string_view name;
  Activation activation;
  float alpha, beta;  // where the attributes are absent
};
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr ActivationName kActivations[] = {
    {"", Activation::kNone, 0, 0},
    {"Relu", Activation::kRelu, 0, 0},
    {"LeakyRelu", Activation::kLeakyRelu, 0.01f, 0},
    {"Clip", Activation::kClip, -kInfinity, kInfinity},
    {"Sigmoid", Activation::kSigmoid, 0, 0},
    {"HardSigmoid", Activation::kHardSigmoid, 0.2f, 0.5f},
    {"HardSwish", Activation::kHardSwish, 0, 0},
    {"Silu", Activation::kSilu, 0, 0},
    {"Gelu", Activation::kGelu, 0, 0},
    {"GeluTanh", Activation::kGeluTanh, 0, 0},
    {"Tanh", Activation::kTanh, 0, 0},
};

}  // namespace

float Epilogue::low() const {
  if (activation == Activation::kRelu) return 0;
  return activation == Activation::kClip ? alpha : -kInfinity;
}

float Epilogue::high() const { return activation == Activation::kClip ? beta : kInfinity; }

bool Epilogue::keeps_zero() const {
  switch (activation) {
    case Activation::kSigmoid: return false;
    case Activation::kHardSigmoid: return beta <= 0;
    case Activation::kClip: return alpha <= 0 && beta >= 0;
    default: return true;
  }
}

Result<Epilogue> parse_epilogue(const Attributes& attributes) {
  const std::string name = attributes.get_string("activation", "");
  for (const ActivationName& known : kActivations) {
    if (known.name != name) continue;
    Epilogue epilogue;
    epilogue.activation = known.activation;
    epilogue.alpha = attributes.get_float("alpha", known.alpha);
    epilogue.beta = attributes.get_float("beta", known.beta);
    epilogue.residual_before_activation = attributes.get_int("residual_before_activation", 1) != 0;
    return epilogue;
  }
  return unsupported("activation \"{}\" of a fused operator is not known", name);
}

}  // namespace edgewright
