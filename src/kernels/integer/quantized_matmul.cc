// edgewright::QuantizedMatMul with a constant right side, and 1x1 convolutions over NHWC, which are
// the same product: rows of bytes, read where they lie. Only the last rows, behind which a core
// would read beyond the tensor, are copied first.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "kernels/integer/integer_layer.h"
#include "kernels/integer/quantized_kernels.h"
#include "kernels/integer/quantized_shape.h"

namespace edgewright {
namespace {

// Rows that the core takes at once at most, and that are copied at the end.
constexpr int64_t kTailRows = 32;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t whole_chunks(int64_t k) {
  return divide_up(k, static_cast<int64_t>(kIntegerChunk)) * static_cast<int64_t>(kIntegerChunk);
}

struct ProductShape {
  int64_t m = 0, k = 0, n = 0;
  Requantisation requantisation;
  bool a_is_signed = false;
  bool two_of_four = false;

  IntegerDepth depth() const { return {1, static_cast<size_t>(k), two_of_four}; }
};

class QuantizedProduct : public PreparedKernel {
 public:
  QuantizedProduct(const ProductShape& shape, const IntegerCore& core, PackedBytes packed,
                   int threads)
      : s_(shape),
        layer_(core, shape.depth(), static_cast<size_t>(shape.n), shape.requantisation,
               shape.a_is_signed, packed.data()),
        threads_(std::max(threads, 1)),
        out_bytes_(shape.requantisation.out == DType::kFloat32 ? 4 : 1),
        residual_bytes_(shape.requantisation.residual == DType::kFloat32 ? 4 : 1) {
    // Rows that may be read in place: what a core reads too much of them stays within the rest.
    const int64_t tall = std::min(s_.m, std::max(kTailRows, divide_up(whole_chunks(s_.k), s_.k)));
    in_place_ = std::max<int64_t>(0, (s_.m - tall) / kTailRows * kTailRows);
    if (s_.m % 16 == 0 && s_.k % static_cast<int64_t>(kIntegerChunk) == 0) in_place_ = s_.m;
    // One task a thread by default; more rows than a few thousand in pieces, for the cache's sake.
    const int64_t pieces = threads_ == 1 ? 1 : 2 * int64_t{threads_};
    rows_per_task_ = std::clamp<int64_t>(divide_up(divide_up(s_.m, pieces), kTailRows) * kTailRows,
                                         kTailRows, kRowsPerTask);
    places_.resize(static_cast<size_t>(std::min(rows_per_task_, s_.m)));
    for (size_t i = 0; i < places_.size(); ++i) {
      places_[i] = static_cast<int32_t>(i) * static_cast<int32_t>(s_.n);
    }
  }

  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_) * worker_bytes();
  }

  void run(const KernelIo& io) const override {
    const int64_t tasks = divide_up(s_.m, rows_per_task_);
    io.pool->parallel_for(static_cast<size_t>(tasks), [&](size_t index, int worker) {
      if (layer_.core().begin != nullptr) layer_.core().begin();
      const int64_t first = static_cast<int64_t>(index) * rows_per_task_;
      const int64_t end = std::min(first + rows_per_task_, s_.m);
      const int64_t split = std::clamp(in_place_, first, end);
      const auto* const a = static_cast<const uint8_t*>(io.inputs[0]);
      if (split > first) run_rows(io, a + first * s_.k, s_.k, first, split);
      if (end > split) run_tail(io, a, split, end, worker);
      if (layer_.core().end != nullptr) layer_.core().end();
    });
  }

 private:
  static constexpr int64_t kRowsPerTask = 1024;

  int64_t tail_rows() const { return std::min(s_.m - std::min(in_place_, s_.m), rows_per_task_); }
  size_t worker_bytes() const {
    if (in_place_ >= s_.m) return 0;
    return static_cast<size_t>(divide_up(tail_rows(), 16) * 16 * whole_chunks(s_.k));
  }

  void run_tail(const KernelIo& io, const uint8_t* a, int64_t first, int64_t end,
                int worker) const {
    auto* const copy =
        static_cast<uint8_t*>(io.scratch) + static_cast<size_t>(worker) * worker_bytes();
    const int64_t step = whole_chunks(s_.k);
    for (int64_t row = first; row < end; ++row) {
      std::memcpy(copy + (row - first) * step, a + row * s_.k, static_cast<size_t>(s_.k));
    }
    run_rows(io, copy, step, first, end);
  }

  void run_rows(const KernelIo& io, const uint8_t* a, int64_t step, int64_t first,
                int64_t end) const {
    static constexpr ptrdiff_t kNoOffset = 0;
    IntegerLayer::Rows rows;
    rows.a = a;
    rows.a_step = step;
    rows.offsets = &kNoOffset;
    rows.places = places_.data();
    rows.count = static_cast<size_t>(end - first);
    rows.panels = panels_of(static_cast<size_t>(s_.n));
    const int64_t start = first * s_.n;
    IntegerLayer::Target target;
    target.out = static_cast<uint8_t*>(io.outputs[0]) + start * out_bytes_;
    if (io.outputs.size() > 1 && io.outputs[1] != nullptr) {
      target.out_float = static_cast<float*>(io.outputs[1]) + start;
    }
    if (io.inputs.size() > 4 && io.inputs[4] != nullptr) {
      target.residual = static_cast<const uint8_t*>(io.inputs[4]) + start * residual_bytes_;
    }
    layer_.run(rows, target);
  }

