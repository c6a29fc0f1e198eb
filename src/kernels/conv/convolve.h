#pragma once

#include "kernels/reference/operand.h"
#include "kernels/reference/window.h"

namespace edgewright::reference {

// A grouped convolution over any number of spatial axes: X [batch, groups * in, input...],
// W [groups * out, in, kernel...], Y [batch, groups * out, output...].
struct ConvShape {
  int64_t batch = 0;
  int64_t groups = 1;
  int64_t in_channels = 0;   // of one group
  int64_t out_channels = 0;  // of one group
  Window window;

  Dims output_dims() const;
};

// Shapes of X and W with the node's attributes, checked.
Result<ConvShape> conv_shape(const OpCall& call, const Tensor& x, const Tensor& w);

// The whole convolution added to Y.
template <class T>
void convolve(const ConvShape& shape, const T* x, const T* w, T* y);

// Y [batch, channels, plane] += bias [channels].
template <class T>
void add_bias(const T* bias, int64_t batch, int64_t channels, int64_t plane, T* y) {
  for (int64_t i = 0; i < batch * channels; ++i) {
    for (int64_t j = 0; j < plane; ++j) y[i * plane + j] += bias[i % channels];
  }
}

}  // namespace edgewright::reference
