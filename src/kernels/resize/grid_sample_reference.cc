// Sampling at given positions, and the positions of an affine map.
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/operand.h"

namespace edgewright {
namespace {

using namespace reference;

enum class Padding { kZeros, kBorder, kReflection };
enum class Mode { kNearest, kLinear, kCubic };

// At most 4 positions along one axis and their weights; -1 is outside.
struct Taps {
  int count = 0;
  int64_t at[4] = {};
  double weight[4] = {};
};

// Mirrors x at both ends of [low, high].
double reflect(double x, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double distance = std::fmod(std::fabs(x - low), 2 * range);
  return low + (distance <= range ? distance : 2 * range - distance);
}

struct Sampler {
  Mode mode = Mode::kLinear;
  Padding padding = Padding::kZeros;
  bool align_corners = false;

  double low() const { return align_corners ? 0 : -0.5; }
  double high(int64_t size) const { return static_cast<double>(size) - (align_corners ? 1 : 0.5); }
  int64_t padded(int64_t i, int64_t size) const {
    if (i >= 0 && i < size) return i;
    if (padding == Padding::kZeros) return -1;
    if (padding == Padding::kBorder) return std::clamp<int64_t>(i, 0, size - 1);
    const double mirrored = reflect(static_cast<double>(i), low(), high(size));
    return std::clamp<int64_t>(static_cast<int64_t>(std::floor(mirrored)), 0, size - 1);
  }
  Taps taps(double normal, int64_t size) const;
};

double cubic_weight(double distance) {
  constexpr double kA = -0.75;  // fixed by the specification of GridSample
  const double d = std::fabs(distance);
  if (d <= 1) return ((kA + 2) * d - (kA + 3)) * d * d + 1;
  return d < 2 ? ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA : 0;
}

// `normal` is -1 at the first and 1 at the last position of an axis.
Taps Sampler::taps(double normal, int64_t size) const {
  const auto extent = static_cast<double>(size);
  double x = align_corners ? (normal + 1) / 2 * (extent - 1) : ((normal + 1) * extent - 1) / 2;
  if (std::isnan(x)) x = -1e9;
  if (mode == Mode::kNearest) x = std::nearbyint(x);
  if (x < low() || x > high(size)) {
    if (padding == Padding::kBorder) x = std::clamp(x, 0.0, extent - 1);
    if (padding == Padding::kReflection && std::isfinite(x)) x = reflect(x, low(), high(size));
  }
  x = std::clamp(x, -1e9, 1e9 + extent);
  Taps taps;
  if (mode == Mode::kNearest) {
    taps.count = 1;
    taps.at[0] = padded(static_cast<int64_t>(std::nearbyint(x)), size);
    taps.weight[0] = 1;
    return taps;
  }
  const bool cubic = mode == Mode::kCubic;
  taps.count = cubic ? 4 : 2;
  const auto first = static_cast<int64_t>(std::floor(x)) - (cubic ? 1 : 0);
  for (int k = 0; k < taps.count; ++k) {
    const double distance = x - static_cast<double>(first + k);
    taps.at[k] = padded(first + k, size);
    taps.weight[k] = cubic ? cubic_weight(distance) : std::max(1 - std::fabs(distance), 0.0);
  }
  return taps;
}

Result<Sampler> sampler_of(const OpCall& call) {
  const std::string mode = call.attributes->get_string("mode", "linear");
  const std::string padding = call.attributes->get_string("padding_mode", "zeros");
  Sampler sampler;
  sampler.align_corners = call.attributes->get_int("align_corners", 0) != 0;
  // The names before opset 20 say the same.
  if (mode == "nearest") {
    sampler.mode = Mode::kNearest;
  } else if (mode == "cubic" || mode == "bicubic") {
    sampler.mode = Mode::kCubic;
  } else if (mode != "linear" && mode != "bilinear") {
    return bad_input("{} has mode '{}'", call.op, mode);
  }
  if (padding == "border") {
    sampler.padding = Padding::kBorder;
  } else if (padding == "reflection") {
    sampler.padding = Padding::kReflection;
  } else if (padding != "zeros") {
    return bad_input("{} has padding_mode '{}'", call.op, padding);
  }
  return sampler;
}

// The value of one plane at the given taps of every axis.
template <class T>
double weighted(const T* plane, const Dims& dims, size_t first_axis,
                const std::vector<Taps>& taps) {
  double sum = 0;
  int choice[8] = {};
  for (;;) {
    double weight = 1;
    int64_t offset = 0;
    bool inside = true;
    for (size_t axis = 0; axis < taps.size(); ++axis) {
      const int64_t at = taps[axis].at[choice[axis]];
      weight *= taps[axis].weight[choice[axis]];
      inside = inside && at >= 0;
      offset = offset * dims[first_axis + axis] + at;
    }
    if (inside && weight != 0) sum += weight * static_cast<double>(plane[offset]);
    size_t axis = taps.size();
    while (axis-- > 0) {
      if (++choice[axis] < taps[axis].count) break;
      choice[axis] = 0;
    }
    if (axis >= taps.size()) return sum;
  }
}

Status check_grid(const OpCall& call, const Tensor& x, const Tensor& grid) {
  const bool fits = x.rank() >= 3 && x.rank() <= 10 && grid.rank() == x.rank() &&
                    grid.dim(0) == x.dim(0) &&
                    grid.dim(grid.rank() - 1) == static_cast<int64_t>(x.rank()) - 2;
  if (!fits) {
    return bad_input("{} of X {} and grid {}", call.op, dims_text(x.dims()),
                     dims_text(grid.dims()));
  }
  if (span_count(x.dims(), 2) == 0 && grid.element_count() > 0) {
    return bad_input("{} of the empty X {}", call.op, dims_text(x.dims()));
  }
  return {};
}

template <class T>
Status sample_grid(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<double> grid, operand<double>(call, 1));
  EDGEWRIGHT_TRY(check_grid(call, *x.tensor, *grid.tensor));
  EDGEWRIGHT_ASSIGN(const Sampler sampler, sampler_of(call));
  const size_t rank = x.rank() - 2;
  Dims dims{x.dim(0), x.dim(1)};
  dims.insert(dims.end(), grid.dims().begin() + 1, grid.dims().end() - 1);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), dims));
  const int64_t channels = x.dim(1);
  const int64_t in_plane = span_count(x.dims(), 2);
  const int64_t out_plane = span_count(dims, 2);
  std::vector<Taps> taps(rank);
  for (int64_t i = 0; i < dims[0] * out_plane && channels > 0; ++i) {
    // The grid names the last axis first.
    const double* position = grid.data + i * static_cast<int64_t>(rank);
    for (size_t axis = 0; axis < rank; ++axis) {
      taps[axis] = sampler.taps(position[rank - 1 - axis], x.dim(axis + 2));
    }
    const int64_t n = i / out_plane * channels;
    for (int64_t c = 0; c < channels; ++c) {
      y[(n + c) * out_plane + i % out_plane] =
          static_cast<T>(weighted(x.data + (n + c) * in_plane, x.dims(), 2, taps));
    }
  }
  return y.finish();
}

