// Convolution at learnt offsets, and the inverse of unfolding an image into columns.
#include <cmath>

#include "kernels/conv/convolve.h"
#include "kernels/families.h"

namespace edgewright {
namespace {

using namespace reference;

// The value between the elements of one plane, multilinear; what lies outside counts as zero.
template <class T>
T sample(const T* plane, const Dims& dims, const std::vector<T>& at) {
  const size_t rank = dims.size();
  for (size_t axis = 0; axis < rank; ++axis) {
    if (!(at[axis] > -1 && at[axis] < static_cast<T>(dims[axis]))) return 0;
  }
  T sum = 0;
  for (size_t corner = 0; corner < (size_t{1} << rank); ++corner) {
    T weight = 1;
    int64_t offset = 0;
    bool inside = true;
    for (size_t axis = 0; axis < rank; ++axis) {
      const T low = std::floor(at[axis]);
      const bool upper = (corner >> axis & 1) != 0;
      const int64_t i = static_cast<int64_t>(low) + (upper ? 1 : 0);
      weight *= upper ? at[axis] - low : 1 - (at[axis] - low);
      inside = inside && i >= 0 && i < dims[axis];
      offset = offset * dims[axis] + i;
    }
    if (inside && weight != 0) sum += weight * plane[offset];
  }
  return sum;
}

template <class T>
struct Deformed {
  ConvShape shape;
  Operand<T> x, w, offset, mask;
  int64_t offset_groups = 1;
};

template <class T>
Status check_offsets(const OpCall& call, const Deformed<T>& d) {
  const int64_t taps = span_count(d.shape.window.kernel, 0);
  const auto rank = static_cast<int64_t>(d.shape.window.rank());
  if (d.offset_groups < 1 || d.x.dim(1) % d.offset_groups != 0 || rank > 8) {
    return bad_input("{} of {} channels and {} spatial axes has offset_group {}", call.op,
                     d.x.dim(1), rank, d.offset_groups);
  }
  Dims dims{d.shape.batch, d.offset_groups * taps * rank};
  dims.insert(dims.end(), d.shape.window.output.begin(), d.shape.window.output.end());
  EDGEWRIGHT_TRY(expect_dims(call, "offset", *d.offset.tensor, dims));
  dims[1] = d.offset_groups * taps;
  if (d.mask) EDGEWRIGHT_TRY(expect_dims(call, "mask", *d.mask.tensor, dims));
  return {};
}

// Adds the share of input channel c (of all) at one tap to every output channel of its group.
template <class T>
void accumulate_tap(const Deformed<T>& d, int64_t n, int64_t c, int64_t tap_number,
                    std::span<const int64_t> tap, T* y) {
  const Window& w = d.shape.window;
  const size_t rank = w.rank();
  const int64_t taps = span_count(w.kernel, 0);
  const int64_t in_plane = span_count(w.input, 0);
  const int64_t out_plane = span_count(w.output, 0);
  const int64_t group = c / d.shape.in_channels;
  const int64_t tap_at =
      (n * d.offset_groups + c / (d.x.dim(1) / d.offset_groups)) * taps + tap_number;
  const T* offsets = d.offset.data + tap_at * static_cast<int64_t>(rank) * out_plane;
  Dims position(rank, 0);
  std::vector<T> at(rank);
  int64_t o = 0;
  do {
    for (size_t axis = 0; axis < rank; ++axis) {
      at[axis] = static_cast<T>(w.at(axis, position[axis], tap[axis])) +
                 offsets[static_cast<int64_t>(axis) * out_plane + o];
    }
    T value = sample(d.x.data + (n * d.x.dim(1) + c) * in_plane, w.input, at);
    if (d.mask) value *= d.mask[tap_at * out_plane + o];
    for (int64_t m = 0; m < d.shape.out_channels; ++m) {
      const int64_t out = group * d.shape.out_channels + m;
      const T weight =
          d.w[(out * d.shape.in_channels + c % d.shape.in_channels) * taps + tap_number];
      y[(n * d.shape.groups * d.shape.out_channels + out) * out_plane + o] += weight * value;
    }
    ++o;
  } while (next_index(w.output, position));
}

template <class T>
Status deform_conv(OpCall& call) {
  Deformed<T> d;
  EDGEWRIGHT_ASSIGN(d.x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(d.w, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(d.offset, operand<T>(call, 2));
  EDGEWRIGHT_ASSIGN(const Operand<T> bias, optional_operand<T>(call, 3));
  EDGEWRIGHT_ASSIGN(d.mask, optional_operand<T>(call, 4));
  EDGEWRIGHT_ASSIGN(d.shape, conv_shape(call, *d.x.tensor, *d.w.tensor));
  d.offset_groups = call.attributes->get_int("offset_group", 1);
  EDGEWRIGHT_TRY(check_offsets(call, d));
  if (bias) EDGEWRIGHT_TRY(expect_dims(call, "the bias", *bias.tensor, {d.w.dim(0)}));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, d.x.dtype(), d.shape.output_dims()));
  const Window& w = d.shape.window;
  if (bias) add_bias(bias.data, d.shape.batch, d.w.dim(0), span_count(w.output, 0), y.data);
  if (y.count() == 0) return y.finish();
  for (int64_t i = 0; i < d.shape.batch * d.x.dim(1); ++i) {
    Dims tap(w.rank(), 0);
    int64_t number = 0;
    do {
      accumulate_tap(d, i / d.x.dim(1), i % d.x.dim(1), number++, tap, y.data);
    } while (next_index(w.kernel, tap));
  }
  return y.finish();
}

Result<Dims> positive_dims(OpCall& call, size_t i) {
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> x, operand<int64_t>(call, i));
  Dims dims(x.data, x.data + x.count());
  for (const int64_t dim : dims) {
    if (dim < 1 || dim > (int64_t{1} << 31)) {
      return bad_input("input {} of {} holds {}, expected 1 to 2^31", i, call.op, dim);
    }
  }
  EDGEWRIGHT_TRY(checked_element_count(dims).ok() ? Status() : checked_element_count(dims).error());
  return dims;
}

// Adds the columns of one tap, one element per block, to one channel of the image.
template <class T>
void fold_tap(const Window& w, std::span<const int64_t> tap, const T* columns, T* image) {
  Dims block(w.rank(), 0);
  do {
    int64_t offset = 0;
    bool inside = true;
    for (size_t axis = 0; axis < w.rank(); ++axis) {
      const int64_t at = w.at(axis, block[axis], tap[axis]);
      inside = inside && at >= 0 && at < w.input[axis];
      offset = inside ? offset * w.input[axis] + at : 0;
    }
    if (inside) image[offset] += *columns;
    ++columns;
  } while (next_index(w.output, block));
}

template <class T>
Status col2im_as(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Dims image, positive_dims(call, 1));
  EDGEWRIGHT_ASSIGN(const Dims block, positive_dims(call, 2));
  EDGEWRIGHT_TRY(expect_rank(call, "the input", *x.tensor, 3));
  EDGEWRIGHT_ASSIGN(const Window w, sliding_window(call, image, block));
  const int64_t taps = span_count(block, 0);
  EDGEWRIGHT_ASSIGN(const int64_t blocks, checked_element_count(w.output));
  if (x.dim(1) % taps != 0 || x.dim(2) != blocks) {
    return bad_input("{} of {}: image {} and block {} make {} blocks of {} elements", call.op,
                     dims_text(x.dims()), dims_text(image), dims_text(block), blocks, taps);
  }
  Dims dims{x.dim(0), x.dim(1) / taps};
  dims.insert(dims.end(), image.begin(), image.end());
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), dims));
  const int64_t plane = span_count(image, 0);
  const T* columns = x.data;
  for (int64_t i = 0; i < dims[0] * dims[1] && blocks > 0; ++i) {
    Dims tap(w.rank(), 0);
    do {
      fold_tap(w, tap, columns, y.data + i * plane);
      columns += blocks;
    } while (next_index(block, tap));
  }
  return y.finish();
}

Status col2im(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  if (x->dtype() == DType::kFloat64) return col2im_as<double>(call);
  return is_integer(x->dtype()) ? col2im_as<int64_t>(call) : col2im_as<float>(call);
}

constexpr ReferenceKernel kKernels[] = {
    {"", "DeformConv", real<deform_conv<float>, deform_conv<double>>},
    {"", "Col2Im", col2im},
};

}  // namespace

std::span<const ReferenceKernel> deform_conv_reference_kernels() { return kKernels; }

}  // namespace edgewright
