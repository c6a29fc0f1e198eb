// Layer normalisations that add their inputs first, as com.microsoft defines them.
#include <cmath>

#include "kernels/families.h"
#include "kernels/reference/operand.h"

namespace edgewright {
namespace {

using namespace reference;

// Normalises rows of `size`; without a mean to subtract it is the root mean square that divides.
template <class T>
struct RowNorm {
  int64_t size = 1;
  double epsilon = 1e-12;
  bool centred = true;
  const T* gamma = nullptr;
  const T* beta = nullptr;  // may be null

  struct Statistics {
    double mean = 0;
    double inverse_deviation = 0;
  };
  Statistics operator()(const T* row, T* out) const {
    Statistics s;
    for (int64_t i = 0; centred && i < size; ++i) s.mean += row[i];
    s.mean /= static_cast<double>(size);
    double squares = 0;
    for (int64_t i = 0; i < size; ++i) squares += (row[i] - s.mean) * (row[i] - s.mean);
    s.inverse_deviation = 1 / std::sqrt(squares / static_cast<double>(size) + epsilon);
    for (int64_t i = 0; i < size; ++i) {
      const double value = (row[i] - s.mean) * s.inverse_deviation * gamma[i];
      out[i] = static_cast<T>(beta == nullptr ? value : value + beta[i]);
    }
    return s;
  }
};

template <class T>
Result<const T*> row_vector(OpCall& call, size_t i, int64_t size) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, optional_operand<T>(call, i));
  if (!x) return static_cast<const T*>(nullptr);
  EDGEWRIGHT_TRY(expect_dims(call, "a vector", *x.tensor, {size}));
  return x.data;
}

// Outputs 1 and 2 hold the statistics, output 3 the sum that was normalised.
template <class T>
Status skip_norm(OpCall& call, bool centred) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> skip_input, operand<T>(call, 1));
  if (x.rank() < 1) return bad_input("{} of a scalar", call.op);
  EDGEWRIGHT_ASSIGN(const Repeated<T> skip, repeated(call, "skip", skip_input, x.dims()));
  RowNorm<T> norm;
  norm.size = x.dims().back();
  norm.centred = centred;
  norm.epsilon = call.attributes->get_float("epsilon", 1e-12f);
  EDGEWRIGHT_ASSIGN(norm.gamma, row_vector<T>(call, 2, norm.size));
  if (centred) {
    EDGEWRIGHT_ASSIGN(norm.beta, row_vector<T>(call, 3, norm.size));
  }
  EDGEWRIGHT_ASSIGN(const T* bias, row_vector<T>(call, centred ? 4 : 3, norm.size));
  if (norm.gamma == nullptr) return bad_input("{} without gamma", call.op);
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, x.dtype(), x.dims()));
  EDGEWRIGHT_ASSIGN(T * sum, scratch_array<T>(call, x.count()));
  Dims kept = x.dims();
  kept.back() = 1;
  Computed<float> statistics[2];
  for (size_t i = 0; i < 2; ++i) {
    if (i + 1 >= call.output_count || !call.wants_output(i + 1)) continue;
    EDGEWRIGHT_ASSIGN(statistics[i], computed<float>(call, i + 1, DType::kFloat32, kept));
  }
  for (int64_t i = 0; i < x.count(); ++i) {
    sum[i] = x[i] + skip[i] + (bias == nullptr ? T{0} : bias[i % norm.size]);
  }
  for (int64_t row = 0; row < span_count(kept, 0) && norm.size > 0; ++row) {
    const auto s = norm(sum + row * norm.size, y.data + row * norm.size);
    if (statistics[0].data != nullptr) statistics[0][row] = static_cast<float>(s.mean);
    if (statistics[1].data != nullptr) {
      statistics[1][row] = static_cast<float>(s.inverse_deviation);
    }
  }
  if (call.output_count > 3 && call.wants_output(3)) {
    EDGEWRIGHT_ASSIGN(const Computed<T> given, computed<T>(call, 3, x.dtype(), x.dims()));
    std::copy_n(sum, x.count(), given.data);
    EDGEWRIGHT_TRY(given.finish());
  }
  return y.finish();
}
template <class T>
Status skip_layer_norm(OpCall& call) {
  return skip_norm<T>(call, true);
}
template <class T>
Status skip_simplified_layer_norm(OpCall& call) {
  return skip_norm<T>(call, false);
}

