// Fourier transforms, windows and mel filters.
#include <cmath>
#include <numbers>
#include <vector>

#include "kernels/families.h"
#include "kernels/reference/operand.h"
#include "kernels/signal/mixed_radix.h"

namespace edgewright {
namespace {

using namespace reference;

// Longest window.
constexpr int64_t kLongest = int64_t{1} << 20;

// One transform along an axis: `in` elements are `in_step` apart, each one or two numbers.
struct Line {
  int64_t length = 0;  // of the transform
  int64_t given = 0;   // input elements, at most length; the rest is zero
  int64_t made = 0;    // output elements
  int64_t step = 1;    // between elements, in elements
  bool complex_in = false;
  bool complex_out = true;
  bool inverse = false;
  bool mirrored = false;  // the input is the first half of a spectrum with conjugate symmetry
};

// Element i of the input as a complex number; beyond what is given it is zero.
template <class Work, class T>
Complex<Work> element(const Line& line, const T* in, int64_t i) {
  const bool mirror = line.mirrored && i > line.length / 2;
  const int64_t at = mirror ? line.length - i : i;
  if (at >= line.given) return {};
  const T* from = in + at * line.step * (line.complex_in ? 2 : 1);
  const Work re = from[0];
  if (!line.complex_in) return {re, 0};
  const Work im = from[1];
  return {re, mirror ? -im : im};
}

// Transforms of one length, with working memory, computed in Work.
template <class Work>
struct Transform {
  MixedRadix<Work> radix;
  std::vector<Complex<Work>> values, work;

  static Result<Transform> make(int64_t length) {
    EDGEWRIGHT_ASSIGN(auto radix, MixedRadix<Work>::plan(length));
    const std::vector<Complex<Work>> room(static_cast<size_t>(length));
    return Transform{std::move(radix), room, room};
  }

  template <class T>
  void run(const Line& line, const T* in, T* out) {
    for (int64_t i = 0; i < line.length; ++i) {
      values[static_cast<size_t>(i)] = element<Work>(line, in, i);
    }
    radix.run(values.data(), work.data(), line.inverse);
    const auto scale = static_cast<Work>(line.inverse ? 1.0 / static_cast<double>(line.length) : 1);
    for (int64_t k = 0; k < line.made; ++k) {
      const Complex<Work> value = values[static_cast<size_t>(k)];
      T* to = out + k * line.step * (line.complex_out ? 2 : 1);
      to[0] = static_cast<T>(value.re * scale);
      if (line.complex_out) to[1] = static_cast<T>(value.im * scale);
    }
  }
};

Status expect_parts(const OpCall& call, const Tensor& x) {
  if (x.rank() >= 2 && (x.dim(x.rank() - 1) == 1 || x.dim(x.rank() - 1) == 2)) return {};
  return bad_input("{} of shape {}, expected a last dimension of 1 (real) or 2 (complex)", call.op,
                   dims_text(x.dims()));
}

Result<int64_t> checked_length(const OpCall& call, int64_t length) {
  if (length >= 1 && length <= kLongest) return length;
  return bad_input("{} of length {}, expected 1 to {}", call.op, length, kLongest);
}

Result<Line> dft_line(OpCall& call, const Tensor& x, size_t axis) {
  const bool onesided = call.attributes->get_int("onesided", 0) != 0;
  Line line;
  line.inverse = call.attributes->get_int("inverse", 0) != 0;
  line.complex_in = x.dim(x.rank() - 1) == 2;
  line.mirrored = onesided && line.inverse;
  line.complex_out = !line.mirrored;
  if (onesided && line.complex_in != line.inverse) {
    return bad_input("onesided {} of {} input", line.inverse ? "inverse DFT" : "DFT",
                     line.complex_in ? "complex" : "real");
  }
  const int64_t size = x.dim(axis);
  EDGEWRIGHT_ASSIGN(line.length,
                    scalar_operand_or<int64_t>(call, 1, line.mirrored ? 2 * (size - 1) : size));
  EDGEWRIGHT_ASSIGN(line.length, checked_length(call, line.length));
  line.given = std::min(size, line.length);
  line.made = onesided && !line.inverse ? line.length / 2 + 1 : line.length;
  return line;
}

// `lines` lines of which line.step lie interleaved; `size` input elements each.
template <class Work, class T>
Status run_lines(const Line& line, int64_t lines, int64_t size, const T* in, T* out) {
  EDGEWRIGHT_ASSIGN(auto transform, Transform<Work>::make(line.length));
  const int64_t in_width = line.complex_in ? 2 : 1;
  const int64_t out_width = line.complex_out ? 2 : 1;
  for (int64_t i = 0; i < lines; ++i) {
    const int64_t outer = i / line.step;
    const int64_t within = i % line.step;
    transform.run(line, in + (outer * size * line.step + within) * in_width,
                  out + (outer * line.made * line.step + within) * out_width);
  }
  return {};
}

template <class T>
Status dft(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_TRY(expect_parts(call, *x.tensor));
  EDGEWRIGHT_ASSIGN(const int64_t named, scalar_operand_or<int64_t>(call, 2, -2));
  EDGEWRIGHT_ASSIGN(const size_t axis, axis_of(call, named, x.rank()));
  if (axis + 1 == x.rank()) return bad_input("{} along the axis of the complex parts", call.op);
  EDGEWRIGHT_ASSIGN(Line line, dft_line(call, *x.tensor, axis));
  const int64_t inner = span_count(x.dims(), axis + 1, x.rank() - 1);
  line.step = inner;
  Dims dims = x.dims();
  dims[axis] = line.made;
  dims.back() = line.complex_out ? 2 : 1;
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), dims));
  const int64_t lines = span_count(x.dims(), 0, axis) * inner;
  // Real input is transformed in double, complex input in its own type: the zeros of the backend
  // suite's expected values hold the rounding of just that.
  EDGEWRIGHT_TRY(line.complex_in ? run_lines<T>(line, lines, x.dim(axis), x.data, y.data)
                                 : run_lines<double>(line, lines, x.dim(axis), x.data, y.data));
  return y.finish();
}

