// Operators that only change how elements are described; they share the storage of their input.
#include <algorithm>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/walk.h"

namespace edgewright {
namespace {

using namespace reference;

Status identity(OpCall& call) {
  if (!call.has_input(0)) return bad_input("input 0 of {} is missing", call.op);
  call.set_output(0, call.inputs[0]);
  return {};
}

Status shape(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  const auto rank = static_cast<int64_t>(x->rank());
  const auto bound = [&](std::string_view name, int64_t otherwise) {
    const int64_t given = call.attributes->get_int(name, otherwise);
    return std::clamp<int64_t>(given < 0 ? given + rank : given, 0, rank);
  };
  const int64_t start = bound("start", 0);
  const int64_t end = std::max(start, bound("end", rank));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kInt64, {end - start}));
  std::copy(x->dims().begin() + start, x->dims().begin() + end, out->mutable_data<int64_t>());
  return {};
}

Status size(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kInt64, {}));
  *out->mutable_data<int64_t>() = x->element_count();
  return {};
}

Status give_reshaped(OpCall& call, const Tensor& x, Dims dims) {
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  if (count != x.element_count()) {
    return bad_input("{}: {} elements of shape {} do not fit shape {}", call.op, x.element_count(),
                     dims_text(x.dims()), dims_text(dims));
  }
  call.set_output(0, x.reshaped(std::move(dims)));
  return {};
}

// 0 copies the dimension of the input (unless allowzero); one -1 takes what is left.
Status reshape(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(Dims dims, int64s(call, 1));
  const bool allow_zero = call.attributes->get_int("allowzero", 0) != 0;
  auto wildcard = dims.end();
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !allow_zero) {
      if (i >= x->rank()) {
        return bad_input("Reshape: dimension {} of {} copies one that shape {} does not have", i,
                         dims_text(dims), dims_text(x->dims()));
      }
      dims[i] = x->dim(i);
    } else if (dims[i] == -1) {
      if (wildcard != dims.end()) return bad_input("Reshape: two dimensions of -1");
      wildcard = dims.begin() + static_cast<std::ptrdiff_t>(i);
    }
  }
  if (wildcard == dims.end()) return give_reshaped(call, *x, std::move(dims));
  *wildcard = 1;
  EDGEWRIGHT_ASSIGN(const int64_t known, checked_element_count(dims));
  if (known == 0 || x->element_count() % known != 0) {
    return bad_input("Reshape: {} elements do not divide into {} for the dimension of -1",
                     x->element_count(), known);
  }
  *wildcard = x->element_count() / known;
  return give_reshaped(call, *x, std::move(dims));
}

Status flatten(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis_or_end(call, call.attributes->get_int("axis", 1), x->rank()));
  const std::span<const int64_t> dims = x->dims();
  EDGEWRIGHT_ASSIGN(const int64_t rows, checked_element_count(dims.first(axis)));
  EDGEWRIGHT_ASSIGN(const int64_t columns, checked_element_count(dims.subspan(axis)));
  return give_reshaped(call, *x, {rows, columns});
}

Status squeeze(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const auto given, optional_int64s(call, 1));
  std::vector<bool> dropped(x->rank(), false);
  if (given) {
    EDGEWRIGHT_ASSIGN(const auto axes, checked_axes(call, *given, x->rank()));
    for (const size_t axis : axes) {
      if (x->dim(axis) != 1) {
        return bad_input("Squeeze: axis {} of shape {} is not 1", axis, dims_text(x->dims()));
      }
      dropped[axis] = true;
    }
  } else {
    for (size_t i = 0; i < x->rank(); ++i) dropped[i] = x->dim(i) == 1;
  }
  Dims dims;
  for (size_t i = 0; i < x->rank(); ++i) {
    if (!dropped[i]) dims.push_back(x->dim(i));
  }
  return give_reshaped(call, *x, std::move(dims));
}

Status unsqueeze(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> given, int64s(call, 1));
  const size_t rank = x->rank() + given.size();
  EDGEWRIGHT_ASSIGN(const auto axes, checked_axes(call, given, rank));
  Dims dims(rank, -1);
  for (const size_t axis : axes) dims[axis] = 1;
  size_t from = 0;
  for (int64_t& dim : dims) {
    if (dim == -1) dim = x->dim(from++);
  }
  return give_reshaped(call, *x, std::move(dims));
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Identity", identity},   {"", "Shape", shape},     {"", "Size", size},
    {"", "Reshape", reshape},     {"", "Flatten", flatten}, {"", "Squeeze", squeeze},
    {"", "Unsqueeze", unsqueeze},
};

}  // namespace

std::span<const ReferenceKernel> shape_reference_kernels() { return kKernels; }

}  // namespace edgewright
