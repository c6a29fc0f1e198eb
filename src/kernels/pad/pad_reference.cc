// Pad in every mode, and CenterCropPad.
#include <algorithm>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/elements.h"
#include "kernels/reference/walk.h"

namespace edgewright {
namespace {

using namespace reference;

enum class PadMode : uint8_t { kConstant, kReflect, kEdge, kWrap };

Result<PadMode> pad_mode(const OpCall& call) {
  const std::string mode = call.attributes->get_string("mode", "constant");
  if (mode == "constant") return PadMode::kConstant;
  if (mode == "reflect") return PadMode::kReflect;
  if (mode == "edge") return PadMode::kEdge;
  if (mode == "wrap") return PadMode::kWrap;
  return bad_input("Pad: mode \"{}\" is none of constant, reflect, edge, wrap", mode);
}

struct PadWidths {
  Dims before, after;  // per axis; negative ones crop
  Dims out_dims;
};

// Largest width that is added to an axis; sums of a few cannot overflow.
constexpr int64_t kMostPadding = int64_t{1} << 48;

Result<PadWidths> pad_widths(const OpCall& call, const Tensor& x) {
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> pads, int64s(call, 1));
  EDGEWRIGHT_ASSIGN(auto given, optional_int64s(call, 3));
  if (!given) {
    given.emplace();
    for (size_t i = 0; i < x.rank(); ++i) given->push_back(static_cast<int64_t>(i));
  }
  EDGEWRIGHT_ASSIGN(const std::vector<size_t> axes, checked_axes(call, *given, x.rank()));
  if (pads.size() != 2 * axes.size()) {
    return bad_input("Pad: {} widths for {} axes", pads.size(), axes.size());
  }
  PadWidths widths{Dims(x.rank(), 0), Dims(x.rank(), 0), x.dims()};
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t before = pads[i];
    const int64_t after = pads[axes.size() + i];
    if (std::max(std::abs(std::max(before, -kMostPadding - 1)),
                 std::abs(std::max(after, -kMostPadding - 1))) > kMostPadding) {
      return bad_input("Pad: widths of {} and {}", before, after);
    }
    int64_t& dim = widths.out_dims[axes[i]];
    if (dim > kMostPadding || dim + before + after < 0) {
      return bad_input("Pad: widths of {} and {} for a dimension of {}", before, after, dim);
    }
    widths.before[axes[i]] = before;
    widths.after[axes[i]] = after;
    dim += before + after;
  }
  return widths;
}

// Where position `at` of the unpadded axis of `size` elements reads from.
int64_t source_of(PadMode mode, int64_t at, int64_t size) {
  if (at >= 0 && at < size) return at;
  if (mode == PadMode::kEdge) return std::clamp<int64_t>(at, 0, size - 1);
  if (mode == PadMode::kWrap) return ((at % size) + size) % size;
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1);
  const int64_t folded = ((at % period) + period) % period;
  return folded < size ? folded : period - folded;
}

// The part of the result that comes from the input itself; the rest is the constant.
Status pad_constant(const Tensor& x, const Tensor& value, const PadWidths& widths, Tensor& out) {
  fill(out, value);
  const Dims from = row_major_strides(x.dims());
  const Dims to = row_major_strides(out.dims());
  Dims dims;
  int64_t from_start = 0;
  int64_t to_start = 0;
  for (size_t i = 0; i < x.rank(); ++i) {
    const int64_t cut = std::max<int64_t>(0, -widths.before[i]);
    const int64_t kept = x.dim(i) - cut - std::max<int64_t>(0, -widths.after[i]);
    if (kept <= 0) return {};
    dims.push_back(kept);
    from_start += cut * from[i];
    to_start += std::max<int64_t>(0, widths.before[i]) * to[i];
  }
  const StridedWalk walk(dims, {from, to});
  const ElementCopier copier(x, out);
  walk.for_each_row([&](const int64_t* offsets, int64_t count) {
    if (walk.inner_stride(1) == 1) {
      copier.copy(to_start + offsets[1], from_start + offsets[0], count);
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      copier.copy(to_start + offsets[1] + i * walk.inner_stride(1),
                  from_start + offsets[0] + i * walk.inner_stride(0), 1);
    }
  });
  return {};
}

