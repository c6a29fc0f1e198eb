#include "split/privacy/noise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "split/privacy/random.h"

namespace edgewright {
namespace {

using Lanes = float __attribute__((vector_size(32)));
constexpr size_t kLanes = sizeof(Lanes) / sizeof(float);

// Sums in lanes: one after another they would wait for each other.
double dot(std::span<const float> a, std::span<const float> b) {
  // A lane adds at most so many, so that floats are exact enough; blocks are added as doubles.
  constexpr size_t kBlock = 512 * kLanes;
  double sum = 0;
  size_t i = 0;
  while (i + kLanes <= a.size()) {
    Lanes sums = {};
    const size_t end = std::min(a.size(), i + kBlock);
    for (; i + kLanes <= end; i += kLanes) {
      Lanes x, y;
      std::memcpy(&x, a.data() + i, sizeof x);
      std::memcpy(&y, b.data() + i, sizeof y);
      sums += x * y;
    }
    for (size_t lane = 0; lane < kLanes; ++lane) sum += static_cast<double>(sums[lane]);
  }
  for (; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

void add_products(std::span<const float> a, std::span<const float> b, std::span<float> sums) {
  size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes) {
    Lanes x, y, sum;
    std::memcpy(&x, a.data() + i, sizeof x);
    std::memcpy(&y, b.data() + i, sizeof y);
    std::memcpy(&sum, sums.data() + i, sizeof sum);
    sum += x * y;
    std::memcpy(sums.data() + i, &sum, sizeof sum);
  }
  for (; i < a.size(); ++i) sums[i] += a[i] * b[i];
}

void reflect(const std::vector<float>& normal, std::span<float> values) {
  const auto twice = static_cast<float>(2 * dot(normal, values));
  for (size_t i = 0; i < values.size(); ++i) values[i] -= twice * normal[i];
}

}  // namespace

double clip_norm(std::span<float> values, double bound) {
  double square = 0;
  for (const float value : values) {
    square += static_cast<double>(value) * static_cast<double>(value);
  }
  const double norm = std::sqrt(square);
  if (norm > bound) {
    // A little less, so that rounding does not exceed the bound.
    const auto factor = static_cast<float>(bound / norm * (1 - 1e-6));
    for (float& value : values) value *= factor;
  }
  return norm;
}

void add_noise(std::span<float> values, double sigma) {
  const double grid = std::exp2(std::floor(std::log2(sigma)) - 20);
  // Doubles near this one are a grid apart, so that adding it rounds to the grid.
  const double rounder = 1.5 * 0x1p52 * grid;
  std::array<double, 1024> noise;
  for (size_t begin = 0; begin < values.size(); begin += noise.size()) {
    const auto part = values.subspan(begin, std::min(noise.size(), values.size() - begin));
    secure_normals(std::span(noise).first(part.size()));
    for (size_t i = 0; i < part.size(); ++i) {
      const double noisy = static_cast<double>(part[i]) + sigma * noise[i];
      const bool is_near = std::fabs(noisy) < 0x1p50 * grid;
      part[i] =
          static_cast<float>(is_near ? noisy + rounder - rounder : std::round(noisy / grid) * grid);
    }
  }
}

RandomRotation::RandomRotation(size_t size, size_t reflections) : size_(size) {
  for (size_t r = 0; r < reflections; ++r) {
    auto& normal = normals_.emplace_back(size);
    double square = 0;
    for (float& value : normal) {
      value = static_cast<float>(secure_normal());
      square += static_cast<double>(value) * static_cast<double>(value);
    }
    const auto length = static_cast<float>(std::sqrt(square));
    for (float& value : normal) value /= length;
  }
}

void RandomRotation::apply(std::span<float> values) const {
  EDGEWRIGHT_CHECK(values.size() == size_);
  for (const auto& normal : normals_) reflect(normal, values);
}

void RandomRotation::undo(std::span<float> values) const {
  EDGEWRIGHT_CHECK(values.size() == size_);
  for (size_t i = normals_.size(); i-- > 0;) reflect(normals_[i], values);
}

RandomProjection::RandomProjection(size_t size, size_t kept)
    : size_(size), kept_(kept), rotation_(size, 8) {
  EDGEWRIGHT_CHECK(kept >= 1 && kept <= size);
}

std::vector<float> RandomProjection::apply(std::span<const float> values) const {
  std::vector<float> rotated(values.begin(), values.end());
  rotation_.apply(rotated);
  rotated.resize(kept_);
  return rotated;
}

std::vector<float> RandomProjection::restore(std::span<const float> projected) const {
  std::vector<float> values(projected.begin(), projected.end());
  values.resize(size_, 0);
  rotation_.undo(values);
  return values;
}

SketchProjection::SketchProjection(size_t size, size_t kept)
    : size_(size), kept_(kept), signs_(size) {
  EDGEWRIGHT_CHECK(kept >= 1 && kept <= size);
  for (float& sign : signs_) sign = (secure_word() & 1) != 0 ? -1.0f : 1.0f;
}

// The last values may not go round: the first sums have one term more.
float SketchProjection::weight(size_t sum) const {
  const size_t terms = size_ / kept_ + (sum < size_ % kept_ ? 1 : 0);
  return 1 / std::sqrt(static_cast<float>(terms));
}

std::vector<float> SketchProjection::apply(std::span<const float> values) const {
  EDGEWRIGHT_CHECK(values.size() == size_);
  std::vector<float> sums(kept_, 0);
  for (size_t begin = 0; begin < size_; begin += kept_) {
    const size_t count = std::min(kept_, size_ - begin);
    add_products(values.subspan(begin, count), std::span(signs_).subspan(begin, count), sums);
  }
  for (size_t i = 0; i < kept_; ++i) sums[i] *= weight(i);
  return sums;
}

std::vector<float> SketchProjection::restore(std::span<const float> projected) const {
  EDGEWRIGHT_CHECK(projected.size() == kept_);
  std::vector<float> values(size_);
  for (size_t i = 0; i < size_; ++i) {
    values[i] = projected[i % kept_] * weight(i % kept_) * signs_[i];
  }
  return values;
}

}  // namespace edgewright
