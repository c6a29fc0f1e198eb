// Random tensors. The seed attribute decides the values; without one the seed is 0, so that the
// same model gives the same result every time.
#include <algorithm>
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/random.h"
#include "kernels/reference/types.h"

namespace edgewright {
namespace {

using namespace reference;

RandomSource source_of(const OpCall& call) {
  const double seed = call.attributes->get_float("seed", 0.0f);
  if (!(std::fabs(seed) < 9e18)) return RandomSource(0);
  return RandomSource(static_cast<uint32_t>(static_cast<int64_t>(seed)));
}

// Output 0 of the given type and shape, filled with draws.
template <class Draw>
Status fill_random(OpCall& call, DType dtype, Dims dims, Draw draw) {
  return dispatch<Floats>(call, dtype, [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, dtype, std::move(dims)));
    for (int64_t i = 0; i < out->element_count(); ++i) {
      out->mutable_data<T>()[i] = static_cast<T>(static_cast<Compute<T>>(draw()));
    }
    return {};
  });
}

Status normal(OpCall& call, DType dtype, Dims dims) {
  const double mean = call.attributes->get_float("mean", 0.0f);
  const double scale = call.attributes->get_float("scale", 1.0f);
  RandomSource source = source_of(call);
  return fill_random(call, dtype, std::move(dims), [&] { return mean + scale * source.normal(); });
}

Status uniform(OpCall& call, DType dtype, Dims dims) {
  const double low = call.attributes->get_float("low", 0.0f);
  const double high = call.attributes->get_float("high", 1.0f);
  RandomSource source = source_of(call);
  return fill_random(call, dtype, std::move(dims),
                     [&] { return low + (high - low) * source.uniform(); });
}

using Fill = Status (*)(OpCall& call, DType dtype, Dims dims);

Status by_shape(OpCall& call, Fill fill) {
  const auto dtype = static_cast<DType>(call.attributes->get_int("dtype", 1));
  return fill(call, dtype, call.attributes->get_ints("shape"));
}

Status by_example(OpCall& call, Fill fill) {
  EDGEWRIGHT_ASSIGN(const Tensor* like, call.tensor(0));
  const auto own = static_cast<int64_t>(like->dtype());
  return fill(call, static_cast<DType>(call.attributes->get_int("dtype", own)), like->dims());
}

Status random_normal(OpCall& call) { return by_shape(call, normal); }
Status random_normal_like(OpCall& call) { return by_example(call, normal); }
Status random_uniform(OpCall& call) { return by_shape(call, uniform); }
Status random_uniform_like(OpCall& call) { return by_example(call, uniform); }

// One with the probability that the input gives, else zero.
Status bernoulli(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  if (!is_floating_point(x->dtype())) return no_such_type(call, x->dtype());
  EDGEWRIGHT_ASSIGN(const std::vector<double> odds, x->to_doubles());
  const auto own = static_cast<int64_t>(x->dtype());
  const auto dtype = static_cast<DType>(call.attributes->get_int("dtype", own));
  RandomSource source = source_of(call);
  const auto draw = [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, dtype, x->dims()));
    for (size_t i = 0; i < odds.size(); ++i) {
      out->mutable_data<T>()[i] = T(source.uniform() < odds[i] ? 1 : 0);
    }
    return {};
  };
  if (dtype == DType::kBool) return draw(std::type_identity<uint8_t>());
  return dispatch<Numbers>(call, dtype, draw);
}

// The class that a draw in [0, 1) falls into, classes weighted by exp(log_odds).
int64_t draw_class(std::span<const double> log_odds, double largest, double total, double draw) {
  double sum = 0;
  for (size_t i = 0; i < log_odds.size(); ++i) {
    sum += std::exp(log_odds[i] - largest);
    if (draw * total < sum) return static_cast<int64_t>(i);
  }
  return std::ssize(log_odds) - 1;
}

// Per row of unnormalised log probabilities, sample_size draws of a class.
Status multinomial(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  const int64_t samples = call.attributes->get_int("sample_size", 1);
  if (x->rank() != 2 || x->dim(1) == 0 || samples < 0) {
    return bad_input("Multinomial: {} samples of a tensor of shape {}", samples,
                     dims_text(x->dims()));
  }
  if (!is_floating_point(x->dtype())) return no_such_type(call, x->dtype());
  EDGEWRIGHT_ASSIGN(const std::vector<double> values, x->to_doubles());
  const auto dtype = static_cast<DType>(call.attributes->get_int("dtype", 6));
  const auto classes = static_cast<size_t>(x->dim(1));
  RandomSource source = source_of(call);
  using Types = TypeList<int32_t, int64_t>;
  return dispatch<Types>(call, dtype, [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, dtype, {x->dim(0), samples}));
    T* to = out->mutable_data<T>();
    for (size_t row = 0; row < static_cast<size_t>(x->dim(0)); ++row) {
      const auto log_odds = std::span(values).subspan(row * classes, classes);
      const double largest = *std::max_element(log_odds.begin(), log_odds.end());
      double total = 0;
      for (const double odds : log_odds) total += std::exp(odds - largest);
      for (int64_t i = 0; i < samples; ++i) {
        *to++ = static_cast<T>(draw_class(log_odds, largest, total, source.uniform()));
      }
    }
    return {};
  });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "RandomNormal", random_normal},   {"", "RandomNormalLike", random_normal_like},
    {"", "RandomUniform", random_uniform}, {"", "RandomUniformLike", random_uniform_like},
    {"", "Bernoulli", bernoulli},          {"", "Multinomial", multinomial},
};

}  // namespace

std::span<const ReferenceKernel> random_reference_kernels() { return kKernels; }

}  // namespace edgewright
