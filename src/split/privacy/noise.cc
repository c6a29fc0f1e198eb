#include "split/privacy/noise.h"

#include <cmath>

#include "split/privacy/random.h"

namespace edgewright {
namespace {

void reflect(const std::vector<float>& normal, std::span<float> values) {
  double dot = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    dot += static_cast<double>(normal[i]) * static_cast<double>(values[i]);
  }
  const auto twice = static_cast<float>(2 * dot);
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
  for (float& value : values) {
    const double noisy = static_cast<double>(value) + sigma * secure_normal();
    value = static_cast<float>(std::round(noisy / grid) * grid);
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

}  // namespace edgewright
