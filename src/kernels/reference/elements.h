// Moving elements of any type, strings and packed sub-byte types included, without looking at them.
#pragma once

#include "tensor/tensor.h"

namespace edgewright::reference {

// Copies runs of elements between two tensors of one element type. Offsets and counts are in
// elements and must be inside both tensors.
class ElementCopier {
 public:
  ElementCopier(const Tensor& from, Tensor& to);

  void copy(int64_t to, int64_t from, int64_t count) const;
  // Source elements lie `from_step` elements apart (0 repeats one, negative goes backwards).
  void copy_strided(int64_t to, int64_t from, int64_t count, int64_t from_step) const;

 private:
  void copy_one(int64_t to, int64_t from) const;
  const Tensor& from_;
  Tensor& to_;
  int bits_;
};

// `to`, read in row-major order of `dims`, becomes the elements of `from` at `start` plus the sum
// of position times stride: transpositions, slices, repetitions. All must lie inside `from`, and
// `to` must have as many elements as `dims`.
void copy_view(const Tensor& from, int64_t start, const Dims& dims, const Dims& strides,
               Tensor& to);

// Every element of `to` becomes element 0 of `value`, a tensor of the same type.
void fill(Tensor& to, const Tensor& value);

}  // namespace edgewright::reference
