#include "split/privacy/attack.h"

#include <algorithm>
#include <cmath>

namespace edgewright {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  // Eight sums, so that the compiler may keep them in a vector.
  float sums[8] = {};
  size_t i = 0;
  for (; i + 8 <= a.size(); i += 8) {
    for (size_t k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
  }
  double sum = 0;
  for (; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  for (const float part : sums) sum += static_cast<double>(part);
  return sum;
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  return std::max(0.0, dot(a, a) - 2 * dot(a, b) + dot(b, b));
}

// Lower triangular factor of a symmetric positive matrix, in place; false when it is not positive.
bool factorise(std::vector<double>& matrix, size_t n) {
  for (size_t j = 0; j < n; ++j) {
    for (size_t i = j; i < n; ++i) {
      double sum = matrix[i * n + j];
      for (size_t k = 0; k < j; ++k) sum -= matrix[i * n + k] * matrix[j * n + k];
      if (i == j) {
        if (!(sum > 0)) return false;
        matrix[j * n + j] = std::sqrt(sum);
      } else {
        matrix[i * n + j] = sum / matrix[j * n + j];
      }
    }
  }
  return true;
}

void solve(const std::vector<double>& factor, size_t n, std::vector<double>& x) {
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) x[i] -= factor[i * n + k] * x[k];
    x[i] /= factor[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) x[i] -= factor[k * n + i] * x[k];
    x[i] /= factor[i * n + i];
  }
}

double median_squared_distance(const Rows& rows) {
  std::vector<double> distances;
  for (size_t i = 0; i + 1 < rows.size() && i < 200; ++i) {
    distances.push_back(squared_distance(rows[i], rows[(i * 7 + 1) % rows.size()]));
  }
  if (distances.empty()) return 1;
  std::ranges::nth_element(distances, distances.begin() + std::ssize(distances) / 2);
  return std::max(1e-12, distances[distances.size() / 2]);
}

struct WindowSums {
  double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
};

double window_ssim(const WindowSums& sums, double count, double range) {
  const double c1 = 1e-4 * range * range, c2 = 9e-4 * range * range;
  const double mean_a = sums.a / count, mean_b = sums.b / count;
  const double variance_a = sums.aa / count - mean_a * mean_a;
  const double variance_b = sums.bb / count - mean_b * mean_b;
  const double covariance = sums.ab / count - mean_a * mean_b;
  return (2 * mean_a * mean_b + c1) * (2 * covariance + c2) /
         ((mean_a * mean_a + mean_b * mean_b + c1) * (variance_a + variance_b + c2));
}

std::vector<float> input_at(const InputPrior& prior, const std::vector<double>& place) {
  std::vector<float> input = prior.mean;
  for (size_t k = 0; k < place.size(); ++k) {
    const auto factor = static_cast<float>(place[k] * prior.deviations[k]);
    for (size_t i = 0; i < input.size(); ++i) input[i] += factor * prior.components[k][i];
  }
  return input;
}

// The step that makes the linearised difference least, with a pull towards likely inputs.
bool gauss_newton_step(const std::vector<std::vector<float>>& derivatives,
                       const std::vector<float>& difference, std::vector<double>& place) {
  const size_t n = derivatives.size();
  std::vector<double> normal(n * n), right(n);
  double trace = 0;
  for (size_t a = 0; a < n; ++a) {
    for (size_t b = 0; b <= a; ++b) {
      normal[a * n + b] = normal[b * n + a] = dot(derivatives[a], derivatives[b]);
    }
    trace += normal[a * n + a];
    right[a] = dot(derivatives[a], difference);
  }
  const double ridge = 0.01 * trace / static_cast<double>(n) + 1e-12;
  for (size_t a = 0; a < n; ++a) {
    right[a] -= ridge * place[a];
    normal[a * n + a] += ridge;
  }
  if (!factorise(normal, n)) return false;
  solve(normal, n, right);
  for (size_t a = 0; a < n; ++a) place[a] += std::clamp(right[a], -2.0, 2.0);
  return true;
}

}  // namespace

double psnr_db(std::span<const float> a, std::span<const float> b, double range) {
  const double mean_square = squared_distance(a, b) / static_cast<double>(a.size());
  return 10 * std::log10(range * range / std::max(mean_square, 1e-12));
}

