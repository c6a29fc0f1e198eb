// Normalisation: means and variances are taken in double.
#include <cmath>
#include <random>

#include "kernels/families.h"
#include "kernels/reference/operand.h"

namespace edgewright {
namespace {

using namespace reference;

struct Moments {
  double mean = 0;
  double variance = 0;
};
template <class T>
Moments moments_of(const T* x, int64_t count) {
  Moments m;
  for (int64_t i = 0; i < count; ++i) m.mean += x[i];
  m.mean /= static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) {
    m.variance += (x[i] - m.mean) * (x[i] - m.mean);
  }
  m.variance /= static_cast<double>(count);
  return m;
}

double epsilon_of(const OpCall& call) { return call.attributes->get_float("epsilon", 1e-5f); }

struct Planes {
  int64_t batch = 1;
  int64_t channels = 1;
  int64_t size = 1;
};
Result<Planes> planes_of(const OpCall& call, const Tensor& x) {
  if (x.rank() < 1) return bad_input("{} of a scalar, expected rank 2 or more", call.op);
  if (x.rank() == 1) return Planes{x.dim(0), 1, 1};
  return Planes{x.dim(0), x.dim(1), span_count(x.dims(), 2)};
}

template <class T>
Result<Operand<T>> per_channel(OpCall& call, size_t i, int64_t channels) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, i));
  if (x.rank() == 1 && x.count() == channels) return x;
  return bad_input("input {} of {} has shape {}, expected {}", i, call.op, dims_text(x.dims()),
                   channels);
}

// Mean and variance of every channel over batch and plane.
template <class T>
Moments channel_moments(const Operand<T>& x, const Planes& p, int64_t channel) {
  Moments total;
  for (int64_t n = 0; n < p.batch; ++n) {
    const T* plane = x.data + (n * p.channels + channel) * p.size;
    for (int64_t i = 0; i < p.size; ++i) total.mean += plane[i];
  }
  total.mean /= static_cast<double>(p.batch * p.size);
  for (int64_t n = 0; n < p.batch; ++n) {
    const T* plane = x.data + (n * p.channels + channel) * p.size;
    for (int64_t i = 0; i < p.size; ++i) {
      total.variance += (plane[i] - total.mean) * (plane[i] - total.mean);
    }
  }
  total.variance /= static_cast<double>(p.batch * p.size);
  return total;
}

// Output i of BatchNormalization in training: the running value moved towards the current one.
template <class T>
Status move_running(OpCall& call, size_t i, const Operand<T>& running,
                    const std::vector<double>& current) {
  if (i >= call.output_count || !call.wants_output(i)) return {};
  const double momentum = call.attributes->get_float("momentum", 0.9f);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, i, running.dtype(), running.dims()));
  for (int64_t c = 0; c < y.count(); ++c) {
    y[c] = static_cast<T>(running[c] * momentum + current[static_cast<size_t>(c)] * (1 - momentum));
  }
  return y.finish();
}

template <class T>
Status batch_normalization(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Planes p, planes_of(call, *x.tensor));
  EDGEWRIGHT_ASSIGN(const Operand<T> scale, per_channel<T>(call, 1, p.channels));
  EDGEWRIGHT_ASSIGN(const Operand<T> bias, per_channel<T>(call, 2, p.channels));
  EDGEWRIGHT_ASSIGN(const Operand<T> mean, per_channel<T>(call, 3, p.channels));
  EDGEWRIGHT_ASSIGN(const Operand<T> variance, per_channel<T>(call, 4, p.channels));
  const bool training = call.attributes->get_int("training_mode", 0) != 0;
  const auto channels = static_cast<size_t>(p.channels);
  std::vector<double> means(channels);
  std::vector<double> variances(channels);
  for (size_t c = 0; c < channels; ++c) {
    const auto channel = static_cast<int64_t>(c);
    const Moments m = training ? channel_moments(x, p, channel)
                               : Moments{static_cast<double>(mean[channel]),
                                         static_cast<double>(variance[channel])};
    means[c] = m.mean;
    variances[c] = m.variance;
  }
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  const double epsilon = epsilon_of(call);
  for (int64_t i = 0; i < p.batch * p.channels; ++i) {
    const int64_t c = i % p.channels;
    const double factor = scale[c] / std::sqrt(variances[static_cast<size_t>(c)] + epsilon);
    const double offset = bias[c] - means[static_cast<size_t>(c)] * factor;
    for (int64_t j = i * p.size; j < (i + 1) * p.size; ++j) {
      y[j] = static_cast<T>(x[j] * factor + offset);
    }
  }
  if (training) {
    EDGEWRIGHT_TRY(move_running(call, 1, mean, means));
    EDGEWRIGHT_TRY(move_running(call, 2, variance, variances));
  }
  return y.finish();
}

