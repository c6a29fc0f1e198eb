// Pooling over sliding windows and over whole planes, any number of spatial axes.
#include <cmath>
#include <limits>

#include "kernels/families.h"
#include "kernels/reference/operand.h"
#include "kernels/reference/window.h"

namespace edgewright {
namespace {

using namespace reference;

// What a window sees: where it is cut off by the input, and how many taps lie on input or padding.
struct View {
  Dims first;  // taps [first, last) per axis lie inside the input
  Dims last;
  int64_t padded;  // taps that lie inside input and padding
};

View view_at(const Window& w, std::span<const int64_t> position) {
  View view{Dims(w.rank()), Dims(w.rank()), 1};
  for (size_t axis = 0; axis < w.rank(); ++axis) {
    const int64_t start = w.at(axis, position[axis], 0);
    const Range inside = positions_inside(w.kernel[axis], w.dilation[axis], start, w.input[axis]);
    const Range padded =
        positions_inside(w.kernel[axis], w.dilation[axis], start + w.pad_begin[axis],
                         w.input[axis] + w.pad_begin[axis] + w.pad_end[axis]);
    view.first[axis] = inside.first;
    view.last[axis] = inside.last;
    view.padded *= std::max<int64_t>(padded.last - padded.first, 0);
  }
  return view;
}

// Calls visit(offset in the plane) for every tap of the view.
template <class F>
void for_each_tap(const Window& w, std::span<const int64_t> position, const View& view, F visit) {
  const size_t last = w.rank() - 1;
  for (size_t axis = 0; axis <= last; ++axis) {
    if (view.first[axis] >= view.last[axis]) return;
  }
  Dims tap = view.first;
  for (;;) {
    int64_t line = 0;
    for (size_t axis = 0; axis < last; ++axis) {
      line = line * w.input[axis] + w.at(axis, position[axis], tap[axis]);
    }
    line *= w.input[last];
    for (int64_t k = view.first[last]; k < view.last[last]; ++k) {
      visit(line + w.at(last, position[last], k));
    }
    size_t axis = last;
    while (axis-- > 0) {
      if (++tap[axis] < view.last[axis]) break;
      tap[axis] = view.first[axis];
    }
    if (axis == std::numeric_limits<size_t>::max()) return;
  }
}

struct Pooling {
  Window window;
  Dims dims;  // of the output
  int64_t planes = 0;
};

Result<Pooling> pooling(const OpCall& call, const Tensor& x) {
  if (x.rank() < 3) {
    return bad_input("{} of shape {}, expected rank 3 or more", call.op, dims_text(x.dims()));
  }
  Pooling p;
  EDGEWRIGHT_ASSIGN(p.window, sliding_window(call, Dims(x.dims().begin() + 2, x.dims().end()),
                                             call.attributes->get_ints("kernel_shape")));
  p.dims = {x.dim(0), x.dim(1)};
  p.dims.insert(p.dims.end(), p.window.output.begin(), p.window.output.end());
  p.planes = x.dim(0) * x.dim(1);
  return p;
}

// reduce(plane, position, view) gives every output element.
template <class T, class F>
void pool_planes(const Pooling& p, const T* x, T* y, F reduce) {
  const int64_t in_plane = span_count(p.window.input, 0);
  const int64_t out_plane = span_count(p.window.output, 0);
  if (out_plane == 0 || p.planes == 0) return;
  Dims position(p.window.rank(), 0);
  int64_t o = 0;
  do {
    const View view = view_at(p.window, position);
    for (int64_t i = 0; i < p.planes; ++i) {
      y[i * out_plane + o] = reduce(x + i * in_plane, position, view, i * out_plane + o);
    }
    ++o;
  } while (next_index(p.window.output, position));
}

// The position of a maximum in the whole input, in the storage order that the node asks for: 1
// counts the spatial axes of a plane from the first one upwards.
int64_t stored_index(const Window& w, int64_t plane, int64_t offset, bool column_major) {
  const int64_t size = span_count(w.input, 0);
  if (!column_major) return plane * size + offset;
  int64_t index = 0;
  int64_t step = size;
  for (size_t axis = w.rank(); axis-- > 0;) {
    step /= w.input[axis];
    index += offset % w.input[axis] * step;
    offset /= w.input[axis];
  }
  return plane * size + index;
}

template <class T>
Status max_pool(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Pooling p, pooling(call, *x.tensor));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), p.dims));
  int64_t* indices = nullptr;
  if (call.output_count > 1 && call.wants_output(1)) {
    EDGEWRIGHT_ASSIGN(Tensor * made, call.make_output(1, DType::kInt64, p.dims));
    indices = made->mutable_data<int64_t>();
  }
  const bool column_major = call.attributes->get_int("storage_order", 0) == 1;
  const int64_t out_plane = span_count(p.window.output, 0);
  const T lowest = is_floating_point(x.dtype()) ? -std::numeric_limits<T>::infinity()
                   : x.dtype() == DType::kInt8  ? T{-128}
                                                : T{0};
  pool_planes(p, x.data, y.data, [&](const T* plane, const Dims& at, const View& view, int64_t o) {
    T best = lowest;
    int64_t best_at = -1;
    for_each_tap(p.window, at, view, [&](int64_t offset) {
      const T value = plane[offset];
      if (best_at < 0 || value > best || (std::isnan(value) && !std::isnan(best))) {
        best = value;
        best_at = offset;
      }
    });
    if (indices != nullptr) {
      indices[o] =
          stored_index(p.window, o / out_plane, std::max<int64_t>(best_at, 0), column_major);
    }
    return best;
  });
  return y.finish();
}