Status grid_sample(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  const bool exact = x->dtype() == DType::kFloat64 || is_integer(x->dtype());
  return exact ? sample_grid<double>(call) : sample_grid<float>(call);
}

template <class T>
Status affine_grid(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> theta, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> size, operand<int64_t>(call, 1));
  const int64_t rank = size.count() - 2;  // spatial axes
  if (size.rank() != 1 || (rank != 2 && rank != 3)) {
    return bad_input("{} has a size of shape {}, expected 4 or 5 values", call.op,
                     dims_text(size.dims()));
  }
  EDGEWRIGHT_TRY(expect_dims(call, "theta", *theta.tensor, {size[0], rank, rank + 1}));
  const bool align = call.attributes->get_int("align_corners", 0) != 0;
  Dims dims{size[0]};
  dims.insert(dims.end(), size.data + 2, size.data + size.count());
  const Dims positions(dims.begin() + 1, dims.end());
  dims.push_back(rank);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, theta.dtype(), dims));
  if (y.count() == 0) return y.finish();
  T* out = y.data;
  for (int64_t n = 0; n < dims[0]; ++n) {
    const T* map = theta.data + n * rank * (rank + 1);
    Dims index(positions.size(), 0);
    do {
      for (int64_t row = 0; row < rank; ++row) {
        T sum = map[row * (rank + 1) + rank];
        for (int64_t column = 0; column < rank; ++column) {
          // Coordinates run from the last axis to the first.
          const auto axis = static_cast<size_t>(rank - 1 - column);
          const auto i = static_cast<T>(index[axis]);
          const auto extent = static_cast<T>(positions[axis]);
          const T at = !align       ? (2 * i + 1) / extent - 1
                       : extent > 1 ? 2 * i / (extent - 1) - 1
                                    : T{0};
          sum += map[row * (rank + 1) + column] * at;
        }
        *out++ = sum;
      }
    } while (next_index(positions, index));
  }
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"", "GridSample", grid_sample},
    {"", "AffineGrid", real<affine_grid<float>, affine_grid<double>>},
};

}  // namespace

std::span<const ReferenceKernel> grid_sample_reference_kernels() { return kKernels; }

}  // namespace edgewright
