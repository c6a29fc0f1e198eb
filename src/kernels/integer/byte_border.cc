#include "kernels/integer/byte_border.h"

#include <cstring>

namespace edgewright {

ByteBorder::ByteBorder(const ConvShape& shape, uint8_t value)
    : pad_top_(shape.pad_top),
      in_height_(shape.in_height),
      row_bytes_(shape.in_width * shape.in_channels),
      left_(shape.pad_left * shape.in_channels),
      right_(shape.pad_right * shape.in_channels),
      pitch_(shape.padded_width() * shape.in_channels),
      stride_y_(shape.stride_y),
      span_y_((shape.kernel_height - 1) * shape.dilation_y + 1),
      value_(value) {}

int64_t ByteBorder::input_rows(int64_t rows) const { return (rows - 1) * stride_y_ + span_y_; }

void ByteBorder::copy_rows(const uint8_t* image, int64_t top, int64_t rows, uint8_t* to) const {
  for (int64_t row = 0; row < rows; ++row, to += pitch_) {
    const int64_t y = top + row - pad_top_;
    if (y < 0 || y >= in_height_) {
      std::memset(to, value_, static_cast<size_t>(pitch_));
      continue;
    }
    std::memset(to, value_, static_cast<size_t>(left_));
    std::memcpy(to + left_, image + y * row_bytes_, static_cast<size_t>(row_bytes_));
    std::memset(to + left_ + row_bytes_, value_, static_cast<size_t>(right_));
  }
}

}  // namespace edgewright
