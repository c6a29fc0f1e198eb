#include "kernels/conv/convolve.h"

#include <vector>

#include "kernels/reference/add_scaled.h"

namespace edgewright::reference {
namespace {

// A window that meets every position once, with nothing around it: the rows of a plane are one.
Window joined_rows(const Window& window) {
  for (size_t axis = 0; axis < window.rank(); ++axis) {
    if (window.kernel[axis] != 1 || window.stride[axis] != 1 || window.pad_begin[axis] != 0 ||
        window.pad_end[axis] != 0) {
      return window;
    }
  }
  const int64_t plane = span_count(window.input, 0);
  return {{1}, {1}, {1}, {0}, {0}, {plane}, {plane}};
}

// Where the rows and taps of a window meet; the same for every channel.
struct Meetings {
  std::vector<int64_t> input_row;  // per tap row and output row; -1: outside of the input
  std::vector<Range> positions;    // per tap of the last axis
};

Meetings meetings_of(const Window& window) {
  const size_t last = window.rank() - 1;
  const std::span<const int64_t> tap_rows(window.kernel.data(), last);
  const std::span<const int64_t> out_rows(window.output.data(), last);
  Dims tap(last, 0);
  Dims row(last, 0);
  Meetings meetings;
  do {
    row.assign(last, 0);
    do {
      int64_t line = 0;
      bool inside = true;
      for (size_t axis = 0; axis < last && inside; ++axis) {
        const int64_t at = window.at(axis, row[axis], tap[axis]);
        inside = at >= 0 && at < window.input[axis];
        line = line * window.input[axis] + at;
      }
      meetings.input_row.push_back(inside ? line : -1);
    } while (next_index(out_rows, row));
  } while (next_index(tap_rows, tap));
  for (int64_t k = 0; k < window.kernel[last]; ++k) {
    const int64_t offset = k * window.dilation[last] - window.pad_begin[last];
    meetings.positions.push_back(
        positions_inside(window.output[last], window.stride[last], offset, window.input[last]));
  }
  return meetings;
}

// to += taps * from for one input and one output channel.
template <class T>
void accumulate_plane(const Window& window, const Meetings& meetings, const T* from, const T* taps,
                      T* to) {
  const size_t last = window.rank() - 1;
  const int64_t out_rows = span_count(window.output, 0) / window.output[last];
  const int64_t stride = window.stride[last];
  for (size_t i = 0; i < meetings.input_row.size(); ++i) {
    if (meetings.input_row[i] < 0) continue;
    const auto tap_row = static_cast<int64_t>(i) / out_rows;
    T* out = to + static_cast<int64_t>(i) % out_rows * window.output[last];
    const T* row = from + meetings.input_row[i] * window.input[last];
    for (int64_t k = 0; k < window.kernel[last]; ++k) {
      const T weight = taps[tap_row * window.kernel[last] + k];
      const Range range = meetings.positions[static_cast<size_t>(k)];
      const T* in = row + k * window.dilation[last] - window.pad_begin[last];
      if (stride == 1) {
        add_scaled(in + range.first, weight, range.last - range.first, out + range.first);
      } else {
        for (int64_t o = range.first; o < range.last; ++o) out[o] += weight * in[o * stride];
      }
    }
  }
}

}  // namespace

Dims ConvShape::output_dims() const {
  Dims dims{batch, groups * out_channels};
  dims.insert(dims.end(), window.output.begin(), window.output.end());
  return dims;
}

Result<ConvShape> conv_shape(const OpCall& call, const Tensor& x, const Tensor& w) {
  if (x.rank() < 3 || w.rank() != x.rank()) {
    return bad_input("{} of X {} and W {}, expected the same rank of at least 3", call.op,
                     dims_text(x.dims()), dims_text(w.dims()));
  }
  ConvShape shape;
  shape.groups = call.attributes->get_int("group", 1);
  if (shape.groups < 1 || w.dim(0) % shape.groups != 0 || w.dim(1) > x.dim(1) ||
      shape.groups > std::max<int64_t>(x.dim(1), 1) || w.dim(1) * shape.groups != x.dim(1)) {
    return bad_input("{} of X {} and W {} in {} groups: channels do not divide", call.op,
                     dims_text(x.dims()), dims_text(w.dims()), shape.groups);
  }
  const Dims input(x.dims().begin() + 2, x.dims().end());
  const Dims kernel(w.dims().begin() + 2, w.dims().end());
  const Dims named = call.attributes->get_ints("kernel_shape", kernel);
  if (named != kernel) {
    return bad_input("{} has kernel_shape {} and W {}", call.op, dims_text(named),
                     dims_text(w.dims()));
  }
  EDGEWRIGHT_ASSIGN(shape.window, sliding_window(call, input, kernel));
  shape.batch = x.dim(0);
  shape.in_channels = w.dim(1);
  shape.out_channels = w.dim(0) / shape.groups;
  return shape;
}

template <class T>
void convolve(const ConvShape& shape, const T* x, const T* w, T* y) {
  const int64_t in_plane = span_count(shape.window.input, 0);
  const int64_t out_plane = span_count(shape.window.output, 0);
  const int64_t taps = span_count(shape.window.kernel, 0);
  if (in_plane == 0 || out_plane == 0) return;
  const Window window = joined_rows(shape.window);
  const Meetings meetings = meetings_of(window);
  for (int64_t n = 0; n < shape.batch * shape.groups; ++n) {
    const int64_t group = n % shape.groups;
    for (int64_t m = 0; m < shape.out_channels; ++m) {
      T* out = y + (n * shape.out_channels + m) * out_plane;
      const T* filter = w + (group * shape.out_channels + m) * shape.in_channels * taps;
      for (int64_t c = 0; c < shape.in_channels; ++c) {
        accumulate_plane(window, meetings, x + (n * shape.in_channels + c) * in_plane,
                         filter + c * taps, out);
      }
    }
  }
}

template void convolve<float>(const ConvShape&, const float*, const float*, float*);
template void convolve<double>(const ConvShape&, const double*, const double*, double*);
template void convolve<int64_t>(const ConvShape&, const int64_t*, const int64_t*, int64_t*);

}  // namespace edgewright::reference