  ProductShape s_;
  IntegerLayer layer_;
  int threads_;
  int64_t out_bytes_, residual_bytes_;
  int64_t in_place_ = 0, rows_per_task_ = 1;
  std::vector<int32_t> places_;
};

Result<ProductShape> parse_matmul_product(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const QuantizedMatMulShape s, parse_quantized_matmul(request));
  const MatMulShape& m = s.matmul;
  if (m.batch != 1 || m.transpose_a || m.scale != 1.0f) {
    return unsupported("a quantised product of several right sides");
  }
  return ProductShape{m.m, m.k, m.n, s.requantisation, s.a_is_signed, false};
}

Result<ProductShape> parse_pointwise(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const QuantizedConvShape s, parse_quantized_conv(request));
  const ConvShape& c = s.conv;
  if (c.kernel_height != 1 || c.kernel_width != 1 || c.stride_y != 1 || c.stride_x != 1 ||
      c.padded() || c.group != 1) {
    return unsupported("a convolution that is no product of matrices");
  }
  return ProductShape{c.batch * c.out_height * c.out_width,
                      c.in_channels,
                      c.out_channels,
                      s.requantisation,
                      s.x_is_signed,
                      false};
}

using Parse = Result<ProductShape> (*)(const KernelRequest&);

template <Parse kParse, CoreKind kCore>
Result<ProductShape> parse(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(ProductShape s, kParse(request));
  s.two_of_four = kCore == CoreKind::kTwoOfFour;
  return s;
}

// Weight i of a column: columns of W lie side by side, or whole rows of K do.
auto weight_of(const KernelRequest& request, const ProductShape& s) {
  const bool by_column =
      request.op == "QuantizedConv2d" || request.attributes->get_int("transpose_b", 0) != 0;
  const auto columns = static_cast<size_t>(s.n), depth = static_cast<size_t>(s.k);
  return [w = request.inputs[1].constant->data<int8_t>(), by_column, columns, depth](
             size_t, size_t i, size_t column) {
    return by_column ? w[column * depth + i] : w[i * columns + column];
  };
}

template <Parse kParse, CoreKind kCore>
bool supports(const KernelRequest& request) {
  if (find_core(kCore) == nullptr) return false;
  const auto s = parse<kParse, kCore>(request);
  if (!s.ok() || !has_constant_factors(request)) return false;
  return !s->two_of_four ||
         (is_sparse_enough(request) &&
          keeps_two_of_four(s->depth(), static_cast<size_t>(s->n), weight_of(request, *s)));
}

template <Parse kParse, CoreKind kCore>
Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const ProductShape s, (parse<kParse, kCore>(request)));
  const auto columns = static_cast<size_t>(s.n);
  const auto bytes = static_cast<int64_t>(packed_layer_bytes(s.depth(), columns));
  EDGEWRIGHT_ASSIGN(Tensor packed, Tensor::allocate(DType::kUint8, {bytes}));
  const ColumnFactors factors = column_factors(request);
  pack_layer(s.depth(), columns, weight_of(request, s), s.requantisation, factors.m, factors.one_m,
             factors.b, packed.mutable_bytes());
  return packed;
}

template <Parse kParse, CoreKind kCore>
Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const ProductShape s, (parse<kParse, kCore>(request)));
  const IntegerCore* core = find_core(kCore);
  if (core == nullptr) return unsupported("this CPU has no AMX");
  const size_t expected = packed_layer_bytes(s.depth(), static_cast<size_t>(s.n));
  if (packed.size() != expected) {
    return bad_input("packed weights of a quantised product have {} bytes, expected {}",
                     packed.size(), expected);
  }
  return Created(std::make_unique<QuantizedProduct>(s, *core, packed, request.threads));
}

template <Parse kParse, CoreKind kCore>
constexpr ImplementationFunctions functions() {
  return {supports<kParse, kCore>, pack<kParse, kCore>, create<kParse, kCore>};
}

}  // namespace

ImplementationFunctions quantized_pointwise_amx() {
  return functions<parse_pointwise, CoreKind::kAmx>();
}
ImplementationFunctions quantized_pointwise_vector() {
  return functions<parse_pointwise, CoreKind::kVector>();
}
ImplementationFunctions quantized_pointwise_two_of_four() {
  return functions<parse_pointwise, CoreKind::kTwoOfFour>();
}
ImplementationFunctions quantized_matmul_amx() {
  return functions<parse_matmul_product, CoreKind::kAmx>();
}
ImplementationFunctions quantized_matmul_vector() {
  return functions<parse_matmul_product, CoreKind::kVector>();
}
ImplementationFunctions quantized_matmul_two_of_four() {
  return functions<parse_matmul_product, CoreKind::kTwoOfFour>();
}

}  // namespace edgewright
