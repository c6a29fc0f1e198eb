// How groups of weights become small integers.
#include <algorithm>
#include <cmath>

#include "quantize/cholesky.h"
#include "quantize/weight_only.h"

namespace edgewright {
namespace {

struct GroupParams {
  float scale = 1;
  float zero_point = 0;
};

float largest_integer(int bits) { return static_cast<float>((1 << bits) - 1); }

GroupParams params_of(float low, float high, int bits) {
  const float top = largest_integer(bits);
  low = std::min(low, 0.0f);
  high = std::max(high, 0.0f);
  GroupParams params;
  params.scale = (high - low) / top;
  // A group of zeros, or of numbers too small for a float scale.
  if (!(params.scale > 1e-30f)) return {1, std::floor(top / 2) + 1};
  params.zero_point = std::clamp(std::nearbyint(-low / params.scale), 0.0f, top);
  return params;
}

float round_to(float x, const GroupParams& params, int bits) {
  const float steps = std::nearbyint(x / params.scale) + params.zero_point;
  return std::clamp(steps, 0.0f, largest_integer(bits));
}

float real_of(float integer, const GroupParams& params) {
  return params.scale * (integer - params.zero_point);
}

// The numbers of one group, a strided column piece.
struct Group {
  const float* first;
  int64_t stride, count;
  float operator[](int64_t i) const { return first[i * stride]; }
};

GroupParams min_max_params(const Group& group, int bits) {
  float low = 0, high = 0;
  for (int64_t i = 0; i < group.count; ++i) {
    low = std::min(low, group[i]);
    high = std::max(high, group[i]);
  }
  return params_of(low, high, bits);
}

double group_error(const Group& group, const GroupParams& params, int bits) {
  double sum = 0;
  for (int64_t i = 0; i < group.count; ++i) {
    const double error = group[i] - real_of(round_to(group[i], params, bits), params);
    sum += error * error;
  }
  return sum;
}

// Shrinks the range as a whole to where the squared error is least.
GroupParams mse_params(const Group& group, int bits) {
  float low = 0, high = 0;
  for (int64_t i = 0; i < group.count; ++i) {
    low = std::min(low, group[i]);
    high = std::max(high, group[i]);
  }
  GroupParams best = params_of(low, high, bits);
  double least = group_error(group, best, bits);
  for (int percent = 98; percent >= 50; percent -= 2) {
    const float factor = static_cast<float>(percent) / 100;
    const GroupParams candidate = params_of(low * factor, high * factor, bits);
    const double error = group_error(group, candidate, bits);
    if (error < least) {
      least = error;
      best = candidate;
    }
  }
  return best;
}

// The norm that half-quadratic optimisation lowers: it forgives outliers.
constexpr double kOutlierPower = 0.7;

double forgiving_error(const Group& group, const GroupParams& params, int bits) {
  double sum = 0;
  for (int64_t i = 0; i < group.count; ++i) {
    const float error = group[i] - real_of(round_to(group[i], params, bits), params);
    sum += std::pow(std::abs(static_cast<double>(error)), kOutlierPower);
  }
  return sum;
}

// Scale and zero point that fit the integers of `params` best where what `beta` takes for outliers
// is left out of account. Errors count in steps, so that beta means the same for every group.
GroupParams refit(const Group& group, const GroupParams& params, double beta, int bits) {
  double sum_integer = 0, sum_real = 0, products = 0, squares = 0;
  for (int64_t i = 0; i < group.count; ++i) {
    const double integer = round_to(group[i], params, bits);
    const double steps = static_cast<double>(group[i]) / params.scale;
    const double error = steps - (integer - params.zero_point);
    const double size = std::max(std::abs(error), 1e-12);
    const double shrunk = size - std::pow(size, kOutlierPower - 1) / beta;
    const double real = steps - (shrunk > 0 ? std::copysign(shrunk, error) : 0);
    sum_integer += integer;
    sum_real += real;
    products += integer * real;
    squares += integer * integer;
  }
  const auto count = static_cast<double>(group.count);
  const double spread = squares - sum_integer * sum_integer / count;
  const double slope = spread > 0 ? (products - sum_integer * sum_real / count) / spread : 0;
  if (!(slope > 1e-3)) return params;  // all integers alike
  const double zero = (sum_integer - sum_real / slope) / count;
  return {static_cast<float>(params.scale * slope),
          std::clamp(static_cast<float>(std::nearbyint(zero)), 0.0f, largest_integer(bits))};
}

// Half-quadratic optimisation (after Badri and Shaji, "Half-quadratic quantization of large machine
// learning models", 2023: p = 0.7, beta from 10 on, times 1.01 an iteration, 20 iterations). Zero
// points are whole numbers here, which alone would hardly move: the scale is fitted with them.
GroupParams hqq_params(const Group& group, int bits) {
  GroupParams best = min_max_params(group, bits);
  double least = forgiving_error(group, best, bits);
  GroupParams params = best;
  double beta = 10;
  for (int iteration = 0; iteration < 20; ++iteration, beta *= 1.01) {
    params = refit(group, params, beta, bits);
    const double error = forgiving_error(group, params, bits);
    if (error >= least) continue;
    least = error;
    best = params;
  }
  return best;
}

using ParamsOf = GroupParams (*)(const Group& group, int bits);

GroupedWeights empty_result(int64_t rows, int64_t columns, const GroupedOptions& options) {
  GroupedWeights result;
  result.bits = options.bits;
  result.rows = rows;
  result.columns = columns;
  result.group = options.group > 0 ? options.group : rows;
  result.integers.resize(static_cast<size_t>(rows * columns));
  result.scales.resize(static_cast<size_t>(result.groups() * columns));
  result.zero_points.resize(result.scales.size());
  return result;
}

void set_params(GroupedWeights& result, int64_t group, int64_t column, const GroupParams& params) {
  const auto index = static_cast<size_t>(group * result.columns + column);
  result.scales[index] = params.scale;
  result.zero_points[index] = static_cast<uint8_t>(params.zero_point);
}

GroupParams get_params(const GroupedWeights& result, int64_t group, int64_t column) {
  const auto index = static_cast<size_t>(group * result.columns + column);
  return {result.scales[index], static_cast<float>(result.zero_points[index])};
}

// Every number to the nearest one, with the parameters that `params_of` gives its group.
GroupedWeights round_groups(std::span<const float> weights, int64_t rows, int64_t columns,
                            const GroupedOptions& options, ParamsOf params_of) {
  GroupedWeights result = empty_result(rows, columns, options);
  for (int64_t group = 0; group < result.groups(); ++group) {
    const int64_t from = group * result.group, to = std::min(rows, from + result.group);
    for (int64_t column = 0; column < columns; ++column) {
      const float* first = weights.data() + from * columns + column;
      const GroupParams params = params_of({first, columns, to - from}, options.bits);
      set_params(result, group, column, params);
      for (int64_t row = from; row < to; ++row) {
        const auto index = static_cast<size_t>(row * columns + column);
        result.integers[index] =
            static_cast<uint8_t>(round_to(weights[index], params, options.bits));
      }
    }
  }
  return result;
}

GroupedWeights round_to_nearest(std::span<const float> weights, int64_t rows, int64_t columns,
                                const GroupedOptions& options, const InputMoments*) {
  return round_groups(weights, rows, columns, options, min_max_params);
}

GroupedWeights round_mse(std::span<const float> weights, int64_t rows, int64_t columns,
                         const GroupedOptions& options, const InputMoments*) {
  return round_groups(weights, rows, columns, options, mse_params);
}

GroupedWeights round_hqq(std::span<const float> weights, int64_t rows, int64_t columns,
                         const GroupedOptions& options, const InputMoments*) {
  return round_groups(weights, rows, columns, options, hqq_params);
}

// Rounds row after row and lets the rows that follow make up for the error as the inputs' moments
// say (Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained
// transformers", 2022: damping 1 % of the mean diagonal).
GroupedWeights round_gptq(std::span<const float> weights, int64_t rows, int64_t columns,
                          const GroupedOptions& options, const InputMoments* moments) {
  const auto factor =
      moments == nullptr ? std::nullopt : inverse_cholesky_upper(moments->sums, rows, 0.01);
  if (!factor) return round_mse(weights, rows, columns, options, moments);
  GroupedWeights result = empty_result(rows, columns, options);
  std::vector<float> left(weights.begin(), weights.end());
  std::vector<float> error(static_cast<size_t>(columns));
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t group = row / result.group;
    float* current = left.data() + row * columns;
    if (row % result.group == 0) {
      const int64_t count = std::min(result.group, rows - row);
      for (int64_t column = 0; column < columns; ++column) {
        set_params(result, group, column,
                   mse_params({current + column, columns, count}, options.bits));
      }
    }
    const double* coefficients = factor->data() + row * rows;
    const auto diagonal = static_cast<float>(coefficients[row]);
    for (int64_t column = 0; column < columns; ++column) {
      const GroupParams params = get_params(result, group, column);
      const float integer = round_to(current[column], params, options.bits);
      result.integers[static_cast<size_t>(row * columns + column)] = static_cast<uint8_t>(integer);
      error[static_cast<size_t>(column)] = (current[column] - real_of(integer, params)) / diagonal;
    }
    for (int64_t later = row + 1; later < rows; ++later) {
      const auto share = static_cast<float>(coefficients[later]);
      if (share == 0) continue;
      float* target = left.data() + later * columns;
      for (int64_t column = 0; column < columns; ++column) {
        target[column] -= share * error[static_cast<size_t>(column)];
      }
    }
  }
  return result;
}

constexpr WeightMethod kMethods[] = {
    {"rtn", "to the nearest, range of each group", false, round_to_nearest},
    {"mse", "range of each group with the least squared error", false, round_mse},
    {"hqq", "zero points by half-quadratic optimisation", false, round_hqq},
    {"gptq", "later rows make up for the error of earlier ones", true, round_gptq},
};

// tr(A^T M A) for A [K, N].
double weighted_norm(const std::vector<double>& a, int64_t rows, int64_t columns,
                     const InputMoments* moments) {
  double sum = 0;
  if (moments == nullptr) {
    for (const double x : a) sum += x * x;
    return sum;
  }
  std::vector<double> product(static_cast<size_t>(columns));
  for (int64_t i = 0; i < rows; ++i) {
    std::ranges::fill(product, 0.0);
    for (int64_t k = 0; k < rows; ++k) {
      const double weight = moments->sums[static_cast<size_t>(i * rows + k)];
      const double* row = a.data() + k * columns;
      for (int64_t j = 0; j < columns; ++j) product[static_cast<size_t>(j)] += weight * row[j];
    }
    const double* row = a.data() + i * columns;
    for (int64_t j = 0; j < columns; ++j) sum += row[j] * product[static_cast<size_t>(j)];
  }
  return sum;
}

}  // namespace

