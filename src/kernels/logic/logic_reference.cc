// Comparison, boolean and bitwise operators, and the choice between two operands.
#include <string>

#include "kernels/families.h"
#include "kernels/reference/elementwise.h"
#include "kernels/reference/storage.h"

namespace edgewright {
namespace {

using namespace reference;

// Booleans are read as bytes: one from a file may hold more than 0 and 1.
template <class Op>
Status boolean(OpCall& call, Op op) {
  EDGEWRIGHT_ASSIGN(const Tensor* a, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* b, call.tensor(1));
  EDGEWRIGHT_TRY(expect_type(call, *a, DType::kBool));
  EDGEWRIGHT_TRY(expect_type(call, *b, DType::kBool));
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({a, b}));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kBool, plan.dims()));
  map_broadcast(plan, a->data<uint8_t>(), b->data<uint8_t>(), out->mutable_data<uint8_t>(),
                [&](uint8_t x, uint8_t y) { return static_cast<uint8_t>(op(x != 0, y != 0)); });
  return {};
}

Status logical_and(OpCall& call) {
  return boolean(call, [](bool a, bool b) { return a && b; });
}
Status logical_or(OpCall& call) {
  return boolean(call, [](bool a, bool b) { return a || b; });
}
Status logical_xor(OpCall& call) {
  return boolean(call, [](bool a, bool b) { return a != b; });
}
Status logical_not(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_TRY(expect_type(call, *x, DType::kBool));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kBool, x->dims()));
  map_elements(x->data<uint8_t>(), out->mutable_data<uint8_t>(), x->element_count(),
               [](uint8_t value) { return static_cast<uint8_t>(value == 0); });
  return {};
}

Status bitwise_and(OpCall& call) {
  return binary_elementwise<Ints>(call, [](auto a, auto b) { return a & b; });
}
Status bitwise_or(OpCall& call) {
  return binary_elementwise<Ints>(call, [](auto a, auto b) { return a | b; });
}
Status bitwise_xor(OpCall& call) {
  return binary_elementwise<Ints>(call, [](auto a, auto b) { return a ^ b; });
}
Status bitwise_not(OpCall& call) {
  return unary_elementwise<Ints>(call, [](auto a) { return ~a; });
}

Status equal_strings(OpCall& call, const Tensor& a, const Tensor& b) {
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({&a, &b}));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kBool, plan.dims()));
  map_broadcast(
      plan, storage<std::string>(a), storage<std::string>(b), out->mutable_data<uint8_t>(),
      [](const std::string& x, const std::string& y) { return static_cast<uint8_t>(x == y); });
  return {};
}

Status equal(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* a, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* b, call.tensor(1));
  EDGEWRIGHT_TRY(same_type(call, *a, *b));
  if (a->dtype() == DType::kString) return equal_strings(call, *a, *b);
  if (a->dtype() == DType::kBool) return boolean(call, [](bool x, bool y) { return x == y; });
  return compare_elementwise<Numbers>(call, [](auto x, auto y) { return x == y; });
}
Status less(OpCall& call) {
  return compare_elementwise<Numbers>(call, [](auto a, auto b) { return a < b; });
}
Status less_or_equal(OpCall& call) {
  return compare_elementwise<Numbers>(call, [](auto a, auto b) { return a <= b; });
}
Status greater(OpCall& call) {
  return compare_elementwise<Numbers>(call, [](auto a, auto b) { return a > b; });
}
Status greater_or_equal(OpCall& call) {
  return compare_elementwise<Numbers>(call, [](auto a, auto b) { return a >= b; });
}

Status where(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* condition, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(1));
  EDGEWRIGHT_ASSIGN(const Tensor* y, call.tensor(2));
  EDGEWRIGHT_TRY(expect_type(call, *condition, DType::kBool));
  EDGEWRIGHT_TRY(same_type(call, *x, *y));
  EDGEWRIGHT_ASSIGN(const BroadcastPlan plan, BroadcastPlan::make({condition, x, y}));
  return dispatch_storage(call, x->dtype(), [&]<class T>(std::type_identity<T>) -> Status {
    EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), plan.dims()));
    const uint8_t* choice = condition->data<uint8_t>();
    const T* yes = storage<T>(*x);
    const T* no = storage<T>(*y);
    T* to = mutable_storage<T>(*out);
    plan.for_each_row([&](int64_t at, const int64_t* offsets, int64_t count) {
      for (int64_t i = 0; i < count; ++i) {
        to[at + i] = choice[offsets[0] + i * plan.inner_stride(0)] != 0
                         ? yes[offsets[1] + i * plan.inner_stride(1)]
                         : no[offsets[2] + i * plan.inner_stride(2)];
      }
    });
    return {};
  });
}

constexpr ReferenceKernel kKernels[] = {
    {"", "And", logical_and},
    {"", "Or", logical_or},
    {"", "Xor", logical_xor},
    {"", "Not", logical_not},
    {"", "BitwiseAnd", bitwise_and},
    {"", "BitwiseOr", bitwise_or},
    {"", "BitwiseXor", bitwise_xor},
    {"", "BitwiseNot", bitwise_not},
    {"", "Equal", equal},
    {"", "Less", less},
    {"", "LessOrEqual", less_or_equal},
    {"", "Greater", greater},
    {"", "GreaterOrEqual", greater_or_equal},
    {"", "Where", where},
};

}  // namespace

std::span<const ReferenceKernel> logic_reference_kernels() { return kKernels; }

}  // namespace edgewright