// Groups of channels of one image share mean and variance; scale and bias are per channel.
template <class T>
Status normalize_groups(OpCall& call, int64_t groups) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Planes p, planes_of(call, *x.tensor));
  if (groups == 0) groups = std::max<int64_t>(p.channels, 1);
  if (groups < 1 || p.channels % groups != 0) {
    return bad_input("{} of {} channels in {} groups", call.op, p.channels, groups);
  }
  EDGEWRIGHT_ASSIGN(const Operand<T> scale, per_channel<T>(call, 1, p.channels));
  EDGEWRIGHT_ASSIGN(const Operand<T> bias, per_channel<T>(call, 2, p.channels));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  const double epsilon = epsilon_of(call);
  const int64_t size = p.channels / groups * p.size;
  for (int64_t i = 0; i < p.batch * groups && size > 0; ++i) {
    const Moments m = moments_of(x.data + i * size, size);
    const double factor = 1 / std::sqrt(m.variance + epsilon);
    for (int64_t j = i * size; j < (i + 1) * size; ++j) {
      const int64_t c = j / p.size % p.channels;
      y[j] = static_cast<T>((x[j] - m.mean) * factor * scale[c] + bias[c]);
    }
  }
  return y.finish();
}
template <class T>
Status instance_normalization(OpCall& call) {
  return normalize_groups<T>(call, 0);
}
template <class T>
Status group_normalization(OpCall& call) {
  const int64_t groups = call.attributes->get_int("num_groups", 0);
  if (groups < 1) return bad_input("{} in {} groups, expected 1 or more", call.op, groups);
  return normalize_groups<T>(call, groups);
}

// Dimensions of what is kept per normalised part: 1 from `axis` on.
Dims reduced_dims(const Tensor& x, size_t axis) {
  Dims dims = x.dims();
  std::fill(dims.begin() + static_cast<int64_t>(axis), dims.end(), 1);
  return dims;
}

template <class T>
Status layer_normalization(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    axis_of(call, call.attributes->get_int("axis", -1), x.rank()));
  EDGEWRIGHT_ASSIGN(const Operand<T> scale_input, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const Operand<T> bias_input, optional_operand<T>(call, 2));
  EDGEWRIGHT_ASSIGN(const Repeated<T> scale, repeated(call, "Scale", scale_input, x.dims()));
  Repeated<T> bias;
  if (bias_input) {
    EDGEWRIGHT_ASSIGN(bias, repeated(call, "B", bias_input, x.dims()));
  }
  const DType stash = static_cast<DType>(call.attributes->get_int("stash_type", 1));
  const DType kept = x.dtype() == DType::kFloat64 ? DType::kFloat64 : stash;
  if (!is_real(kept)) return bad_input("{} has stash_type {}", call.op, static_cast<int>(stash));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  Computed<T> statistics[2];
  for (size_t i = 1; i < 3; ++i) {
    if (i >= call.output_count || !call.wants_output(i)) continue;
    EDGEWRIGHT_ASSIGN(statistics[i - 1], computed<T>(call, i, kept, reduced_dims(*x.tensor, axis)));
  }
  const int64_t size = span_count(x.dims(), axis);
  const double epsilon = epsilon_of(call);
  for (int64_t i = 0; i < span_count(x.dims(), 0, axis) && size > 0; ++i) {
    const Moments m = moments_of(x.data + i * size, size);
    const double factor = 1 / std::sqrt(m.variance + epsilon);
    for (int64_t j = i * size; j < (i + 1) * size; ++j) {
      const double normal = (x[j] - m.mean) * factor * scale[j];
      y[j] = static_cast<T>(bias.data != nullptr ? normal + bias[j] : normal);
    }
    if (statistics[0].data != nullptr) statistics[0][i] = static_cast<T>(m.mean);
    if (statistics[1].data != nullptr) statistics[1][i] = static_cast<T>(factor);
  }
  for (const Computed<T>& made : statistics) {
    if (made.data != nullptr) EDGEWRIGHT_TRY(made.finish());
  }
  return y.finish();
}

