#include "llm/round_calibrated.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <list>
#include <map>

#include "llm/decoder.h"

namespace edgewright {
namespace {

// Share of the mean second moment that is added to every column, so that the matrix can be
// inverted.
constexpr double kDamping = 0.01;
constexpr int kWindow = 512;
// Rounds of refinement: later ones change almost nothing.
constexpr int kRefinements = 4;

// Lower Cholesky factor in place; columns are processed in blocks of rows in parallel.
void factorise(std::span<double> a, size_t n, ThreadPool& pool) {
  for (size_t j = 0; j < n; ++j) {
    double diagonal = a[j * n + j];
    for (size_t k = 0; k < j; ++k) diagonal -= a[j * n + k] * a[j * n + k];
    const double root = std::sqrt(std::max(diagonal, 1e-12));
    a[j * n + j] = root;
    const size_t left = n - j - 1;
    const size_t tasks = std::min<size_t>(left / 64 + 1, 16);
    pool.parallel_for(tasks, [&](size_t task, int) {
      for (size_t i = j + 1 + task; i < n; i += tasks) {
        double sum = a[i * n + j];
        const double* x = &a[i * n];
        const double* y = &a[j * n];
        double sums[4] = {};
        size_t k = 0;
        for (; k + 4 <= j; k += 4) {
          for (size_t lane = 0; lane < 4; ++lane) sums[lane] += x[k + lane] * y[k + lane];
        }
        for (; k < j; ++k) sums[0] += x[k] * y[k];
        sum -= sums[0] + sums[1] + sums[2] + sums[3];
        a[i * n + j] = sum / root;
      }
    });
  }
}

// The upper Cholesky factor of the inverse, row-major in `u`. With A reversed in both directions as
// L L^T, the inverse of A is U^T U for U = the reversed inverse of L, which is upper triangular.
std::vector<float> inverse_factor(std::span<double> a, size_t n, ThreadPool& pool) {
  std::vector<double> reversed(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) reversed[i * n + j] = a[(n - 1 - i) * n + (n - 1 - j)];
  }
  factorise(reversed, n, pool);
  // Column c of the inverse of L by forward substitution.
  std::vector<float> u(n * n, 0.0f);
  pool.parallel_for(n, [&](size_t c, int) {
    std::vector<double> x(n, 0.0);
    x[c] = 1 / reversed[c * n + c];
    for (size_t i = c + 1; i < n; ++i) {
      double sum = 0;
      for (size_t k = c; k < i; ++k) sum -= reversed[i * n + k] * x[k];
      x[i] = sum / reversed[i * n + i];
    }
    // Reversing rows and columns makes the lower triangle an upper one.
    for (size_t i = c; i < n; ++i) u[(n - 1 - i) * n + (n - 1 - c)] = static_cast<float>(x[i]);
  });
  return u;
}

int8_t code_of(float value, float scale) {
  const float code = scale == 0 ? 0 : std::nearbyint(value / scale);
  return static_cast<int8_t>(std::clamp(code, -8.0f, 7.0f));
}

// The scale, as fp16 where the type stores it so, with the least weighted squared error.
float best_scale(std::span<const float> values, std::span<const float> importance, bool half) {
  float extreme = 0;
  for (const float value : values) {
    if (std::fabs(value) > std::fabs(extreme)) extreme = value;
  }
  float best = 0;
  float least = std::numeric_limits<float>::max();
  for (int step = -6; step <= 12; ++step) {
    // Divisors around 8, to either sign: -8 is the code of largest magnitude.
    const float divisor = -8.0f + 0.25f * static_cast<float>(step) - 1.5f;
    for (const float sign : {1.0f, -1.0f}) {
      float scale = sign * extreme / divisor;
      if (half) scale = Half::to_float(Half::from_float(scale));
      float error = 0;
      for (size_t i = 0; i < values.size(); ++i) {
        const float off = values[i] - scale * static_cast<float>(code_of(values[i], scale));
        error += importance[i] * off * off;
      }
      if (error < least) {
        least = error;
        best = scale;
      }
    }
  }
  return best;
}

// out += factor * x. Runs of fixed length, which compilers make vectors of.
void add_scaled(const float* x, float factor, size_t count, float* out) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (size_t lane = 0; lane < 16; ++lane) out[i + lane] += factor * x[i + lane];
  }
  for (; i < count; ++i) out[i] += factor * x[i];
}

void round_row(std::span<float> row, std::span<const float> u, size_t group, int8_t* values,
               float* scales) {
  const size_t n = row.size();
  std::vector<float> importance(group);
  for (size_t j = 0; j < n; ++j) {
    if (j % group == 0) {
      // A column weighs as its error does in the end: by the inverse square of the factor.
      for (size_t i = 0; i < group; ++i) {
        const float factor = u[(j + i) * n + (j + i)];
        importance[i] = 1.0f / (factor * factor);
      }
      scales[j / group] = best_scale(row.subspan(j, group), importance, group == 32);
    }
    const float scale = scales[j / group];
    values[j] = code_of(row[j], scale);
    const float error = (row[j] - scale * static_cast<float>(values[j])) / u[j * n + j];
    add_scaled(&u[j * n + j + 1], -error, n - j - 1, &row[j + 1]);
  }
}

