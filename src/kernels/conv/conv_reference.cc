// Convolution and its transpose over any number of spatial axes.
#include "kernels/contrib/activation.h"
#include "kernels/conv/convolve.h"
#include "kernels/families.h"

namespace edgewright {
namespace {

using namespace reference;

template <class T>
Status expect_bias(const OpCall& call, const Operand<T>& bias, int64_t channels) {
  if (!bias) return {};
  return expect_dims(call, "the bias", *bias.tensor, {channels});
}

template <class T>
Status conv(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> w, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<T> bias, optional_operand<T>(call, 2));
  EDGEWRIGHT_ASSIGN(const ConvShape shape, conv_shape(call, *x.tensor, *w.tensor));
  EDGEWRIGHT_TRY(expect_bias(call, bias, w.dim(0)));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), shape.output_dims()));
  if (bias) {
    add_bias(bias.data, shape.batch, w.dim(0), span_count(shape.window.output, 0), y.data);
  }
  convolve(shape, x.data, w.data, y.data);
  return y.finish();
}

// FusedConv (com.microsoft): Conv, plus input 3 of the output's shape, then an activation.
Status fused_conv(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> x, operand<float>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<float> w, operand<float>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<float> bias, optional_operand<float>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<float> addend, optional_operand<float>(call, 3));
  EDGEWRIGHT_ASSIGN(const ConvShape shape, conv_shape(call, *x.tensor, *w.tensor));
  EDGEWRIGHT_TRY(expect_bias(call, bias, w.dim(0)));
  EDGEWRIGHT_ASSIGN(const Activation activation, fused_activation(call));
  if (addend) {
    EDGEWRIGHT_TRY(expect_dims(call, "the addend", *addend.tensor, shape.output_dims()));
  }
  EDGEWRIGHT_ASSIGN(const Computed<float> y,
                    computed<float>(call, 0, x.dtype(), shape.output_dims()));
  if (addend) std::copy_n(addend.data, addend.count(), y.data);
  if (bias) {
    add_bias(bias.data, shape.batch, w.dim(0), span_count(shape.window.output, 0), y.data);
  }
  convolve(shape, x.data, w.data, y.data);
  for (int64_t i = 0; i < y.count(); ++i) y[i] = static_cast<float>(activation(y[i]));
  return y.finish();
}

// The geometry of a transposed convolution is that of the convolution it is the gradient of: its
// window slides over the output and its `output` is the input's shape.
struct TransposedShape {
  int64_t batch = 0;
  int64_t groups = 1;
  int64_t in_channels = 0;   // of one group
  int64_t out_channels = 0;  // of one group
  Window window;
};

// Sets the size of the result along one axis, and the pads where it is the size that is given.
Status size_axis(const OpCall& call, Window& w, size_t axis, int64_t output_padding,
                 int64_t wanted) {
  const std::string mode = call.attributes->get_string("auto_pad", "NOTSET");
  const bool same = mode == "SAME_UPPER" || mode == "SAME_LOWER";
  const int64_t full = w.stride[axis] * (w.output[axis] - 1) + output_padding +
                       (w.kernel[axis] - 1) * w.dilation[axis] + 1;
  if (wanted < 0 && same) wanted = w.output[axis] * w.stride[axis];
  if (wanted < 0) {
    if (mode == "VALID") w.pad_begin[axis] = w.pad_end[axis] = 0;
    w.input[axis] = full - w.pad_begin[axis] - w.pad_end[axis];
  } else {
    const int64_t total = std::max<int64_t>(0, full - wanted);
    w.pad_begin[axis] = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
    w.pad_end[axis] = total - w.pad_begin[axis];
    w.input[axis] = wanted;
  }
  if (w.input[axis] >= 0) return {};
  return bad_input("{} has pads {} and {} on axis {}, more than its size {}", call.op,
                   w.pad_begin[axis], w.pad_end[axis], axis + 2, full);
}

