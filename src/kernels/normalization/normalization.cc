#include <algorithm>
#include <cmath>

#include "kernels/families.h"
#include "kernels/implementation.h"
#include "kernels/normalization/normalize_row.h"

namespace edgewright {
namespace {

// Which input is which, and where input + skip + bias goes.
struct Parts {
  int skip = -1, scale = -1, bias = -1, extra = -1;
  int sum_output = -1;
  bool subtract_mean = true;
};

struct OpParts {
  std::string_view op;
  Parts parts;
};
constexpr OpParts kParts[] = {
    {"LayerNormalization", {-1, 1, 2, -1, -1, true}},
    {"RMSNormalization", {-1, 1, -1, -1, -1, false}},
    {"SimplifiedLayerNormalization", {-1, 1, -1, -1, -1, false}},
    {"SkipLayerNormalization", {1, 2, 3, 4, 3, true}},
    {"SkipSimplifiedLayerNormalization", {1, 2, -1, 3, 3, false}},
};

const Parts* find_parts(std::string_view op) {
  for (const OpParts& row : kParts) {
    if (row.op == op) return &row.parts;
  }
  return nullptr;
}

class Normalization : public PreparedKernel {
 public:
  Normalization(const KernelRequest& request, const Parts& parts, size_t axis)
      : parts_(parts), threads_(static_cast<size_t>(std::max(request.threads, 1))) {
    const Dims& dims = request.inputs[0].dims;
    for (size_t i = 0; i < axis; ++i) rows_ *= static_cast<size_t>(dims[i]);
    for (size_t i = axis; i < dims.size(); ++i) count_ *= static_cast<size_t>(dims[i]);
    // Defaults as the operators' documents have them.
    epsilon_ = request.attributes->get_float("epsilon", parts.skip >= 0 ? 1e-12f : 1e-5f);
    const size_t sum = static_cast<size_t>(parts.sum_output);
    writes_sum_ = parts.sum_output >= 0 && request.outputs.size() > sum &&
                  request.outputs[sum].dtype != DType::kUndefined;
    if (parts.skip >= 0) {
      // A skip of fewer axes is shared by the images of a batch.
      skip_rows_ = 1;
      const Dims& skip = request.inputs[static_cast<size_t>(parts.skip)].dims;
      for (size_t i = 0; i + 1 < skip.size(); ++i) skip_rows_ *= static_cast<size_t>(skip[i]);
    }
    rows_per_task_ = std::max<size_t>(1, 8192 / count_);
  }

  size_t scratch_size_bytes() const override {
    return parts_.skip >= 0 && !writes_sum_ ? threads_ * count_ * sizeof(float) : 0;
  }

  void run(const KernelIo& io) const override {
    const size_t tasks = (rows_ + rows_per_task_ - 1) / rows_per_task_;
    io.pool->parallel_for(tasks, [&](size_t task, int worker) {
      NormalizeRow row;
      row.count = count_;
      row.epsilon = epsilon_;
      row.subtract_mean = parts_.subtract_mean;
      row.scale = input(io, parts_.scale);
      row.bias = input(io, parts_.bias);
      row.extra = input(io, parts_.extra);
      const float* const x = input(io, 0);
      const float* const skip = input(io, parts_.skip);
      const size_t end = std::min(rows_, (task + 1) * rows_per_task_);
      for (size_t i = task * rows_per_task_; i < end; ++i) {
        row.in = x + i * count_;
        row.skip = skip ? skip + i % skip_rows_ * count_ : nullptr;
        row.out = static_cast<float*>(io.outputs[0]) + i * count_;
        row.sum = writes_sum_
                      ? static_cast<float*>(io.outputs[static_cast<size_t>(parts_.sum_output)]) +
                            i * count_
                      : static_cast<float*>(io.scratch) + static_cast<size_t>(worker) * count_;
        normalize_row(row);
      }
    });
  }

 private:
  static const float* input(const KernelIo& io, int i) {
    if (i < 0 || static_cast<size_t>(i) >= io.inputs.size()) return nullptr;
    return static_cast<const float*>(io.inputs[static_cast<size_t>(i)]);
  }