double ssim(std::span<const float> a, std::span<const float> b, size_t height, size_t width,
            double range) {
  const size_t window = std::min<size_t>({8, height, width});
  const size_t planes = a.size() / (height * width);
  double sum = 0;
  size_t count = 0;
  for (size_t plane = 0; plane < planes; ++plane) {
    for (size_t top = 0; top + window <= height; top += window / 2) {
      for (size_t left = 0; left + window <= width; left += window / 2) {
        WindowSums sums;
        for (size_t y = top; y < top + window; ++y) {
          for (size_t x = left; x < left + window; ++x) {
            const size_t i = (plane * height + y) * width + x;
            const double va = a[i], vb = b[i];
            sums = {sums.a + va, sums.b + vb, sums.aa + va * va, sums.bb + vb * vb,
                    sums.ab + va * vb};
          }
        }
        sum += window_ssim(sums, static_cast<double>(window * window), range);
        ++count;
      }
    }
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

double LearnedDecoder::kernel_of(std::span<const float> a, std::span<const float> b) const {
  // One more feature that is always 1, for the offset.
  if (kernel_ == DecoderKernel::kLinear) return dot(a, b) / width_ + 1;
  return std::exp(-squared_distance(a, b) / width_);
}

Result<LearnedDecoder> LearnedDecoder::train(const Rows& seen, const Rows& inputs,
                                             DecoderKernel kernel, double ridge) {
  const size_t n = seen.size();
  if (n < 2 || inputs.size() != n) {
    return usage_error("found {} pairs to learn from, expected at least 2", n);
  }
  LearnedDecoder decoder;
  decoder.kernel_ = kernel;
  decoder.width_ = 2 * median_squared_distance(seen);
  decoder.seen_ = seen;
  const size_t elements = inputs[0].size();
  decoder.mean_.assign(elements, 0);
  for (const auto& input : inputs) {
    for (size_t i = 0; i < elements; ++i) {
      decoder.mean_[i] += static_cast<double>(input[i]) / static_cast<double>(n);
    }
  }
  std::vector<double> matrix(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      matrix[i * n + j] = matrix[j * n + i] = decoder.kernel_of(seen[i], seen[j]);
    }
    matrix[i * n + i] += ridge;
  }
  if (!factorise(matrix, n)) return internal_error("the decoder's matrix is not positive");
  decoder.coefficients_.assign(elements, std::vector<double>(n));
  for (size_t element = 0; element < elements; ++element) {
    auto& column = decoder.coefficients_[element];
    for (size_t i = 0; i < n; ++i) {
      column[i] = static_cast<double>(inputs[i][element]) - decoder.mean_[element];
    }
    solve(matrix, n, column);
  }
  return decoder;
}

std::vector<float> LearnedDecoder::decode(std::span<const float> seen) const {
  std::vector<double> weights;
  weights.reserve(seen_.size());
  for (const auto& row : seen_) weights.push_back(kernel_of(row, seen));
  std::vector<float> input(mean_.size());
  for (size_t i = 0; i < input.size(); ++i) {
    double sum = mean_[i];
    for (size_t k = 0; k < weights.size(); ++k) sum += coefficients_[i][k] * weights[k];
    input[i] = static_cast<float>(sum);
  }
  return input;
}

InputPrior input_prior(const Rows& inputs, size_t components) {
  InputPrior prior;
  const size_t elements = inputs[0].size();
  prior.mean.assign(elements, 0);
  for (const auto& input : inputs) {
    for (size_t i = 0; i < elements; ++i) {
      prior.mean[i] += input[i] / static_cast<float>(inputs.size());
    }
  }
  Rows rest = inputs;
  for (auto& row : rest) {
    for (size_t i = 0; i < elements; ++i) row[i] -= prior.mean[i];
  }
  // Power iterations, one component after the other; what is found is taken out.
  constexpr int kIterations = 12;
  for (size_t k = 0; k < std::min(components, inputs.size() - 1); ++k) {
    std::vector<float> direction = rest[k % rest.size()];
    for (int iteration = 0; iteration < kIterations; ++iteration) {
      std::vector<float> next(elements, 0);
      for (const auto& row : rest) {
        const auto weight = static_cast<float>(dot(row, direction));
        for (size_t i = 0; i < elements; ++i) next[i] += weight * row[i];
      }
      const double norm = std::sqrt(dot(next, next));
      if (norm < 1e-9) break;
      for (size_t i = 0; i < elements; ++i) {
        direction[i] = next[i] / static_cast<float>(norm);
      }
    }
    double energy = 0;
    for (auto& row : rest) {
      const double weight = dot(row, direction);
      energy += weight * weight;
      for (size_t i = 0; i < elements; ++i) row[i] -= static_cast<float>(weight) * direction[i];
    }
    prior.deviations.push_back(std::sqrt(energy / static_cast<double>(rest.size())));
    prior.components.push_back(std::move(direction));
  }
  return prior;
}

Result<std::vector<float>> reconstruct(const SeenOf& model, std::span<const float> seen,
                                       const InputPrior& prior, int steps) {
  constexpr double kDifference = 0.05;  // of a component's deviation
  std::vector<double> place(prior.components.size(), 0);
  std::vector<double> best = place;
  double best_distance = 1e300;
  for (int step = 0; step <= steps; ++step) {
    EDGEWRIGHT_ASSIGN(const auto here, model(input_at(prior, place)));
    const double distance = squared_distance(here, seen);
    if (distance < best_distance) {
      best_distance = distance;
      best = place;
    }
    if (step == steps) break;
    std::vector<float> difference(here.size());
    for (size_t i = 0; i < here.size(); ++i) difference[i] = seen[i] - here[i];
    std::vector<std::vector<float>> derivatives;
    for (size_t k = 0; k < place.size(); ++k) {
      auto moved = place;
      moved[k] += kDifference;
      EDGEWRIGHT_ASSIGN(auto there, model(input_at(prior, moved)));
      for (size_t i = 0; i < there.size(); ++i) {
        there[i] = (there[i] - here[i]) / static_cast<float>(kDifference);
      }
      derivatives.push_back(std::move(there));
    }
    if (!gauss_newton_step(derivatives, difference, place)) break;
  }
  return input_at(prior, best);
}

}  // namespace edgewright