Status max_pool_any(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  if (x->dtype() == DType::kInt8 || x->dtype() == DType::kUint8) return max_pool<float>(call);
  return real<max_pool<float>, max_pool<double>>(call);
}

template <class T>
Status average_pool(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Pooling p, pooling(call, *x.tensor));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), p.dims));
  const bool include_pad = call.attributes->get_int("count_include_pad", 0) != 0;
  pool_planes(p, x.data, y.data, [&](const T* plane, const Dims& at, const View& view, int64_t) {
    T sum = 0;
    int64_t count = 0;
    for_each_tap(p.window, at, view, [&](int64_t offset) {
      sum += plane[offset];
      ++count;
    });
    if (include_pad) count = view.padded;
    return count == 0 ? T{0} : sum / static_cast<T>(count);
  });
  return y.finish();
}

template <class T>
T norm_term(T value, int64_t p) {
  const T magnitude = std::fabs(value);
  if (p == 1) return magnitude;
  return p == 2 ? value * value : std::pow(magnitude, static_cast<T>(p));
}
template <class T>
T norm_root(T sum, int64_t p) {
  if (p == 1) return sum;
  return p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / static_cast<T>(p));
}
Result<int64_t> norm_order(const OpCall& call) {
  const int64_t p = call.attributes->get_int("p", 2);
  if (p < 1) return bad_input("{} has p {}, expected 1 or more", call.op, p);
  return p;
}

template <class T>
Status lp_pool(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const int64_t order, norm_order(call));
  EDGEWRIGHT_ASSIGN(const Pooling p, pooling(call, *x.tensor));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), p.dims));
  pool_planes(p, x.data, y.data, [&](const T* plane, const Dims& at, const View& view, int64_t) {
    T sum = 0;
    for_each_tap(p.window, at, view,
                 [&](int64_t offset) { sum += norm_term(plane[offset], order); });
    return norm_root(sum, order);
  });
  return y.finish();
}

// reduce(first, count) over every plane.
template <class T, class F>
Status global_pool(OpCall& call, F reduce) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  if (x.rank() < 2) {
    return bad_input("{} of shape {}, expected rank 2 or more", call.op, dims_text(x.dims()));
  }
  Dims dims(x.rank(), 1);
  dims[0] = x.dim(0);
  dims[1] = x.dim(1);
  const int64_t plane = span_count(x.dims(), 2);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), dims));
  for (int64_t i = 0; i < y.count(); ++i) y[i] = reduce(x.data + i * plane, plane);
  return y.finish();
}

