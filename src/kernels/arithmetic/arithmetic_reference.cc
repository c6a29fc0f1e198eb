// Arithmetic of two operands with NumPy broadcasting, every numeric type. Integers wrap.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/families.h"
#include "kernels/reference/elementwise.h"

namespace edgewright {
namespace {

using namespace reference;

Status add(OpCall& call) {
  return binary_elementwise<Numbers>(call, [](auto a, auto b) { return wrapping_add(a, b); });
}

Status sub(OpCall& call) {
  return binary_elementwise<Numbers>(call, [](auto a, auto b) { return wrapping_sub(a, b); });
}

Status mul(OpCall& call) {
  return binary_elementwise<Numbers>(call, [](auto a, auto b) { return wrapping_mul(a, b); });
}

// An integer divisor of zero has no answer.
Status expect_divisors(const OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* b, call.tensor(1));
  if (!is_integer(b->dtype())) return {};
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> values, b->to_int64s());
  if (std::find(values.begin(), values.end(), 0) == values.end()) return {};
  return bad_input("{}: integer division by zero", call.op);
}

template <class T>
T quotient(T a, T b) {
  if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    if (b == T{-1}) return wrapping_sub(T{0}, a);  // the lowest value has no positive twin
  }
  return static_cast<T>(a / b);
}

Status div(OpCall& call) {
  EDGEWRIGHT_TRY(expect_divisors(call));
  return binary_elementwise<Numbers>(call, [](auto a, auto b) { return quotient(a, b); });
}

// The remainder with the sign of the dividend.
template <class T>
T truncated_mod(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::fmod(a, b);
  } else {
    if constexpr (std::is_signed_v<T>) {
      if (b == T{-1}) return 0;
    }
    return static_cast<T>(a % b);
  }
}

// The remainder with the sign of the divisor.
template <class T>
T floored_mod(T a, T b) {
  const T remainder = truncated_mod(a, b);
  if constexpr (std::is_floating_point_v<T>) {
    if (remainder == 0) return std::copysign(T{0}, b);
    if (std::isinf(b) && std::signbit(a) != std::signbit(b)) return b;
  }
  if constexpr (std::is_signed_v<T>) {
    if (remainder != 0 && (remainder < 0) != (b < 0)) return static_cast<T>(remainder + b);
  }
  return remainder;
}

Status mod(OpCall& call) {
  EDGEWRIGHT_TRY(expect_divisors(call));
  if (call.attributes->get_int("fmod", 0) != 0) {
    return binary_elementwise<Numbers>(call, [](auto a, auto b) { return truncated_mod(a, b); });
  }
  return binary_elementwise<Numbers>(call, [](auto a, auto b) { return floored_mod(a, b); });
}

template <class T>
T integer_power(T base, uint64_t exponent) {
  T result = 1;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = wrapping_mul(result, base);
    base = wrapping_mul(base, base);
  }
  return result;
}

template <class T>
T saturated(double value) {
  constexpr auto kLowest = static_cast<double>(std::numeric_limits<T>::lowest());
  constexpr auto kHighest = static_cast<double>(std::numeric_limits<T>::max());
  if (std::isnan(value)) return 0;
  if (value <= kLowest) return std::numeric_limits<T>::lowest();
  return value >= kHighest ? std::numeric_limits<T>::max() : static_cast<T>(value);
}

// Base and exponent may differ in type, so exponents are brought to int64 or double first.
template <class T, class E>
Compute<T> power(Compute<T> base, E exponent) {
  if constexpr (kIsFloat<T>) {
    return static_cast<Compute<T>>(
        std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  } else if constexpr (std::is_integral_v<E>) {
    if (exponent >= 0) return integer_power(base, static_cast<uint64_t>(exponent));
    return saturated<T>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  } else {
    return saturated<T>(std::pow(static_cast<double>(base), exponent));
  }
}

template <class E>
Status pow_with(OpCall& call, const Tensor& base, const Tensor& exponent) {
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({&base, &exponent}));
  using Bases = decltype(join(Floats(), TypeList<int32_t, int64_t>()));
  return dispatch<Bases>(call, base.dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, base.dtype(), plan.dims()));
    map_broadcast(plan, base.data<T>(), exponent.data<E>(), out->mutable_data<T>(),
                  [](T x, E y) { return static_cast<T>(power<T, E>(widen(x), y)); });
    return {};
  });
}

Status pow(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* base, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* exponent, call.tensor(1));
  if (is_integer(exponent->dtype())) {
    EDGEWRIGHT_ASSIGN(const std::vector<int64_t> values, exponent->to_int64s());
    EDGEWRIGHT_ASSIGN(Tensor * wide, call.make_scratch(DType::kInt64, exponent->dims()));
    std::copy(values.begin(), values.end(), wide->mutable_data<int64_t>());
    return pow_with<int64_t>(call, *base, *wide);
  }
  EDGEWRIGHT_ASSIGN(const std::vector<double> values, exponent->to_doubles());
  EDGEWRIGHT_ASSIGN(Tensor * wide, call.make_scratch(DType::kFloat64, exponent->dims()));
  std::copy(values.begin(), values.end(), wide->mutable_data<double>());
  return pow_with<double>(call, *base, *wide);
}

// Shifts by a negative amount or by the width and more leave only copies of the sign.
template <class T>
T shifted(T value, T amount, bool left) {
  constexpr uint64_t kBits = sizeof(T) * 8;
  const bool outside = amount < T{0} || static_cast<uint64_t>(amount) >= kBits;
  if (left) {
    if (outside) return 0;
    return static_cast<T>(static_cast<uint64_t>(value) << static_cast<uint64_t>(amount));
  }
  if (outside) return value < T{0} ? static_cast<T>(-1) : T{0};
  return static_cast<T>(value >> amount);
}

Status bit_shift(OpCall& call) {
  const std::string direction = call.attributes->get_string("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    return bad_input("BitShift: direction \"{}\" is neither LEFT nor RIGHT", direction);
  }
  const bool left = direction == "LEFT";
  return binary_elementwise<Ints>(call, [left](auto a, auto b) { return shifted(a, b, left); });
}

// x where x is not negative, slope * x elsewhere; the slope broadcasts to x, never x to it.
Status prelu(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* slope, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const Dims dims, broadcast_dims(x->dims(), slope->dims()));
  if (dims != x->dims()) {
    return bad_input("PRelu: the slope of shape {} does not broadcast to {}",
                     dims_text(slope->dims()), dims_text(x->dims()));
  }
  return binary_elementwise<Numbers>(call, [](auto value, auto factor) {
    return value < 0 ? wrapping_mul(value, factor) : value;
  });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Add", add},     {"", "Sub", sub}, {"", "Mul", mul},
    {"", "Div", div},     {"", "Mod", mod}, {"", "BitShift", bit_shift},
    {"", "PRelu", prelu}, {"", "Pow", pow},
};

}  // namespace

std::span<const ReferenceKernel> arithmetic_reference_kernels() { return kKernels; }

}  // namespace edgewright