template <class T>
Status stft(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const int64_t step, scalar_operand<int64_t>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<T> window, optional_operand<T>(call, 2));
  // [batch, length] is a real signal without its last dimension of 1.
  Dims shape = x.dims();
  if (shape.size() == 2) shape.push_back(1);
  if (shape.size() != 3 || (shape[2] != 1 && shape[2] != 2) || step < 1) {
    return bad_input("{} of shape {} with frame_step {}", call.op, dims_text(x.dims()), step);
  }
  EDGEWRIGHT_ASSIGN(int64_t length,
                    scalar_operand_or<int64_t>(call, 3, window ? window.count() : shape[1]));
  EDGEWRIGHT_ASSIGN(length, checked_length(call, length));
  if (length > shape[1] || (window && (window.rank() != 1 || window.count() != length))) {
    return bad_input("{} has frames of {} over a signal of {} and a window of {}", call.op, length,
                     shape[1], window ? window.count() : 0);
  }
  Line line;
  line.length = line.given = length;
  line.complex_in = shape[2] == 2;
  const bool onesided = call.attributes->get_int("onesided", 1) != 0 && !line.complex_in;
  line.made = onesided ? length / 2 + 1 : length;
  const int64_t frames = (shape[1] - length) / step + 1;
  EDGEWRIGHT_ASSIGN(const Computed<T> y,
                    computed<T>(call, 0, x.dtype(), {shape[0], frames, line.made, 2}));
  EDGEWRIGHT_ASSIGN(auto transform, Transform<double>::make(length));
  EDGEWRIGHT_ASSIGN(T * frame, scratch_array<T>(call, length * shape[2]));
  for (int64_t i = 0; i < shape[0] * frames; ++i) {
    const T* from = x.data + (i / frames * shape[1] + i % frames * step) * shape[2];
    for (int64_t j = 0; j < length * shape[2]; ++j) {
      frame[j] = window ? from[j] * window[j / shape[2]] : from[j];
    }
    transform.run(line, frame, y.data + i * line.made * 2);
  }
  return y.finish();
}

Result<DType> output_type(const OpCall& call) {
  const int64_t named = call.attributes->get_int("output_datatype", 1);
  const auto dtype = static_cast<DType>(named);
  if (named > 0 && named < kDTypeCount &&
      (is_real(dtype) || (is_integer(dtype) && dtype_bits(dtype) >= 8))) {
    return dtype;
  }
  return bad_input("{} has output_datatype {}", call.op, named);
}

