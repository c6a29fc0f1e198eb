// Resize: nearest, linear and cubic, one axis after the other.
#include <cstring>

#include "kernels/families.h"
#include "kernels/resize/resize_geometry.h"

namespace edgewright {
namespace {

using namespace reference;

// to [outer, axis.output, inner] from [outer, axis.input, inner].
template <class T>
void resize_axis(const ResizeAxis& axis, const ResizeTaps& taps, int64_t outer, int64_t inner,
                 T extrapolation, const T* from, T* to) {
  for (int64_t n = 0; n < outer; ++n) {
    const T* plane = from + n * axis.input * inner;
    for (int64_t i = 0; i < axis.output; ++i) {
      T* out = to + (n * axis.output + i) * inner;
      const auto at = static_cast<size_t>(i);
      if (taps.outside[at]) {
        std::fill_n(out, inner, extrapolation);
        continue;
      }
      std::fill_n(out, inner, T{0});
      for (int64_t k = taps.begin[at]; k < taps.begin[at + 1]; ++k) {
        const auto weight = static_cast<T>(taps.weights[static_cast<size_t>(k)]);
        if (weight == 0) continue;
        const int64_t position =
            std::clamp<int64_t>(taps.first[at] + k - taps.begin[at], 0, axis.input - 1);
        const T* in = plane + position * inner;
        for (int64_t j = 0; j < inner; ++j) out[j] += weight * in[j];
      }
    }
  }
}

template <class T>
Status interpolate(OpCall& call, const ResizeOptions& options, const std::vector<ResizeAxis>& axes,
                   const Dims& out_dims) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), out_dims));
  const T* from = x.data;
  Dims dims = x.dims();
  for (size_t axis = axes.size(); axis-- > 0;) {
    if (!axes[axis].resized) continue;
    EDGEWRIGHT_ASSIGN(const ResizeTaps taps, resize_taps(call, axes[axis], options));
    const int64_t outer = span_count(dims, 0, axis);
    const int64_t inner = span_count(dims, axis + 1);
    dims[axis] = axes[axis].output;
    EDGEWRIGHT_ASSIGN(Tensor * made, call.make_scratch(kDTypeOf<T>, dims));
    T* to = made->template mutable_data<T>();
    resize_axis(axes[axis], taps, outer, inner, static_cast<T>(options.extrapolation), from, to);
    from = to;
  }
  std::copy_n(from, y.count(), y.data);
  return y.finish();
}

// Element `from` of x becomes element `to` of y; any type of whole bytes, strings too.
void copy_element(const Tensor& x, int64_t from, Tensor& y, int64_t to) {
  if (x.dtype() == DType::kString) {
    y.mutable_string_elements()[static_cast<size_t>(to)] =
        x.string_elements()[static_cast<size_t>(from)];
    return;
  }
  const int64_t size = dtype_bits(x.dtype()) / 8;
  std::memcpy(y.mutable_bytes() + to * size, x.bytes() + from * size, static_cast<size_t>(size));
}

Status pick_nearest(OpCall& call, const ResizeOptions& options, const std::vector<ResizeAxis>& axes,
                    const Dims& out_dims) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  if (dtype_bits(x->dtype()) % 8 != 0 || (options.crops() && x->dtype() == DType::kString)) {
    return bad_input("{} of {}", call.op, dtype_name(x->dtype()));
  }
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, x->dtype(), out_dims));
  if (y->element_count() == 0) return {};
  std::vector<ResizeTaps> taps;
  for (const ResizeAxis& axis : axes) {
    EDGEWRIGHT_ASSIGN(ResizeTaps made, resize_taps(call, axis, options));
    taps.push_back(std::move(made));
  }
  Dims index(axes.size(), 0);
  for (int64_t i = 0; i < y->element_count(); ++i) {
    int64_t from = 0;
    bool outside = false;
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      const auto at = static_cast<size_t>(index[axis]);
      const int64_t position =
          axes[axis].resized ? std::clamp<int64_t>(taps[axis].first[at], 0, axes[axis].input - 1)
                             : index[axis];
      outside = outside || taps[axis].outside[at];
      from = from * axes[axis].input + position;
    }
    if (outside) {
      store_double(x->dtype(), y->mutable_bytes(), i, options.extrapolation);
    } else {
      copy_element(*x, from, *y, i);
    }
    next_index(out_dims, index);
  }
  return {};
}

Status resize(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const ResizeOptions options, resize_options(call));
  EDGEWRIGHT_ASSIGN(const std::vector<ResizeAxis> axes, resize_axes(call, x->dims(), options));
  Dims dims;
  for (const ResizeAxis& axis : axes) dims.push_back(axis.output);
  if (options.mode == "nearest") return pick_nearest(call, options, axes, dims);
  const bool exact = x->dtype() == DType::kFloat64 || is_integer(x->dtype());
  return exact ? interpolate<double>(call, options, axes, dims)
               : interpolate<float>(call, options, axes, dims);
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Resize", resize},
};

}  // namespace

std::span<const ReferenceKernel> resize_reference_kernels() { return kKernels; }

}  // namespace edgewright
