#include "kernels/conv/winograd_transform.h"

namespace edgewright {
namespace {

constexpr double kFilter4[6][3] = {{1.0 / 4, 0, 0},
                                   {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                   {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                   {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                   {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                   {0, 0, 1}};
constexpr double kFilter2[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

}  // namespace

// G w G^T, in double: it is done once and the rounding of the products matters most.
void winograd_filter(int m, const float* w, double* out) {
  const int size = m + 2;
  const double (*const g)[3] = m == 4 ? kFilter4 : kFilter2;
  double half[6][3];
  for (int i = 0; i < size; ++i) {
    for (int x = 0; x < 3; ++x) {
      half[i][x] = 0;
      for (int y = 0; y < 3; ++y) half[i][x] += g[i][y] * static_cast<double>(w[y * 3 + x]);
    }
  }
  for (int i = 0; i < size; ++i) {
    for (int j = 0; j < size; ++j) {
      double sum = 0;
      for (int x = 0; x < 3; ++x) sum += half[i][x] * g[j][x];
      out[i * size + j] = sum;
    }
  }
}

}  // namespace edgewright