Result<Window> transposed_window(const OpCall& call, const Tensor& x, const Tensor& w,
                                 const Dims* pads) {
  const size_t rank = x.rank() - 2;
  const Dims input(x.dims().begin() + 2, x.dims().end());
  const Dims kernel(w.dims().begin() + 2, w.dims().end());
  const Dims named = call.attributes->get_ints("kernel_shape", kernel);
  const Dims extra = call.attributes->get_ints("output_padding", Dims(rank, 0));
  Dims wanted = call.attributes->get_ints("output_shape", Dims(rank, -1));
  // Old exporters write batch and channels in front.
  if (wanted.size() == rank + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  if (named != kernel || extra.size() != rank || wanted.size() != rank) {
    return bad_input("{} of W {} has kernel_shape {}, output_padding {}, output_shape {}", call.op,
                     dims_text(w.dims()), dims_text(named), dims_text(extra), dims_text(wanted));
  }
  EDGEWRIGHT_ASSIGN(Window window, read_window(call, input, kernel));
  if (pads != nullptr) {
    for (size_t axis = 0; axis < rank; ++axis) {
      window.pad_begin[axis] = (*pads)[axis];
      window.pad_end[axis] = (*pads)[axis + rank];
    }
  }
  window.output = input;
  constexpr int64_t kLargest = int64_t{1} << 30;
  for (size_t axis = 0; axis < rank; ++axis) {
    if (extra[axis] < 0 || extra[axis] > kLargest || wanted[axis] > kLargest) {
      return bad_input("{} has output_padding {} and output_shape {}, expected at most 2^30",
                       call.op, extra[axis], wanted[axis]);
    }
    EDGEWRIGHT_TRY(size_axis(call, window, axis, extra[axis], wanted[axis]));
  }
  return window;
}

Result<TransposedShape> transposed_shape(const OpCall& call, const Tensor& x, const Tensor& w,
                                         const Dims* pads) {
  if (x.rank() < 3 || w.rank() != x.rank() || w.dim(0) != x.dim(1)) {
    return bad_input("{} of X {} and W {}, expected the same rank of at least 3 and channels first",
                     call.op, dims_text(x.dims()), dims_text(w.dims()));
  }
  TransposedShape shape;
  shape.groups = call.attributes->get_int("group", 1);
  if (shape.groups < 1 || x.dim(1) % shape.groups != 0) {
    return bad_input("{} of {} channels in {} groups", call.op, x.dim(1), shape.groups);
  }
  EDGEWRIGHT_ASSIGN(shape.window, transposed_window(call, x, w, pads));
  shape.batch = x.dim(0);
  shape.in_channels = x.dim(1) / shape.groups;
  shape.out_channels = w.dim(1);
  if (shape.out_channels > 0 && shape.groups > (int64_t{1} << 30) / shape.out_channels) {
    return bad_input("{} makes {} groups of {} channels", call.op, shape.groups,
                     shape.out_channels);
  }
  return shape;
}

// Adds every input element, weighted by each tap, where the window says.
template <class T>
void spread_plane(const Window& window, const T* from, const T* taps, T* to) {
  const size_t last = window.rank() - 1;
  const std::span<const int64_t> tap_rows(window.kernel.data(), last);
  const std::span<const int64_t> in_rows(window.output.data(), last);
  Dims tap(last, 0);
  Dims row(last, 0);
  const int64_t stride = window.stride[last];
  do {
    const T* in = from;
    row.assign(last, 0);
    do {
      int64_t line = 0;
      bool inside = true;
      for (size_t axis = 0; axis < last && inside; ++axis) {
        const int64_t at = window.at(axis, row[axis], tap[axis]);
        inside = at >= 0 && at < window.input[axis];
        line = line * window.input[axis] + at;
      }
      for (int64_t k = 0; inside && k < window.kernel[last]; ++k) {
        const int64_t offset = k * window.dilation[last] - window.pad_begin[last];
        const Range range =
            positions_inside(window.output[last], stride, offset, window.input[last]);
        T* out = to + line * window.input[last] + offset;
        for (int64_t i = range.first; i < range.last; ++i) out[i * stride] += taps[k] * in[i];
      }
      in += window.output[last];
    } while (next_index(in_rows, row));
    taps += window.kernel[last];
  } while (next_index(tap_rows, tap));
}

template <class T>
Status run_transposed(OpCall& call, const Operand<T>& bias, const Dims* pads) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> w, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const TransposedShape s, transposed_shape(call, *x.tensor, *w.tensor, pads));
  const int64_t channels = s.groups * s.out_channels;
  EDGEWRIGHT_TRY(expect_bias(call, bias, channels));
  Dims dims{s.batch, channels};
  dims.insert(dims.end(), s.window.input.begin(), s.window.input.end());
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), dims));
  const int64_t in_plane = span_count(s.window.output, 0);
  const int64_t out_plane = span_count(s.window.input, 0);
  const int64_t taps = span_count(s.window.kernel, 0);
  if (bias) add_bias(bias.data, s.batch, channels, out_plane, y.data);
  if (in_plane == 0 || out_plane == 0) return y.finish();
  for (int64_t n = 0; n < s.batch * s.groups; ++n) {
    for (int64_t c = 0; c < s.in_channels; ++c) {
      const int64_t filter = (n % s.groups * s.in_channels + c) * s.out_channels;
      for (int64_t m = 0; m < s.out_channels; ++m) {
        spread_plane(s.window, x.data + (n * s.in_channels + c) * in_plane,
                     w.data + (filter + m) * taps, y.data + (n * s.out_channels + m) * out_plane);
      }
    }
  }
  return y.finish();
}

template <class T>
Status conv_transpose(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> bias, optional_operand<T>(call, 2));
  return run_transposed(call, bias, nullptr);
}

// ConvTransposeWithDynamicPads (com.microsoft): pads are input 2, the bias is input 3.
Status conv_transpose_with_pads(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<float> bias, optional_operand<float>(call, 3));
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  if (!call.has_input(2)) return run_transposed(call, bias, nullptr);
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> pads, operand<int64_t>(call, 2));
  const Dims values(pads.data, pads.data + pads.count());
  if (x->rank() < 3 || values.size() != 2 * (x->rank() - 2)) {
    return bad_input("{} of X {} has {} pads", call.op, dims_text(x->dims()), values.size());
  }
  for (const int64_t value : values) {
    if (value < 0 || value > (int64_t{1} << 30)) {
      return bad_input("{} has a pad of {}, expected 0 to 2^30", call.op, value);
    }
  }
  return run_transposed(call, bias, &values);
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Conv", real<conv<float>, conv<double>>},
    {"", "ConvTranspose", real<conv_transpose<float>, conv_transpose<double>>},
    {"com.microsoft", "FusedConv", fused_conv},
    {"com.microsoft", "ConvTransposeWithDynamicPads", conv_transpose_with_pads},
};

}  // namespace

std::span<const ReferenceKernel> conv_reference_kernels() { return kKernels; }

}  // namespace edgewright
