#pragma once

#include <span>
#include <vector>

#include "base/result.h"

namespace edgewright {

// Makes the L2 norm at most `bound` by scaling; returns the norm that it had. Two neighbouring
// inputs then differ by at most 2 x bound after it (replacement), or bound (one is absent).
double clip_norm(std::span<float> values, double bound);
// Adds Gaussian noise from the cryptographic generator and rounds to a grid of 2^-20 sigma.
void add_noise(std::span<float> values, double sigma);

// Obfuscation, no guarantee: whoever has many outputs and some inputs can undo these. They only
// make a chance observer's work harder.

// A random orthogonal matrix in the form of `reflections` Householder reflections, drawn once from
// the cryptographic generator; applying costs reflections x size.
class RandomRotation {
 public:
  RandomRotation(size_t size, size_t reflections);
  size_t size() const { return size_; }
  void apply(std::span<float> values) const;
  void undo(std::span<float> values) const;

 private:
  size_t size_;
  std::vector<std::vector<float>> normals_;  // unit vectors
};

// Keeps `kept` of `size` numbers as random combinations with orthonormal rows; `restore` gives the
// least-squares estimate of what went in.
class RandomProjection {
 public:
  RandomProjection(size_t size, size_t kept);
  std::vector<float> apply(std::span<const float> values) const;
  std::vector<float> restore(std::span<const float> projected) const;

 private:
  size_t size_, kept_;
  RandomRotation rotation_;
};

// A projection that costs one pass over the values: each is added to or taken from one of `kept`
// sums (Charikar, Chen and Farach-Colton, "Finding frequent items in data streams", ICALP 2002,
// with neighbours in different sums), so that the rows are orthogonal; sums are scaled to unit
// rows.
class SketchProjection {
 public:
  SketchProjection(size_t size, size_t kept);
  size_t kept() const { return kept_; }
  std::vector<float> apply(std::span<const float> values) const;
  // The least-squares estimate of what went in.
  std::vector<float> restore(std::span<const float> projected) const;

 private:
  float weight(size_t sum) const;

  size_t size_, kept_;
  std::vector<float> signs_;  // -1 or 1, from the cryptographic generator
};

}  // namespace edgewright