template <class T>
Status global_average_pool(OpCall& call) {
  return global_pool<T>(call, [](const T* x, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += x[i];
    return static_cast<T>(sum / static_cast<double>(count));
  });
}

template <class T>
Status global_max_pool(OpCall& call) {
  return global_pool<T>(call, [](const T* x, int64_t count) {
    T best = -std::numeric_limits<T>::infinity();
    for (int64_t i = 0; i < count; ++i) best = x[i] > best || std::isnan(x[i]) ? x[i] : best;
    return best;
  });
}

template <class T>
Status global_lp_pool(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const int64_t order, norm_order(call));
  return global_pool<T>(call, [order](const T* x, int64_t count) {
    T sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += norm_term(x[i], order);
    return norm_root(sum, order);
  });
}

// The shape that MaxPool had as input, if no window was cut off.
Result<Dims> unpooled_dims(const OpCall& call, const Tensor& x) {
  if (x.rank() < 3) {
    return bad_input("{} of shape {}, expected rank 3 or more", call.op, dims_text(x.dims()));
  }
  EDGEWRIGHT_ASSIGN(const Window w, read_window(call, Dims(x.dims().begin() + 2, x.dims().end()),
                                                call.attributes->get_ints("kernel_shape")));
  Dims dims = x.dims();
  for (size_t axis = 0; axis < w.rank(); ++axis) {
    dims[axis + 2] =
        (w.input[axis] - 1) * w.stride[axis] + w.kernel[axis] - w.pad_begin[axis] - w.pad_end[axis];
  }
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  static_cast<void>(count);
  return dims;
}

// Where the element at `index` of a tensor `from` lies in a larger one `to`; -1 outside.
int64_t moved_index(int64_t index, const Dims& from, const Dims& to) {
  int64_t moved = 0;
  int64_t step = 1;
  for (size_t axis = from.size(); axis-- > 0;) {
    const int64_t at = index % from[axis];
    if (at >= to[axis]) return -1;
    moved += at * step;
    step *= to[axis];
    index /= from[axis];
  }
  return moved;
}

template <class T>
Status max_unpool(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> indices, operand<int64_t>(call, 1));
  EDGEWRIGHT_TRY(expect_dims(call, "I", *indices.tensor, x.dims()));
  EDGEWRIGHT_ASSIGN(const Dims inferred, unpooled_dims(call, *x.tensor));
  Dims dims = inferred;
  if (call.has_input(2)) {
    EDGEWRIGHT_ASSIGN(const Operand<int64_t> shape, operand<int64_t>(call, 2));
    dims.assign(shape.data, shape.data + shape.count());
    if (dims.size() != x.rank()) {
      return bad_input("{} has an output_shape of {} dimensions for rank {}", call.op, dims.size(),
                       x.rank());
    }
  }
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), dims));
  const int64_t limit = span_count(inferred, 0);
  for (int64_t i = 0; i < x.count(); ++i) {
    const int64_t to =
        indices[i] < 0 || indices[i] >= limit ? -1 : moved_index(indices[i], inferred, dims);
    if (to < 0) {
      return bad_input("{} has index {} outside of the output {}", call.op, indices[i],
                       dims_text(dims));
    }
    y[to] = x[i];
  }
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"", "MaxPool", max_pool_any},
    {"", "AveragePool", real<average_pool<float>, average_pool<double>>},
    {"", "LpPool", real<lp_pool<float>, lp_pool<double>>},
    {"", "GlobalAveragePool", real<global_average_pool<float>, global_average_pool<double>>},
    {"", "GlobalMaxPool", real<global_max_pool<float>, global_max_pool<double>>},
    {"", "GlobalLpPool", real<global_lp_pool<float>, global_lp_pool<double>>},
    {"", "MaxUnpool", real<max_unpool<float>, max_unpool<double>>},
};

}  // namespace

std::span<const ReferenceKernel> pool_reference_kernels() { return kKernels; }

}  // namespace edgewright
