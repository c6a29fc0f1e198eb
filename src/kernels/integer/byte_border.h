#pragma once

#include <cstdint>

#include "kernels/conv/conv_shape.h"

namespace edgewright {

// Images of NHWC bytes with the border that a convolution reads around them.
class ByteBorder {
 public:
  // `value`: the zero point, which stands for 0.
  ByteBorder(const ConvShape& shape, uint8_t value);

  int64_t pitch() const { return pitch_; }  // bytes of a bordered row
  // Rows of the input under `rows` rows of the output.
  int64_t input_rows(int64_t rows) const;
  // Rows from `top` (of the bordered image) on.
  void copy_rows(const uint8_t* image, int64_t top, int64_t rows, uint8_t* to) const;

 private:
  int64_t pad_top_, in_height_, row_bytes_, left_, right_, pitch_;
  int64_t stride_y_, span_y_;
  uint8_t value_;
};

}  // namespace edgewright
