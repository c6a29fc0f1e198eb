#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "split/codec/forms.h"

namespace edgewright {
namespace {

// More channels would take longer to decompose than to send.
constexpr size_t kMostChannels = 512;
constexpr double kKeptEnergy = 0.999;

// Rows are positions, columns channels.
struct Layout {
  size_t rows = 0, channels = 0;
  ChannelGroups groups;
  // Where position `row` of channel `channel` lies in the tensor.
  size_t index(size_t row, size_t channel) const {
    return (row / groups.inner * groups.groups + channel) * groups.inner + row % groups.inner;
  }
};
Layout layout_of(const Dims& dims, size_t elements) {
  Layout layout;
  layout.groups = channel_groups(dims);
  layout.channels = layout.groups.groups;
  layout.rows = elements / layout.channels;
  return layout;
}

// Second moments of the channels, without centring: the mean direction is a component like others.
std::vector<double> moments(std::span<const float> values, const Layout& layout) {
  const size_t n = layout.channels;
  std::vector<double> matrix(n * n, 0);
  std::vector<double> row(n);
  for (size_t r = 0; r < layout.rows; ++r) {
    for (size_t c = 0; c < n; ++c) row[c] = values[layout.index(r, c)];
    for (size_t a = 0; a < n; ++a) {
      for (size_t b = a; b < n; ++b) matrix[a * n + b] += row[a] * row[b];
    }
  }
  for (size_t a = 0; a < n; ++a) {
    for (size_t b = 0; b < a; ++b) matrix[a * n + b] = matrix[b * n + a];
  }
  return matrix;
}

// One Jacobi rotation in the plane of p and q (Golub and Van Loan, Matrix Computations, 8.5).
void rotate(std::vector<double>& matrix, std::vector<double>& vectors, size_t n, size_t p,
            size_t q) {
  const double theta = (matrix[q * n + q] - matrix[p * n + p]) / (2 * matrix[p * n + q]);
  const double t = std::copysign(1.0, theta) / (std::fabs(theta) + std::sqrt(theta * theta + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c;
  for (size_t k = 0; k < n; ++k) {
    const double kp = matrix[k * n + p], kq = matrix[k * n + q];
    matrix[k * n + p] = c * kp - s * kq;
    matrix[k * n + q] = s * kp + c * kq;
  }
  for (size_t k = 0; k < n; ++k) {
    const double pk = matrix[p * n + k], qk = matrix[q * n + k];
    matrix[p * n + k] = c * pk - s * qk;
    matrix[q * n + k] = s * pk + c * qk;
    const double vp = vectors[k * n + p], vq = vectors[k * n + q];
    vectors[k * n + p] = c * vp - s * vq;
    vectors[k * n + q] = s * vp + c * vq;
  }
}

// Eigenvectors as columns; the eigenvalues are left on the matrix's diagonal.
std::vector<double> eigenvectors(std::vector<double>& matrix, size_t n) {
  constexpr int kMostSweeps = 30;
  std::vector<double> vectors(n * n, 0);
  for (size_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
  double trace = 0;
  for (size_t i = 0; i < n; ++i) trace += matrix[i * n + i];
  const double negligible = 1e-10 * trace / static_cast<double>(n * n);
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool changed = false;
    for (size_t p = 0; p < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) {
        if (std::fabs(matrix[p * n + q]) <= negligible) continue;
        rotate(matrix, vectors, n, p, q);
        changed = true;
      }
    }
    if (!changed) break;
  }
  return vectors;
}

// Columns of the basis, strongest first, that hold enough of the energy.
std::vector<size_t> kept_columns(const std::vector<double>& matrix, size_t n) {
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](size_t i) { return matrix[i * n + i]; });
  double total = 0;
  for (size_t i = 0; i < n; ++i) total += std::max(0.0, matrix[i * n + i]);
  double held = 0;
  size_t count = 0;
  while (count < n && held < kKeptEnergy * total) {
    held += std::max(0.0, matrix[order[count] * n + order[count]]);
    ++count;
  }
  order.resize(std::max<size_t>(1, count));
  return order;
}

Dims coefficient_dims(const Layout& layout, size_t components) {
  return {static_cast<int64_t>(layout.rows), static_cast<int64_t>(components)};
}

}  // namespace

Status write_pca(std::span<const float> values, const Dims& dims, ByteWriter& writer) {
  const Layout layout = layout_of(dims, values.size());
  if (layout.channels < 2 || layout.channels > kMostChannels) {
    return unsupported(
        "found {} channels in an activation, expected 2 to {} for principal "
        "components; use another codec",
        layout.channels, kMostChannels);
  }
  const size_t n = layout.channels;
  auto matrix = moments(values, layout);
  const auto vectors = eigenvectors(matrix, n);
  const auto columns = kept_columns(matrix, n);
  writer.put(static_cast<uint32_t>(columns.size()));
  // The coefficients are of the basis as the receiver has it.
  std::vector<float> basis;
  for (const size_t column : columns) {
    for (size_t c = 0; c < n; ++c) {
      const Half half(static_cast<float>(vectors[c * n + column]));
      writer.put(half.bits);
      basis.push_back(static_cast<float>(half));
    }
  }
  std::vector<float> coefficients(layout.rows * columns.size(), 0);
  for (size_t r = 0; r < layout.rows; ++r) {
    for (size_t k = 0; k < columns.size(); ++k) {
      float sum = 0;
      for (size_t c = 0; c < n; ++c) sum += values[layout.index(r, c)] * basis[k * n + c];
      coefficients[r * columns.size() + k] = sum;
    }
  }
  return write_form(ActivationForm::kInt8, coefficients, coefficient_dims(layout, columns.size()),
                    {}, writer);
}

Status read_pca(ByteReader& reader, const Dims& dims, std::span<float> values) {
  const Layout layout = layout_of(dims, values.size());
  const size_t n = layout.channels;
  EDGEWRIGHT_ASSIGN(const uint32_t components, reader.get<uint32_t>());
  if (components == 0 || components > n || n > kMostChannels) {
    return bad_input("found {} principal components of {} channels", components, n);
  }
  std::vector<float> basis(components * n);
  for (float& value : basis) {
    EDGEWRIGHT_ASSIGN(const uint16_t bits, reader.get<uint16_t>());
    value = Half::to_float(bits);
  }
  std::vector<float> coefficients(layout.rows * components);
  EDGEWRIGHT_TRY(read_form(ActivationForm::kInt8, reader, coefficient_dims(layout, components), {},
                           coefficients));
  for (size_t r = 0; r < layout.rows; ++r) {
    for (size_t c = 0; c < n; ++c) {
      float sum = 0;
      for (size_t k = 0; k < components; ++k) {
        sum += coefficients[r * components + k] * basis[k * n + c];
      }
      values[layout.index(r, c)] = sum;
    }
  }
  return {};
}

}  // namespace edgewright