template <class T>
Status rms_normalization(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    axis_of(call, call.attributes->get_int("axis", -1), x.rank()));
  EDGEWRIGHT_ASSIGN(const Operand<T> scale_input, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const Repeated<T> scale, repeated(call, "scale", scale_input, x.dims()));
  if (!is_real(scale_input.dtype())) {
    return bad_input("{} with a scale of {}", call.op, dtype_name(scale_input.dtype()));
  }
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, scale_input.dtype(), x.dims()));
  const int64_t size = span_count(x.dims(), axis);
  const double epsilon = epsilon_of(call);
  for (int64_t i = 0; i < span_count(x.dims(), 0, axis) && size > 0; ++i) {
    double squares = 0;
    for (int64_t j = i * size; j < (i + 1) * size; ++j) {
      squares += static_cast<double>(x[j]) * x[j];
    }
    const double factor = 1 / std::sqrt(squares / static_cast<double>(size) + epsilon);
    for (int64_t j = i * size; j < (i + 1) * size; ++j) {
      y[j] = static_cast<T>(x[j] * factor * scale[j]);
    }
  }
  return y.finish();
}

template <class T>
Status lp_normalization(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    axis_of(call, call.attributes->get_int("axis", -1), x.rank()));
  const int64_t p = call.attributes->get_int("p", 2);
  if (p != 1 && p != 2) return bad_input("{} has p {}, expected 1 or 2", call.op, p);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  const int64_t size = x.dim(axis);
  const int64_t inner = span_count(x.dims(), axis + 1);
  for (int64_t i = 0; i < span_count(x.dims(), 0, axis) * inner; ++i) {
    const int64_t start = i / inner * size * inner + i % inner;
    double sum = 0;
    for (int64_t j = 0; j < size; ++j) {
      const double value = x[start + j * inner];
      sum += p == 1 ? std::fabs(value) : value * value;
    }
    const double norm = p == 1 ? sum : std::sqrt(sum);
    for (int64_t j = start; j < start + size * inner; j += inner) {
      y[j] = norm == 0 ? T{0} : static_cast<T>(x[j] / norm);
    }
  }
  return y.finish();
}

// Local response normalisation across channels.
template <class T>
Status lrn(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Planes p, planes_of(call, *x.tensor));
  const int64_t size = call.attributes->get_int("size", 0);
  if (size < 1) return bad_input("{} has size {}, expected 1 or more", call.op, size);
  const double alpha = call.attributes->get_float("alpha", 1e-4f) / static_cast<double>(size);
  const double beta = call.attributes->get_float("beta", 0.75f);
  const double bias = call.attributes->get_float("bias", 1);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  const int64_t before = std::min((size - 1) / 2, p.channels);
  const int64_t after = std::min(size / 2, p.channels);
  for (int64_t i = 0; i < p.batch * p.channels; ++i) {
    const int64_t c = i % p.channels;
    const int64_t first = i - c + std::max<int64_t>(c - before, 0);
    const int64_t last = i - c + std::min(c + after, p.channels - 1);
    for (int64_t j = 0; j < p.size; ++j) {
      double squares = 0;
      for (int64_t k = first; k <= last; ++k) {
        squares += static_cast<double>(x[k * p.size + j]) * x[k * p.size + j];
      }
      y[i * p.size + j] =
          static_cast<T>(x[i * p.size + j] / std::pow(bias + alpha * squares, beta));
    }
  }
  return y.finish();
}

