#include "kernels/fused/named_activation.h"

#include "kernels/fused/inner_call.h"

namespace edgewright {
namespace {

Result<Tensor> gelu(const Tensor& x, bool tanh) {
  Attributes attributes;
  attributes.set("approximate", std::string(tanh ? "tanh" : "none"));
  return InnerCall::run("Gelu", attributes, {x});
}

}  // namespace

Result<Tensor> activate(const Tensor& x, std::string_view name, const Attributes& parameters) {
  if (name.empty()) return x;
  if (name == "Gelu" || name == "GeluTanh") return gelu(x, name == "GeluTanh");
  if (name == "Silu") {
    EDGEWRIGHT_ASSIGN(const Tensor gate, InnerCall::run("Sigmoid", {}, {x}));
    return InnerCall::run("Mul", {}, {x, gate});
  }
  if (name == "Clip") {
    const auto limit = [&](const char* key) {
      return parameters.contains(key) ? Datum(Tensor::scalar(parameters.get_float(key, 0)))
                                      : Datum();
    };
    return InnerCall::run("Clip", {}, {x, limit("alpha"), limit("beta")});
  }
  return InnerCall::run(name, parameters, {x});
}

}  // namespace edgewright