float GroupedWeights::real(int64_t row, int64_t column) const {
  const auto at = static_cast<size_t>(row / group * columns + column);
  const auto integer = static_cast<float>(integers[static_cast<size_t>(row * columns + column)]);
  return scales[at] * (integer - static_cast<float>(zero_points[at]));
}

std::vector<float> GroupedWeights::reals() const {
  std::vector<float> result;
  result.reserve(integers.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) result.push_back(real(row, column));
  }
  return result;
}

std::span<const WeightMethod> weight_methods() { return kMethods; }

const WeightMethod* find_weight_method(std::string_view name) {
  const auto it = std::ranges::find(kMethods, name, &WeightMethod::name);
  return it == std::end(kMethods) ? nullptr : it;
}

double output_squared_error(std::span<const float> weights, const GroupedWeights& rounded,
                            const InputMoments* moments) {
  std::vector<double> difference;
  difference.reserve(weights.size());
  const std::vector<float> reals = rounded.reals();
  for (size_t i = 0; i < weights.size(); ++i) {
    difference.push_back(static_cast<double>(weights[i]) - reals[i]);
  }
  return weighted_norm(difference, rounded.rows, rounded.columns, moments);
}

double output_squared_norm(std::span<const float> weights, int64_t rows, int64_t columns,
                           const InputMoments* moments) {
  return weighted_norm({weights.begin(), weights.end()}, rows, columns, moments);
}

}  // namespace edgewright
