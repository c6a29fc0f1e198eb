// Pooling over regions of interest.
#include <cmath>
#include <limits>

#include "kernels/families.h"
#include "kernels/reference/operand.h"

namespace edgewright {
namespace {

using namespace reference;

// Samples per bin and axis; more would only be asked for by a region far larger than any image.
constexpr int64_t kMostSamples = 4096;

struct Regions {
  int64_t count = 0;
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t out_height = 1;
  int64_t out_width = 1;
  Dims dims() const { return {count, channels, out_height, out_width}; }
};

template <class T>
Result<Regions> regions_of(const OpCall& call, const Operand<T>& x, const Operand<T>& rois,
                           int64_t columns, int64_t out_height, int64_t out_width) {
  EDGEWRIGHT_TRY(expect_rank(call, "X", *x.tensor, 4));
  EDGEWRIGHT_TRY(expect_rank(call, "rois", *rois.tensor, 2));
  if (rois.dim(1) != columns || out_height < 1 || out_width < 1) {
    return bad_input(
        "{} with rois {} and an output of {} x {}, expected {} columns and a positive "
        "size",
        call.op, dims_text(rois.dims()), out_height, out_width, columns);
  }
  if (x.dim(2) == 0 || x.dim(3) == 0) {
    return bad_input("{} of the empty image {}", call.op, dims_text(x.dims()));
  }
  return Regions{rois.dim(0), x.dim(1), x.dim(2), x.dim(3), out_height, out_width};
}

Result<int64_t> checked_batch(const OpCall& call, double index, int64_t batches) {
  if (index >= 0 && index < static_cast<double>(batches)) return static_cast<int64_t>(index);
  return bad_input("{} names image {} of {}", call.op, index, batches);
}

// Rounds to a pixel; coordinates far outside are held where the arithmetic stays exact.
int64_t pixel(double value) {
  return static_cast<int64_t>(std::clamp(std::round(value), -1e9, 1e9));
}

struct Span {
  int64_t first = 0;
  int64_t last = 0;
};
// Pixels of bin `i` of `bins` over [start, start + length), inside the image.
Span bin_span(int64_t i, int64_t bins, int64_t start, int64_t length, int64_t size) {
  const double step = static_cast<double>(length) / static_cast<double>(bins);
  const auto at = [&](double edge) {
    return std::clamp<int64_t>(static_cast<int64_t>(edge) + start, 0, size);
  };
  return {at(std::floor(static_cast<double>(i) * step)),
          at(std::ceil(static_cast<double>(i + 1) * step))};
}

template <class T>
Status max_roi_pool(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> rois, operand<T>(call, 1));
  const Dims shape = call.attributes->get_ints("pooled_shape");
  if (shape.size() != 2) return bad_input("{} needs a pooled_shape of 2 values", call.op);
  EDGEWRIGHT_ASSIGN(const Regions r, regions_of(call, x, rois, 5, shape[0], shape[1]));
  const double scale = call.attributes->get_float("spatial_scale", 1);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), r.dims()));
  T* out = y.data;
  for (int64_t n = 0; n < r.count; ++n) {
    const T* roi = rois.data + n * 5;
    EDGEWRIGHT_ASSIGN(const int64_t batch, checked_batch(call, roi[0], x.dim(0)));
    const int64_t left = pixel(roi[1] * scale);
    const int64_t top = pixel(roi[2] * scale);
    const int64_t wide = std::max<int64_t>(pixel(roi[3] * scale) - left + 1, 1);
    const int64_t high = std::max<int64_t>(pixel(roi[4] * scale) - top + 1, 1);
    for (int64_t c = 0; c < r.channels; ++c) {
      const T* plane = x.data + (batch * r.channels + c) * r.height * r.width;
      for (int64_t i = 0; i < r.out_height * r.out_width; ++i) {
        const Span rows = bin_span(i / r.out_width, r.out_height, top, high, r.height);
        const Span columns = bin_span(i % r.out_width, r.out_width, left, wide, r.width);
        const bool empty = rows.first >= rows.last || columns.first >= columns.last;
        T best = empty ? 0 : -std::numeric_limits<T>::infinity();
        for (int64_t h = rows.first; h < rows.last; ++h) {
          for (int64_t w = columns.first; w < columns.last; ++w) {
            best = std::max(best, plane[h * r.width + w]);
          }
        }
        *out++ = best;
      }
    }
  }
  return y.finish();
}

// A sampling point between four pixels.
template <class T>
struct Point {
  int64_t at[4] = {0, 0, 0, 0};
  T weight[4] = {0, 0, 0, 0};
};