// One row of codes and scales under refinement. The error is e^T H e of e = rounded - original, H
// the second moments; `slope_` is H e.
class RowRefinement {
 public:
  RowRefinement(std::span<const float> original, std::span<const float> moments, size_t group,
                int8_t* codes, float* scales)
      : n_(original.size()), group_(group), h_(moments), codes_(codes), scales_(scales) {
    slope_.resize(n_);
    for (size_t j = 0; j < n_; ++j) {
      const float off = scales_[j / group_] * static_cast<float>(codes_[j]) - original[j];
      add_scaled(&h_[j * n_], off, n_, slope_.data());
    }
  }

  void run() {
    for (int round = 0; round < kRefinements; ++round) {
      for (size_t g = 0; g < n_ / group_; ++g) move_scale(g);
      if (!move_codes()) return;
    }
  }

 private:
  // The scale with the least error for the codes of its group, as fp16 where the type stores it so.
  void move_scale(size_t g) {
    const size_t begin = g * group_;
    double along = 0;
    double curvature = 0;
    for (size_t i = begin; i < begin + group_; ++i) {
      const auto code = static_cast<float>(codes_[i]);
      along += static_cast<double>(code * slope_[i]);
      float product = 0;
      for (size_t j = begin; j < begin + group_; ++j) {
        product += h_[i * n_ + j] * static_cast<float>(codes_[j]);
      }
      curvature += static_cast<double>(code * product);
    }
    if (curvature <= 0) return;
    float scale = scales_[g] - static_cast<float>(along / curvature);
    if (group_ == 32) scale = Half::to_float(Half::from_float(scale));
    const double step = static_cast<double>(scale) - static_cast<double>(scales_[g]);
    if (2 * step * along + step * step * curvature >= 0) return;
    for (size_t i = begin; i < begin + group_; ++i) {
      const float change = static_cast<float>(step) * static_cast<float>(codes_[i]);
      if (change != 0) add_scaled(&h_[i * n_], change, n_, slope_.data());
    }
    scales_[g] = scale;
  }

  // Every code in turn takes the value with the least error beside the others'; whether one did.
  bool move_codes() {
    bool moved = false;
    for (size_t j = 0; j < n_; ++j) {
      const float scale = scales_[j / group_];
      const float best = scale * static_cast<float>(codes_[j]) - slope_[j] / h_[j * n_ + j];
      const int8_t code = code_of(best, scale);
      if (code == codes_[j]) continue;
      add_scaled(&h_[j * n_], scale * static_cast<float>(code - codes_[j]), n_, slope_.data());
      codes_[j] = code;
      moved = true;
    }
    return moved;
  }

  size_t n_, group_;
  std::span<const float> h_;
  int8_t* codes_;
  float* scales_;
  std::vector<float> slope_;
};

// Second moments of the inputs of some matrices, by name.
class Moments {
 public:
  void want(const std::string& name, size_t columns) {
    sums_[name].assign(columns * columns, 0.0f);
  }

  void add(const std::string& name, std::span<const float> rows, size_t columns, ThreadPool& pool) {
    const auto found = sums_.find(name);
    if (found == sums_.end()) return;
    float* sum = found->second.data();
    const size_t count = rows.size() / columns;
    pool.parallel_for(columns, [&](size_t i, int) {
      for (size_t row = 0; row < count; ++row) {
        const float* x = &rows[row * columns];
        const float factor = x[i];
        if (factor == 0) continue;
        add_scaled(x, factor, i + 1, sum + i * columns);
      }
    });
  }

  // The whole matrix, damped.
  std::vector<double> take(const std::string& name, size_t n) {
    std::vector<float> sums = std::move(sums_.at(name));
    sums_.erase(name);
    std::vector<double> out(n * n);
    double trace = 0;
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j <= i; ++j) out[i * n + j] = out[j * n + i] = sums[i * n + j];
      trace += sums[i * n + i];
    }
    const double damping = std::max(1e-6, kDamping * trace / static_cast<double>(n));
    for (size_t i = 0; i < n; ++i) out[i * n + i] += damping;
    return out;
  }

 private:
  std::map<std::string, std::vector<float>> sums_;
};

constexpr const char* kMatrices[] = {"qkv", "output", "gate_up", "down"};

class Calibration {
 public:
  Calibration(const ModelConfig& config, const NamedWeights& weights, const Precision& precision,
              ThreadPool& pool)
      : config_(config), weights_(weights), precision_(precision), pool_(pool) {
    group_ = precision.type == language::WeightType::kQ4 ? 32 : 128;
  }