// SimplifiedLayerNormalization: RMS normalisation over the axes from `axis` on.
template <class T>
Status simplified_layer_norm(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<T> x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<T> scale, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    axis_of(call, call.attributes->get_int("axis", -1), x.rank()));
  RowNorm<T> norm;
  norm.size = span_count(x.dims(), axis);
  norm.centred = false;
  norm.epsilon = call.attributes->get_float("epsilon", 1e-5f);
  norm.gamma = scale.data;
  if (scale.count() != norm.size || !is_real(scale.dtype())) {
    return bad_input("{} over {} values with a scale of {}", call.op, norm.size,
                     dims_text(scale.dims()));
  }
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, scale.dtype(), x.dims()));
  Dims kept = x.dims();
  std::fill(kept.begin() + static_cast<int64_t>(axis), kept.end(), 1);
  Computed<float> deviation;
  if (call.output_count > 1 && call.wants_output(1)) {
    EDGEWRIGHT_ASSIGN(deviation, computed<float>(call, 1, DType::kFloat32, kept));
  }
  for (int64_t row = 0; row < span_count(kept, 0) && norm.size > 0; ++row) {
    const auto s = norm(x.data + row * norm.size, y.data + row * norm.size);
    if (deviation.data != nullptr) deviation[row] = static_cast<float>(s.inverse_deviation);
  }
  return y.finish();
}

// One embedding table and the rows that are taken from it.
template <class T>
struct Lookup {
  Operand<T> table;
  Operand<int64_t> ids;  // omitted: row `position`

  Status check(const OpCall& call, std::string_view what, int64_t size, int64_t positions) const {
    EDGEWRIGHT_TRY(expect_rank(call, what, *table.tensor, 2));
    EDGEWRIGHT_TRY(expect_dims(call, what, *table.tensor, {table.dim(0), size}));
    if (!ids && positions > table.dim(0)) {
      return bad_input("{} has {} positions and {} of {}", call.op, positions, what,
                       dims_text(table.dims()));
    }
    for (int64_t i = 0; ids && i < ids.count(); ++i) {
      if (ids[i] < 0 || ids[i] >= table.dim(0)) {
        return bad_input("{} looks up row {} of {} of {}", call.op, ids[i], what,
                         dims_text(table.dims()));
      }
    }
    return {};
  }
};

// Valid positions of every batch item: how many ones its mask holds.
Status give_mask_index(OpCall& call, const Operand<int64_t>& mask, int64_t batch,
                       int64_t sequence) {
  if (call.output_count < 2 || !call.wants_output(1)) return {};
  EDGEWRIGHT_ASSIGN(Tensor * y, call.make_output(1, DType::kInt32, {batch}));
  if (mask) EDGEWRIGHT_TRY(expect_dims(call, "mask", *mask.tensor, {batch, sequence}));
  for (int64_t b = 0; b < batch; ++b) {
    int32_t count = 0;
    for (int64_t s = 0; mask && s < sequence; ++s) count += mask[b * sequence + s] == 1;
    y->mutable_data<int32_t>()[b] = count;
  }
  return {};
}

