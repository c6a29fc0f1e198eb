#include "kernels/matmul/matmul_shape.h"

#include <algorithm>
#include <cstring>

#include "kernels/sparse/sparse_tile.h"

namespace edgewright {
namespace {

Error not_this(const char* what) { return unsupported("matrix product: {}", what); }

// Matrices in the leading axes of an operand for every matrix of the output.
Result<std::vector<int64_t>> broadcast_index(const Dims& dims, const Dims& out) {
  const size_t lead = out.size() - 2;
  std::vector<int64_t> index = {0};
  if (dims.size() > out.size()) return not_this("an operand has more axes than the result");
  const size_t missing = out.size() - dims.size();
  for (size_t axis = 0; axis < lead; ++axis) {
    const int64_t size = axis < missing ? 1 : dims[axis - missing];
    if (size != 1 && size != out[axis]) return not_this("leading axes do not broadcast");
    std::vector<int64_t> next;
    next.reserve(index.size() * static_cast<size_t>(out[axis]));
    for (const int64_t base : index) {
      for (int64_t i = 0; i < out[axis]; ++i) next.push_back(base * size + (size == 1 ? 0 : i));
    }
    index = std::move(next);
  }
  return index;
}

Status parse_gemm_parts(const KernelRequest& request, MatMulShape& s) {
  if (request.op != "Gemm") {
    s.scale = request.attributes->get_float("alpha_scale", 1.0f);
    s.transpose_a = request.attributes->get_int("transpose_a", 0) != 0;
    s.transpose_b = request.attributes->get_int("transpose_b", 0) != 0;
    return {};
  }
  s.scale = request.attributes->get_float("alpha", 1.0f);
  s.transpose_a = request.attributes->get_int("transA", 0) != 0;
  s.transpose_b = request.attributes->get_int("transB", 0) != 0;
  if (has_input(request, 2) && request.attributes->get_float("beta", 1.0f) != 1.0f) {
    return not_this("beta is not 1");
  }
  return {};
}

// Largest batch: the index vectors stay small.
constexpr int64_t kMaxBatch = 1 << 16;

}  // namespace

Result<MatMulShape> parse_matmul(const KernelRequest& request) {
  if (!is_float32(request) || !is_plain(request) || request.inputs.size() < 2 ||
      request.outputs.size() != 1) {
    return not_this("not plain float32");
  }
  const Dims& a = request.inputs[0].dims;
  const Dims& b = request.inputs[1].dims;
  const Dims& y = request.outputs[0].dims;
  if (a.size() < 2 || b.size() < 2 || y.size() < 2) return not_this("a side is a vector");
  MatMulShape s;
  EDGEWRIGHT_TRY(parse_gemm_parts(request, s));
  // Gemm has attributes alpha and beta of another meaning.
  if (request.domain == "edgewright") {
    EDGEWRIGHT_ASSIGN(s.epilogue, parse_epilogue(*request.attributes));
  }
  s.m = a[a.size() - (s.transpose_a ? 1 : 2)];
  s.k = a[a.size() - (s.transpose_a ? 2 : 1)];
  s.n = b[b.size() - (s.transpose_b ? 2 : 1)];
  const int64_t b_k = b[b.size() - (s.transpose_b ? 1 : 2)];
  if (b_k != s.k || y[y.size() - 2] != s.m || y[y.size() - 1] != s.n) {
    return not_this("shapes do not agree");
  }
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(y));
  if (count == 0 || s.k == 0) return not_this("empty");
  s.batch = count / (s.m * s.n);
  if (s.batch > kMaxBatch) return not_this("very many matrices");
  EDGEWRIGHT_ASSIGN(s.a_index, broadcast_index(a, y));
  EDGEWRIGHT_ASSIGN(s.b_index, broadcast_index(b, y));
  s.b_is_shared = std::all_of(s.b_index.begin(), s.b_index.end(), [](int64_t i) { return i == 0; });
  s.has_bias = has_input(request, 2);
  if (s.has_bias) {
    const Dims& bias = request.inputs[2].dims;
    EDGEWRIGHT_ASSIGN(const int64_t values, checked_element_count(bias));
    if (values != s.n || bias.empty() || bias.back() != s.n) return not_this("bias is not [n]");
  }
  s.has_residual = has_input(request, 3);
  if (s.has_residual && request.inputs[3].dims != y) return not_this("residual is not shaped as y");
  // One tall product instead of many when B is the same for all.
  const bool straight = !s.transpose_a && s.b_is_shared &&
                        s.a_index.back() + 1 == static_cast<int64_t>(s.a_index.size());
  if (straight) {
    s.m *= s.batch;
    s.batch = 1;
    s.a_index = {0};
    s.b_index = {0};
  }
  return s;
}

void pack_panels(const float* b, int64_t k, int64_t n, bool transposed, float* out) {
  for (int64_t first = 0; first < n; first += 16, out += k * 16) {
    const int64_t columns = std::min<int64_t>(16, n - first);
    if (transposed) {
      if (columns < 16) std::fill_n(out, k * 16, 0.0f);
      transpose_words(b + first * k, k, static_cast<size_t>(columns), static_cast<size_t>(k), out,
                      16);
    } else if (columns == 16) {
      // A constant size, so that a row is one or two vector moves.
      for (int64_t i = 0; i < k; ++i) std::memcpy(out + i * 16, b + i * n + first, 64);
    } else {
      for (int64_t i = 0; i < k; ++i) {
        float* const row = out + i * 16;
        std::fill(std::copy_n(b + i * n + first, columns, row), row + 16, 0.0f);
      }
    }
  }
}

}  // namespace edgewright