  Result<PackedModel> run(std::span<const int> tokens, const Progress& progress) {
    // Matrices that are not rounded yet compute as they are stored.
    const Precision stored = precision_table()[0];
    for (int layer = 0; layer < config_.layers; ++layer) {
      EDGEWRIGHT_ASSIGN(PackedModel model,
                        pack_model(config_, weights_, stored, pool_, nullptr, &sources_));
      Moments moments;
      want(moments, layer);
      walk(std::make_shared<const PackedModel>(std::move(model)), tokens, moments);
      for (const char* name : kMatrices) round(fmt::format("layers.{}.{}", layer, name), moments);
      if (progress) {
        progress("rounding by calibration", static_cast<size_t>(layer) + 1,
                 static_cast<size_t>(config_.layers));
      }
    }
    return pack_model(config_, weights_, precision_, pool_, progress, &sources_);
  }

 private:
  size_t columns_of(const std::string& name) const {
    return static_cast<size_t>(weights_.matrices.at(name)[0].columns());
  }

  void want(Moments& moments, int layer) {
    for (const char* matrix : kMatrices) {
      const std::string name = fmt::format("layers.{}.{}", layer, matrix);
      if (columns_of(name) % group_ == 0) moments.want(name, columns_of(name));
    }
  }

  void walk(std::shared_ptr<const PackedModel> model, std::span<const int> tokens,
            Moments& moments) {
    Decoder decoder(std::move(model), pool_);
    decoder.set_observer([&](const std::string& name, std::span<const float> rows, size_t columns) {
      moments.add(name, rows, columns, pool_);
    });
    const auto window = static_cast<size_t>(std::min(kWindow, config_.context));
    KvCache cache(config_, language::CacheType::kF16, static_cast<int>(window) / kPageTokens + 1);
    for (size_t begin = 0; begin < tokens.size(); begin += window) {
      const auto part = tokens.subspan(begin, std::min(window, tokens.size() - begin));
      SequenceCache sequence(cache);
      EDGEWRIGHT_CHECK(sequence.reserve(static_cast<int>(part.size())));
      const DecoderRun run{&sequence, part, 0};
      decoder.run(std::span(&run, 1), language::Phase::kPrefill, {});
    }
  }

  void round(const std::string& name, Moments& moments) {
    const size_t columns = columns_of(name);
    if (columns % group_ != 0) return;
    const std::vector<double> sums = moments.take(name, columns);
    for (const StoredWeight& part : weights_.matrices.at(name)) {
      const auto rows = static_cast<size_t>(part.rows());
      std::vector<float> values(rows * columns);
      for (size_t row = 0; row < rows; ++row) {
        language::read_source_row(source_of(part), row, &values[row * columns]);
      }
      std::vector<double> copy = sums;
      RoundedRows& rounded =
          rounded_.emplace_back(round_rows(values, rows, copy, columns, group_, pool_));
      sources_[name].push_back(
          {group_ == 32 ? language::SourceType::kInt4G32 : language::SourceType::kInt4G128, rows,
           columns, rounded.values.data(), rounded.scales.data()});
    }
  }

  const ModelConfig& config_;
  const NamedWeights& weights_;
  Precision precision_;
  ThreadPool& pool_;
  size_t group_ = 32;
  std::list<RoundedRows> rounded_;
  ReplacedSources sources_;
};

}  // namespace

RoundedRows round_rows(std::span<const float> weights, size_t rows,
                       std::span<double> second_moments, size_t columns, size_t group,
                       ThreadPool& pool) {
  const std::vector<float> moments(second_moments.begin(), second_moments.end());
  const std::vector<float> u = inverse_factor(second_moments, columns, pool);
  RoundedRows out;
  out.rows = rows;
  out.columns = columns;
  out.values.resize(rows * columns);
  out.scales.resize(rows * columns / group);
  pool.parallel_for(rows, [&](size_t row, int) {
    const auto original = weights.subspan(row * columns, columns);
    std::vector<float> copy(original.begin(), original.end());
    int8_t* codes = &out.values[row * columns];
    float* scales = &out.scales[row * columns / group];
    round_row(copy, u, group, codes, scales);
    RowRefinement(original, moments, group, codes, scales).run();
  });
  return out;
}

Result<PackedModel> pack_calibrated(const ModelConfig& config, const NamedWeights& weights,
                                    const Precision& precision, std::span<const int> tokens,
                                    ThreadPool& pool, const Progress& progress) {
  if (precision.type != language::WeightType::kQ4 &&
      precision.type != language::WeightType::kQ4G128) {
    return usage_error("calibration rounds to int4 or int4-g128, found precision {}",
                       precision.name);
  }
  if (tokens.size() < 256) {
    return usage_error("the calibration text has {} tokens, expected at least 256", tokens.size());
  }
  const auto used = tokens.first(std::min<size_t>(tokens.size(), kCalibrationTokens));
  return Calibration(config, weights, precision, pool).run(used, progress);
}

}  // namespace edgewright