// Every element of the result reads through one table of source offsets per axis.
Status pad_from_input(const Tensor& x, PadMode mode, const PadWidths& widths, Tensor& out) {
  const Dims strides = row_major_strides(x.dims());
  std::vector<std::vector<int64_t>> sources(x.rank());
  for (size_t i = 0; i < x.rank(); ++i) {
    for (int64_t at = 0; at < out.dim(i); ++at) {
      sources[i].push_back(source_of(mode, at - widths.before[i], x.dim(i)) * strides[i]);
    }
  }
  const ElementCopier copier(x, out);
  Dims position(x.rank(), 0);
  for (int64_t at = 0; at < out.element_count(); ++at) {
    int64_t from = 0;
    for (size_t i = 0; i < position.size(); ++i) {
      from += sources[i][static_cast<size_t>(position[i])];
    }
    copier.copy(at, from, 1);
    for (size_t i = position.size(); i-- > 0;) {
      if (++position[i] < out.dim(i)) break;
      position[i] = 0;
    }
  }
  return {};
}

Status pad(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const PadMode mode, pad_mode(call));
  EDGEWRIGHT_ASSIGN(const PadWidths widths, pad_widths(call, *x));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), widths.out_dims));
  if (out->element_count() == 0) return {};
  if (mode == PadMode::kConstant) {
    EDGEWRIGHT_ASSIGN(const Tensor* value, call.make_scratch(x->dtype(), {}));
    if (call.has_input(2)) {
      EDGEWRIGHT_ASSIGN(value, call.tensor(2));
      EDGEWRIGHT_TRY(same_type(call, *x, *value));
      if (value->element_count() != 1) {
        return bad_input("Pad: a constant of shape {}, expected a scalar",
                         dims_text(value->dims()));
      }
    }
    return pad_constant(*x, *value, widths, *out);
  }
  if (x->element_count() == 0) {
    return bad_input("Pad: a tensor of shape {} has nothing to pad with", dims_text(x->dims()));
  }
  return pad_from_input(*x, mode, widths, *out);
}

// Crops or pads with zeros around the centre; an odd element goes to the end.
Status center_crop_pad(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const std::vector<int64_t> shape, int64s(call, 1));
  std::vector<int64_t> given = call.attributes->get_ints("axes");
  if (!call.attributes->contains("axes")) {
    for (size_t i = 0; i < x->rank(); ++i) given.push_back(static_cast<int64_t>(i));
  }
  EDGEWRIGHT_ASSIGN(const std::vector<size_t> axes, checked_axes(call, given, x->rank()));
  if (axes.size() != shape.size()) {
    return bad_input("CenterCropPad: {} sizes for {} axes", shape.size(), axes.size());
  }
  PadWidths widths{Dims(x->rank(), 0), Dims(x->rank(), 0), x->dims()};
  for (size_t i = 0; i < axes.size(); ++i) {
    if (shape[i] < 0) return bad_input("CenterCropPad: a size of {}", shape[i]);
    const int64_t added = shape[i] - x->dim(axes[i]);
    // Division truncates: the smaller half goes before, both when padding and when cropping.
    widths.before[axes[i]] = added / 2;
    widths.after[axes[i]] = added - added / 2;
    widths.out_dims[axes[i]] = shape[i];
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, x->dtype(), widths.out_dims));
  EDGEWRIGHT_ASSIGN(const Tensor* zero, call.make_scratch(x->dtype(), {}));
  if (out->element_count() == 0) return {};
  return pad_constant(*x, *zero, widths, *out);
}

constexpr ReferenceKernel kKernels[] = {
    {"", "Pad", pad},
    {"", "CenterCropPad", center_crop_pad},
};

}  // namespace

std::span<const ReferenceKernel> pad_reference_kernels() { return kKernels; }

}  // namespace edgewright