// A sum of cosines: a0 - a1 cos(2 pi k / n) + a2 cos(4 pi k / n).
Status cosine_window(OpCall& call, double a0, double a1, double a2) {
  EDGEWRIGHT_ASSIGN(const int64_t size, scalar_operand<int64_t>(call, 0));
  EDGEWRIGHT_ASSIGN(const DType dtype, output_type(call));
  if (size < 0) return bad_input("{} of size {}", call.op, size);
  const bool periodic = call.attributes->get_int("periodic", 1) != 0;
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, dtype, {size}));
  const auto period = static_cast<double>(std::max<int64_t>(periodic ? size : size - 1, 1));
  for (int64_t k = 0; k < size; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / period;
    store_double(dtype, y->mutable_bytes(), k,
                 a0 - a1 * std::cos(angle) + a2 * std::cos(2 * angle));
  }
  return {};
}
Status hann_window(OpCall& call) { return cosine_window(call, 0.5, 0.5, 0); }
// The rational coefficients are those of the operator's definition.
Status hamming_window(OpCall& call) { return cosine_window(call, 25.0 / 46, 21.0 / 46, 0); }
Status blackman_window(OpCall& call) { return cosine_window(call, 0.42, 0.5, 0.08); }

double mel(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double hertz(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

Status mel_weight_matrix(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const int64_t bins, scalar_operand<int64_t>(call, 0));
  EDGEWRIGHT_ASSIGN(const int64_t length, scalar_operand<int64_t>(call, 1));
  EDGEWRIGHT_ASSIGN(const int64_t rate, scalar_operand<int64_t>(call, 2));
  EDGEWRIGHT_ASSIGN(const double lower, scalar_operand<double>(call, 3));
  EDGEWRIGHT_ASSIGN(const double upper, scalar_operand<double>(call, 4));
  EDGEWRIGHT_ASSIGN(const DType dtype, output_type(call));
  if (bins < 1 || bins > kLongest || length < 1 || length > kLongest || rate < 1 ||
      !(lower >= 0 && lower <= upper && upper <= static_cast<double>(rate))) {
    return bad_input("{} of {} bins, length {}, rate {}, from {} to {} Hz", call.op, bins, length,
                     rate, lower, upper);
  }
  const int64_t rows = length / 2 + 1;
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(0, dtype, {rows, bins}));
  std::fill_n(y->mutable_bytes(), y->size_bytes(), std::byte{0});
  // Edges of the triangles in spectrogram bins.
  const auto edge = [&](int64_t i) {
    const double step = (mel(upper) - mel(lower)) / static_cast<double>(bins + 2);
    const double frequency = hertz(mel(lower) + static_cast<double>(i) * step);
    return static_cast<int64_t>(
        std::floor(static_cast<double>(length + 1) * frequency / static_cast<double>(rate)));
  };
  for (int64_t i = 0; i < bins; ++i) {
    const int64_t low = edge(i);
    const int64_t centre = edge(i + 1);
    const int64_t high = edge(i + 2);
    const auto put = [&](int64_t row, double value) {
      if (row < rows) store_double(dtype, y->mutable_bytes(), row * bins + i, value);
    };
    if (low == centre) put(centre, 1);
    for (int64_t j = low; j <= std::min(centre, rows) && low < centre; ++j) {
      put(j, static_cast<double>(j - low) / static_cast<double>(centre - low));
    }
    for (int64_t j = centre; j < std::min(high, rows) && centre < high; ++j) {
      put(j, static_cast<double>(high - j) / static_cast<double>(high - centre));
    }
  }
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "DFT", real<dft<float>, dft<double>>},
    {"", "STFT", real<stft<float>, stft<double>>},
    {"", "HannWindow", hann_window},
    {"", "HammingWindow", hamming_window},
    {"", "BlackmanWindow", blackman_window},
    {"", "MelWeightMatrix", mel_weight_matrix},
};

}  // namespace

std::span<const ReferenceKernel> signal_reference_kernels() { return kKernels; }

}  // namespace edgewright