// Adds mean and variance over `reduced` axes as two arrays over the kept positions.
template <class T>
Status mean_variance_normalization(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  Dims kept = x.dims();
  for (const int64_t named : call.attributes->get_ints("axes", {0, 2, 3})) {
    EDGEWRIGHT_ASSIGN(const size_t axis, axis_of(call, named, x.rank()));
    kept[axis] = 1;
  }
  const int64_t parts = span_count(kept, 0);
  EDGEWRIGHT_ASSIGN(double* sums, scratch_array<double>(call, parts));
  EDGEWRIGHT_ASSIGN(double* squares, scratch_array<double>(call, parts));
  EDGEWRIGHT_ASSIGN(int64_t* part, scratch_array<int64_t>(call, x.count()));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  if (x.count() == 0) return y.finish();
  Dims index(x.rank(), 0);
  for (int64_t i = 0; i < x.count(); ++i) {
    for (size_t axis = 0; axis < kept.size(); ++axis) {
      part[i] = part[i] * kept[axis] + (kept[axis] == 1 ? 0 : index[axis]);
    }
    sums[part[i]] += x[i];
    next_index(x.dims(), index);
  }
  const auto size = static_cast<double>(x.count() / parts);
  for (int64_t i = 0; i < x.count(); ++i) {
    const double distance = x[i] - sums[part[i]] / size;
    squares[part[i]] += distance * distance;
  }
  for (int64_t i = 0; i < x.count(); ++i) {
    const double deviation = std::sqrt(squares[part[i]] / size);
    y[i] = static_cast<T>((x[i] - sums[part[i]] / size) / (deviation + 1e-9));
  }
  return y.finish();
}

template <class T>
Status drop(OpCall& call, double ratio, bool* mask) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  // The generator and the way it makes doubles are those of NumPy's uniform(), on which the
  // published expectations for this operator rest.
  std::mt19937 generator(static_cast<uint32_t>(call.attributes->get_int("seed", 0)));
  for (int64_t i = 0; i < x.count(); ++i) {
    const double high = generator() >> 5;
    const double low = generator() >> 6;
    const bool keep = (high * 67108864.0 + low) / 9007199254740992.0 >= ratio;
    y[i] = keep ? static_cast<T>(x[i] / (1 - ratio)) : T{0};
    if (mask != nullptr) mask[i] = keep;
  }
  return y.finish();
}

Status dropout(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const double ratio, scalar_operand_or<double>(call, 1, 0.5));
  EDGEWRIGHT_ASSIGN(const int64_t training, scalar_operand_or<int64_t>(call, 2, 0));
  if (!is_floating_point(x->dtype())) {
    return bad_input("{} of {}, expected a floating-point type", call.op, dtype_name(x->dtype()));
  }
  if (!(ratio >= 0 && ratio <= 1)) {
    return bad_input("{} has ratio {}, expected 0 to 1", call.op, ratio);
  }
  bool* mask = nullptr;
  if (call.output_count > 1 && call.wants_output(1)) {
    EDGEWRIGHT_ASSIGN(Tensor * made, call.make_output(1, DType::kBool, x->dims()));
    mask = reinterpret_cast<bool*>(made->mutable_bytes());
    std::fill_n(mask, made->element_count(), true);
  }
  if (training == 0 || ratio == 0) {
    call.set_output(0, *x);
    return {};
  }
  return x->dtype() == DType::kFloat64 ? drop<double>(call, ratio, mask)
                                       : drop<float>(call, ratio, mask);
}

constexpr ReferenceKernel kKernels[] = {
    {"", "BatchNormalization", real<batch_normalization<float>, batch_normalization<double>>},
    {"", "InstanceNormalization",
     real<instance_normalization<float>, instance_normalization<double>>},
    {"", "GroupNormalization", real<group_normalization<float>, group_normalization<double>>},
    {"", "LayerNormalization", real<layer_normalization<float>, layer_normalization<double>>},
    {"", "RMSNormalization", real<rms_normalization<float>, rms_normalization<double>>},
    {"", "LpNormalization", real<lp_normalization<float>, lp_normalization<double>>},
    {"", "LRN", real<lrn<float>, lrn<double>>},
    {"", "MeanVarianceNormalization",
     real<mean_variance_normalization<float>, mean_variance_normalization<double>>},
    {"", "Dropout", dropout},
};

}  // namespace

std::span<const ReferenceKernel> norm_reference_kernels() { return kKernels; }

}  // namespace edgewright