template <class T>
Status embed_layer_norm_as(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> ids, operand<int64_t>(call, 0));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> segments, optional_operand<int64_t>(call, 1));
  EDGEWRIGHT_TRY(expect_rank(call, "input_ids", *ids.tensor, 2));
  Lookup<T> words, positions, kinds;
  EDGEWRIGHT_ASSIGN(words.table, operand<T>(call, 2));
  EDGEWRIGHT_ASSIGN(positions.table, operand<T>(call, 3));
  EDGEWRIGHT_ASSIGN(kinds.table, optional_operand<T>(call, 4));
  words.ids = ids;
  kinds.ids = segments;
  EDGEWRIGHT_ASSIGN(positions.ids, optional_operand<int64_t>(call, 8));
  EDGEWRIGHT_TRY(expect_rank(call, "word_embedding", *words.table.tensor, 2));
  const int64_t batch = ids.dim(0);
  const int64_t sequence = ids.dim(1);
  RowNorm<T> norm;
  norm.size = words.table.dim(1);
  norm.epsilon = call.attributes->get_float("epsilon", 1e-12f);
  EDGEWRIGHT_ASSIGN(norm.gamma, row_vector<T>(call, 5, norm.size));
  EDGEWRIGHT_ASSIGN(norm.beta, row_vector<T>(call, 6, norm.size));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> mask, optional_operand<int64_t>(call, 7));
  if (norm.gamma == nullptr) return bad_input("{} without gamma", call.op);
  EDGEWRIGHT_TRY(words.check(call, "word_embedding", norm.size, 0));
  EDGEWRIGHT_TRY(positions.check(call, "position_embedding", norm.size, sequence));
  const bool segmented = static_cast<bool>(segments) && static_cast<bool>(kinds.table);
  if (segmented) {
    EDGEWRIGHT_TRY(kinds.check(call, "segment_embedding", norm.size, 0));
    EDGEWRIGHT_TRY(expect_dims(call, "segment_ids", *segments.tensor, ids.dims()));
  }
  const bool shared_positions = positions.ids && positions.ids.count() == sequence;
  if (positions.ids && !shared_positions) {
    EDGEWRIGHT_TRY(expect_dims(call, "position_ids", *positions.ids.tensor, ids.dims()));
  }
  const Dims dims{batch, sequence, norm.size};
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, 0, words.table.dtype(), dims));
  EDGEWRIGHT_ASSIGN(T * sum, scratch_array<T>(call, y.count()));
  for (int64_t i = 0; i < batch * sequence; ++i) {
    const int64_t position =
        !positions.ids ? i % sequence : positions.ids[shared_positions ? i % sequence : i];
    T* row = sum + i * norm.size;
    for (int64_t j = 0; j < norm.size; ++j) {
      row[j] = words.table[ids[i] * norm.size + j] + positions.table[position * norm.size + j] +
               (segmented ? kinds.table[segments[i] * norm.size + j] : T{0});
    }
    if (norm.size > 0) norm(row, y.data + i * norm.size);
  }
  EDGEWRIGHT_TRY(give_mask_index(call, mask, batch, sequence));
  if (call.output_count > 2 && call.wants_output(2)) {
    EDGEWRIGHT_ASSIGN(const Computed<T> given, computed<T>(call, 2, words.table.dtype(), dims));
    std::copy_n(sum, given.count(), given.data);
    EDGEWRIGHT_TRY(given.finish());
  }
  return y.finish();
}

Status embed_layer_norm(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* words, call.tensor(2));
  if (!is_real(words->dtype())) {
    return bad_input("{} of {}", call.op, dtype_name(words->dtype()));
  }
  return embed_layer_norm_as<float>(call);
}

constexpr ReferenceKernel kKernels[] = {
    {"com.microsoft", "SkipLayerNormalization",
     real<skip_layer_norm<float>, skip_layer_norm<double>>},
    {"com.microsoft", "SkipSimplifiedLayerNormalization",
     real<skip_simplified_layer_norm<float>, skip_simplified_layer_norm<double>>},
    // ONNX Runtime keeps this one in the standard domain.
    {"", "SimplifiedLayerNormalization",
     real<simplified_layer_norm<float>, simplified_layer_norm<double>>},
    {"com.microsoft", "SimplifiedLayerNormalization",
     real<simplified_layer_norm<float>, simplified_layer_norm<double>>},
    {"com.microsoft", "EmbedLayerNormalization", embed_layer_norm},
};

}  // namespace

std::span<const ReferenceKernel> skip_norm_reference_kernels() { return kKernels; }

}  // namespace edgewright