template <class T>
Point<T> point_at(T row, T column, int64_t height, int64_t width) {
  Point<T> point;
  if (!(row >= -1 && row <= static_cast<T>(height) && column >= -1 &&
        column <= static_cast<T>(width))) {
    return point;
  }
  row = std::clamp<T>(row, 0, static_cast<T>(height - 1));
  column = std::clamp<T>(column, 0, static_cast<T>(width - 1));
  const auto top = static_cast<int64_t>(row);
  const auto left = static_cast<int64_t>(column);
  const int64_t bottom = std::min(top + 1, height - 1);
  const int64_t right = std::min(left + 1, width - 1);
  const T down = row - static_cast<T>(top);
  const T across = column - static_cast<T>(left);
  return {{top * width + left, top * width + right, bottom * width + left, bottom * width + right},
          {(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across}};
}

template <class T>
struct Bin {
  T top, left, high, wide;  // of one bin, in pixels
  int64_t rows, columns;    // samples in it
};

template <class T>
T pool_bin(const Bin<T>& bin, const T* plane, const Regions& r, bool maximum) {
  T sum = 0;
  T best = -std::numeric_limits<T>::infinity();
  for (int64_t i = 0; i < bin.rows; ++i) {
    const T row = bin.top + (static_cast<T>(i) + T{0.5}) * bin.high / static_cast<T>(bin.rows);
    for (int64_t j = 0; j < bin.columns; ++j) {
      const T column =
          bin.left + (static_cast<T>(j) + T{0.5}) * bin.wide / static_cast<T>(bin.columns);
      const Point<T> point = point_at(row, column, r.height, r.width);
      for (int k = 0; k < 4; ++k) {
        const T term = point.weight[k] * plane[point.at[k]];
        sum += term;
        best = std::max(best, term);
      }
    }
  }
  return maximum ? best : sum / static_cast<T>(std::max<int64_t>(bin.rows * bin.columns, 1));
}

template <class T>
Result<int64_t> samples(const OpCall& call, int64_t ratio, T size) {
  if (ratio > 0) return std::min(ratio, kMostSamples);
  if (!(std::ceil(size) <= static_cast<T>(kMostSamples))) {
    return bad_input("{} has a bin of {} pixels, expected at most {}", call.op, size, kMostSamples);
  }
  return std::max<int64_t>(static_cast<int64_t>(std::ceil(size)), 0);
}

// The first bin of a region; the others lie whole bins further.
template <class T>
Result<Bin<T>> first_bin(const OpCall& call, const T* roi, const Regions& r, bool aligned) {
  const auto scale = static_cast<T>(call.attributes->get_float("spatial_scale", 1));
  const T shift = aligned ? T{0.5} : T{0};
  const T left = roi[0] * scale - shift;
  const T top = roi[1] * scale - shift;
  T wide = roi[2] * scale - shift - left;
  T high = roi[3] * scale - shift - top;
  if (!aligned) {
    wide = std::max<T>(wide, 1);
    high = std::max<T>(high, 1);
  }
  const int64_t ratio = call.attributes->get_int("sampling_ratio", 0);
  Bin<T> bin{top, left, high / static_cast<T>(r.out_height), wide / static_cast<T>(r.out_width),
             0,   0};
  EDGEWRIGHT_ASSIGN(bin.rows, samples(call, ratio, bin.high));
  EDGEWRIGHT_ASSIGN(bin.columns, samples(call, ratio, bin.wide));
  return bin;
}

template <class T>
Status roi_align(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> rois, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> batches, operand<int64_t>(call, 2));
  const Attributes& a = *call.attributes;
  EDGEWRIGHT_ASSIGN(const Regions r, regions_of(call, x, rois, 4, a.get_int("output_height", 1),
                                                a.get_int("output_width", 1)));
  EDGEWRIGHT_TRY(expect_dims(call, "batch_indices", *batches.tensor, {r.count}));
  const bool aligned = a.get_string("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const std::string mode = a.get_string("mode", "avg");
  if (mode != "avg" && mode != "max") return bad_input("{} has mode '{}'", call.op, mode);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), r.dims()));
  T* out = y.data;
  for (int64_t n = 0; n < r.count; ++n) {
    EDGEWRIGHT_ASSIGN(const int64_t batch,
                      checked_batch(call, static_cast<double>(batches[n]), x.dim(0)));
    EDGEWRIGHT_ASSIGN(const Bin<T> first, first_bin(call, rois.data + n * 4, r, aligned));
    for (int64_t c = 0; c < r.channels; ++c) {
      const T* plane = x.data + (batch * r.channels + c) * r.height * r.width;
      for (int64_t i = 0; i < r.out_height * r.out_width; ++i) {
        Bin<T> bin = first;
        bin.top += static_cast<T>(i / r.out_width) * bin.high;
        bin.left += static_cast<T>(i % r.out_width) * bin.wide;
        *out++ = pool_bin(bin, plane, r, mode == "max");
      }
    }
  }
  return y.finish();
}

constexpr ReferenceKernel kKernels[] = {
    {"", "MaxRoiPool", real<max_roi_pool<float>, max_roi_pool<double>>},
    {"", "RoiAlign", real<roi_align<float>, roi_align<double>>},
};

}  // namespace

std::span<const ReferenceKernel> roi_reference_kernels() { return kKernels; }

}  // namespace edgewright
