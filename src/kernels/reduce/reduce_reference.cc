// Reductions over any set of axes. Real numbers are gathered as double, integers modulo 2^64.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/types.h"
#include "kernels/reference/walk.h"

namespace edgewright {
namespace {

using namespace reference;

using Sums = decltype(join(Floats(), TypeList<int32_t, int64_t, uint32_t, uint64_t>()));
using Extremes = decltype(join(Sums(), TypeList<int8_t, uint8_t>()));

// How input elements meet output elements.
struct Reduction {
  Dims kept_dims;    // of the output
  StridedWalk walk;  // operand 0: the input; operand 1: the output
  int64_t output_count;
  int64_t group;  // input elements per output element
};

Result<std::vector<size_t>> reduced_axes(const OpCall& call, size_t rank) {
  EDGEWRIGHT_ASSIGN(const auto given, optional_int64s(call, 1));
  if (given && !given->empty()) return checked_axes(call, *given, rank);
  std::vector<size_t> axes;
  if (call.attributes->get_int("noop_with_empty_axes", 0) != 0) return axes;
  for (size_t i = 0; i < rank; ++i) axes.push_back(i);
  return axes;
}

Result<Reduction> plan_reduction(const OpCall& call, const Tensor& x) {
  EDGEWRIGHT_ASSIGN(const std::vector<size_t> axes, reduced_axes(call, x.rank()));
  const bool keep = call.attributes->get_int("keepdims", 1) != 0;
  std::vector<bool> reduced(x.rank(), false);
  for (const size_t axis : axes) reduced[axis] = true;
  Dims ones = x.dims();
  Dims kept;
  int64_t group = 1;
  for (size_t i = 0; i < x.rank(); ++i) {
    if (reduced[i]) {
      ones[i] = 1;
      if (x.element_count() > 0) group *= x.dim(i);
    }
    if (!reduced[i] || keep) kept.push_back(ones[i]);
  }
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(ones));
  if (x.element_count() == 0) group = 0;
  StridedWalk walk(x.dims(), {row_major_strides(x.dims()), broadcast_strides(ones, x.dims())});
  return Reduction{std::move(kept), std::move(walk), count, group};
}

// to[output of x[i]] = op(that, x[i]) over all input elements.
template <class T, class Sum, class Op>
void gather(const Reduction& plan, const T* x, Sum* to, Op op) {
  const int64_t step_x = plan.walk.inner_stride(0);
  const int64_t step_to = plan.walk.inner_stride(1);
  plan.walk.for_each_row([&](const int64_t* offsets, int64_t count) {
    const T* from = x + offsets[0];
    Sum* target = to + offsets[1];
    for (int64_t i = 0; i < count; ++i) {
      target[i * step_to] = op(target[i * step_to], from[i * step_x]);
    }
  });
}

// The type in which elements of T are summed: integers wrap, so their sign does not matter.
template <class T>
using Sum = std::conditional_t<kIsFloat<T>, double, uint64_t>;

template <class T>
T integer_or_real(Sum<T> sum) {
  if constexpr (kIsHalf<T>) {
    return static_cast<T>(static_cast<float>(sum));
  } else {
    return static_cast<T>(sum);
  }
}

// out = finish(fold of term(x) from `first`), the fold by op.
template <class Types, class Term, class Op, class Finish>
Status reduce(OpCall& call, int first, Term term, Op op, Finish finish) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Reduction plan, plan_reduction(call, *x));
  return dispatch<Types>(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    using S = Sum<T>;
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), plan.kept_dims));
    EDGEWRIGHT_ASSIGN(Tensor * sums, call.make_scratch(kDTypeOf<S>, {plan.output_count}));
    S* to = sums->mutable_data<S>();
    std::fill_n(to, plan.output_count, static_cast<S>(first));
    gather(plan, x->data<T>(), to, [&](S sum, T element) {
      return op(sum, term(static_cast<S>(widen(element)), std::type_identity<T>()));
    });
    map_elements(to, out->mutable_data<T>(), plan.output_count,
                 [&](S sum) { return finish(sum, plan.group, std::type_identity<T>()); });
    return {};
  });
}

constexpr auto kAsIs = [](auto sum, auto) { return sum; };
constexpr auto kPlus = [](auto a, auto b) { return a + b; };
constexpr auto kSquare = [](auto x, auto) { return x * x; };
constexpr auto kStore = []<class T>(Sum<T> sum, int64_t, std::type_identity<T>) {
  return integer_or_real<T>(sum);
};
constexpr auto kMagnitude = []<class T>(Sum<T> x, std::type_identity<T>) {
  if constexpr (kIsFloat<T>) {
    return std::fabs(x);
  } else {
    return std::is_signed_v<T> && static_cast<int64_t>(x) < 0 ? 0 - x : x;
  }
};

Status reduce_sum(OpCall& call) { return reduce<Sums>(call, 0, kAsIs, kPlus, kStore); }

Status reduce_prod(OpCall& call) {
  return reduce<Sums>(call, 1, kAsIs, [](auto a, auto b) { return a * b; }, kStore);
}

