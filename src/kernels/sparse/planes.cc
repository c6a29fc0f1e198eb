#include "kernels/sparse/planes.h"

#include <algorithm>

namespace edgewright {

std::vector<int32_t> plane_distances(const ConvShape& s, int64_t channels) {
  const Planes planes(s);
  std::vector<int32_t> distances;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
      for (int64_t kx = 0; kx < s.kernel_width; ++kx) {
        distances.push_back(static_cast<int32_t>(c * planes.channel() +
                                                 planes.at(ky * s.dilation_y, kx * s.dilation_x)));
      }
    }
  }
  return distances;
}

int64_t channels_in_cache(const ConvShape& s, int64_t channels, int64_t positions, int64_t words) {
  const Planes planes(s);
  const int64_t touched = std::min(s.stride_y * s.stride_x * planes.plane(),
                                   (positions + s.kernel_height * planes.columns) * s.stride_x);
  return std::clamp<int64_t>(words / touched, 1, channels);
}

}  // namespace edgewright