  Parts parts_;
  size_t threads_;
  size_t rows_ = 1, count_ = 1, skip_rows_ = 1, rows_per_task_ = 1;
  float epsilon_ = 0;
  bool writes_sum_ = false;
};

int64_t axis_of(const KernelRequest& request) {
  const int64_t rank = static_cast<int64_t>(request.inputs[0].dims.size());
  const int64_t axis = request.attributes->get_int("axis", -1);
  return axis < 0 ? axis + rank : axis;
}

// A parameter has one value for every normalised element.
bool is_parameter(const KernelRequest& request, int i, int64_t count) {
  if (i < 0 || !has_input(request, static_cast<size_t>(i))) return true;
  const auto values = checked_element_count(request.inputs[static_cast<size_t>(i)].dims);
  return values.ok() && *values == count;
}

bool ends_with(const Dims& dims, const Dims& tail) {
  return tail.size() <= dims.size() && std::equal(tail.rbegin(), tail.rend(), dims.rbegin());
}

bool supports(const KernelRequest& request) {
  const Parts* parts = find_parts(request.op);
  if (parts == nullptr || !is_float32(request) || !is_plain(request)) return false;
  const Dims& dims = request.inputs[0].dims;
  const auto elements = checked_element_count(dims);
  const int64_t axis = axis_of(request);
  if (!elements.ok() || *elements == 0 || axis < 0 || axis >= static_cast<int64_t>(dims.size()) ||
      request.outputs[0].dims != dims) {
    return false;
  }
  for (size_t i = 1; i < request.outputs.size(); ++i) {
    const bool wanted = request.outputs[i].dtype != DType::kUndefined;
    if (wanted && static_cast<int>(i) != parts->sum_output) return false;
  }
  int64_t count = 1;
  for (size_t i = static_cast<size_t>(axis); i < dims.size(); ++i) count *= dims[i];
  if (parts->skip >= 0) {
    if (!has_input(request, static_cast<size_t>(parts->skip)) ||
        axis + 1 != static_cast<int64_t>(dims.size())) {
      return false;
    }
    const Dims& skip = request.inputs[static_cast<size_t>(parts->skip)].dims;
    const auto skip_elements = checked_element_count(skip);
    if (skip.empty() || skip.back() != count || !skip_elements.ok() || *skip_elements == 0 ||
        *elements % *skip_elements != 0 || !ends_with(dims, skip)) {
      return false;
    }
  }
  return is_parameter(request, parts->scale, count) && is_parameter(request, parts->bias, count) &&
         is_parameter(request, parts->extra, count);
}

Created create(const KernelRequest& request, PackedBytes) {
  return Created(std::make_unique<Normalization>(request, *find_parts(request.op),
                                                 static_cast<size_t>(axis_of(request))));
}

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias a channel, all given.
class BatchNormalization : public PreparedKernel {
 public:
  explicit BatchNormalization(const KernelRequest& request) {
    const Dims& dims = request.inputs[0].dims;
    batch_ = static_cast<size_t>(dims[0]);
    channels_ = static_cast<size_t>(dims[1]);
    for (size_t i = 2; i < dims.size(); ++i) inner_ *= static_cast<size_t>(dims[i]);
    epsilon_ = request.attributes->get_float("epsilon", 1e-5f);
  }

  void run(const KernelIo& io) const override {
    const auto in = [&](size_t i) { return static_cast<const float*>(io.inputs[i]); };
    float* const y = static_cast<float*>(io.outputs[0]);
    io.pool->parallel_for(batch_ * channels_, [&](size_t plane, int) {
      const size_t c = plane % channels_;
      const float scale = in(1)[c] / std::sqrt(in(4)[c] + epsilon_);
      const float shift = in(2)[c] - in(3)[c] * scale;
      scale_shift_row(in(0) + plane * inner_, y + plane * inner_, inner_, scale, shift);
    });
  }

 private:
  size_t batch_ = 1, channels_ = 1, inner_ = 1;
  float epsilon_ = 0;
};

bool supports_batch(const KernelRequest& request) {
  if (!is_float32(request) || !is_plain(request) || request.inputs.size() != 5 ||
      request.outputs.size() != 1 || request.attributes->get_int("training_mode", 0) != 0) {
    return false;
  }
  const Dims& dims = request.inputs[0].dims;
  if (dims.size() < 2 || request.outputs[0].dims != dims) return false;
  return std::all_of(request.inputs.begin() + 1, request.inputs.end(),
                     [&](const TensorSpec& spec) { return spec.dims == Dims{dims[1]}; });
}

Created create_batch(const KernelRequest& request, PackedBytes) {
  return Created(std::make_unique<BatchNormalization>(request));
}

constexpr KernelImplementation kImplementations[] = {
    {"layer_normalization_f32_hwy", "", "LayerNormalization", supports, nullptr, create},
    {"rms_normalization_f32_hwy", "", "RMSNormalization", supports, nullptr, create},
    {"batch_normalization_f32_hwy", "", "BatchNormalization", supports_batch, nullptr,
     create_batch},
    {"simplified_layer_normalization_f32_hwy", "", "SimplifiedLayerNormalization", supports,
     nullptr, create},
    {"skip_layer_normalization_f32_hwy", "com.microsoft", "SkipLayerNormalization", supports,
     nullptr, create},
    {"skip_simplified_layer_normalization_f32_hwy", "com.microsoft",
     "SkipSimplifiedLayerNormalization", supports, nullptr, create},
};

}  // namespace

std::span<const KernelImplementation> normalization_implementations() { return kImplementations; }

}  // namespace edgewright