Status reduce_mean(OpCall& call) {
  return reduce<Sums>(
      call, 0, kAsIs, kPlus, []<class T>(Sum<T> sum, int64_t group, std::type_identity<T>) {
        if constexpr (kIsFloat<T>) {
          return integer_or_real<T>(sum / static_cast<double>(group));
        } else {
          if (group == 0) return T{0};
          return std::is_signed_v<T> ? static_cast<T>(static_cast<int64_t>(sum) / group)
                                     : static_cast<T>(sum / static_cast<uint64_t>(group));
        }
      });
}

Status reduce_l1(OpCall& call) { return reduce<Sums>(call, 0, kMagnitude, kPlus, kStore); }

Status reduce_l2(OpCall& call) {
  return reduce<Sums>(
      call, 0, kSquare, kPlus, []<class T>(Sum<T> sum, int64_t, std::type_identity<T>) {
        return integer_or_real<T>(static_cast<Sum<T>>(std::sqrt(static_cast<double>(sum))));
      });
}

Status reduce_sum_square(OpCall& call) { return reduce<Sums>(call, 0, kSquare, kPlus, kStore); }

Status reduce_log_sum(OpCall& call) {
  return reduce<Floats>(call, 0, kAsIs, kPlus,
                        []<class T>(Sum<T> sum, int64_t, std::type_identity<T>) {
                          return integer_or_real<T>(std::log(sum));
                        });
}

// An element that replaces the best so far; a NaN stays.
template <class T>
T better(T best, T element, bool largest) {
  if constexpr (kIsFloat<T>) {
    if (std::isnan(widen(best))) return best;
    if (std::isnan(widen(element))) return element;
  }
  const bool wins = largest ? widen(element) > widen(best) : widen(element) < widen(best);
  return wins ? element : best;
}

template <class T>
T weakest(bool largest) {
  using Limits = std::numeric_limits<Compute<T>>;
  if constexpr (kIsFloat<T>) return T(largest ? -Limits::infinity() : Limits::infinity());
  return static_cast<T>(largest ? Limits::lowest() : Limits::max());
}

Status reduce_boolean_extreme(OpCall& call, const Tensor& x, const Reduction& plan, bool largest) {
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kBool, plan.kept_dims));
  auto* to = out->mutable_data<uint8_t>();
  std::fill_n(to, plan.output_count, static_cast<uint8_t>(!largest));
  gather(plan, x.data<uint8_t>(), to, [&](uint8_t best, uint8_t element) {
    return better<uint8_t>(best, element != 0, largest);
  });
  return {};
}

Status reduce_extreme(OpCall& call, bool largest) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Reduction plan, plan_reduction(call, *x));
  if (x->dtype() == DType::kBool) return reduce_boolean_extreme(call, *x, plan, largest);
  return dispatch<Extremes>(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), plan.kept_dims));
    T* to = out->mutable_data<T>();
    std::fill_n(to, plan.output_count, weakest<T>(largest));
    gather(plan, x->data<T>(), to,
           [&](T best, T element) { return better(best, element, largest); });
    return {};
  });
}

Status reduce_max(OpCall& call) { return reduce_extreme(call, true); }
Status reduce_min(OpCall& call) { return reduce_extreme(call, false); }

// log(sum(exp(x))), exponentials relative to the largest element so that none overflows.
Status reduce_log_sum_exp(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Reduction plan, plan_reduction(call, *x));
  return dispatch<Floats>(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), plan.kept_dims));
    EDGEWRIGHT_ASSIGN(Tensor * scratch, call.make_scratch(DType::kFloat64, {plan.output_count, 2}));
    struct Line {
      double largest, sum;
    };
    auto* lines = reinterpret_cast<Line*>(scratch->mutable_data<double>());
    std::fill_n(lines, plan.output_count, Line{-std::numeric_limits<double>::infinity(), 0});
    gather(plan, x->data<T>(), lines, [](Line line, T element) {
      const double value = widen(element);
      if (value == line.largest) return Line{value, line.sum + 1};
      if (value < line.largest) {
        return Line{line.largest, line.sum + std::exp(value - line.largest)};
      }
      return Line{value, line.sum * std::exp(line.largest - value) + 1};
    });
    map_elements(lines, out->mutable_data<T>(), plan.output_count,
                 [](Line line) { return integer_or_real<T>(line.largest + std::log(line.sum)); });
    return {};
  });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "ReduceSum", reduce_sum},        {"", "ReduceProd", reduce_prod},
    {"", "ReduceMean", reduce_mean},      {"", "ReduceMax", reduce_max},
    {"", "ReduceMin", reduce_min},        {"", "ReduceL1", reduce_l1},
    {"", "ReduceL2", reduce_l2},          {"", "ReduceSumSquare", reduce_sum_square},
    {"", "ReduceLogSum", reduce_log_sum}, {"", "ReduceLogSumExp", reduce_log_sum_exp},
};

}  // namespace

std::span<const ReferenceKernel> reduce_reference_kernels() { return kKernels; }

}  // namespace edgewright
