#include "kernels/rnn/recurrence.h"

namespace edgewright::reference {
namespace {

template <class T>
struct Recurrence {
  Operand<T> x, w, r, b, h0, c0, p;
  const int64_t* lengths = nullptr;  // null: all of them are `steps`
  int64_t steps = 0;
  int64_t batch = 0;
  int64_t input = 0;
  int64_t hidden = 0;
  int64_t directions = 1;
  bool reverse = false;  // of the first direction
  bool batch_first = false;
  std::vector<Activation> activations;

  Dims state_dims() const {
    return batch_first ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  }
  int64_t state_at(int64_t direction, int64_t item) const {
    return (batch_first ? item * directions + direction : direction * batch + item) * hidden;
  }
  int64_t x_at(int64_t step, int64_t item) const {
    return (batch_first ? item * steps + step : step * batch + item) * input;
  }
  Dims y_dims() const {
    return batch_first ? Dims{batch, steps, directions, hidden}
                       : Dims{steps, directions, batch, hidden};
  }
  int64_t y_at(int64_t step, int64_t direction, int64_t item) const {
    return (batch_first ? (item * steps + step) * directions + direction
                        : (step * directions + direction) * batch + item) *
           hidden;
  }
};

Result<std::vector<Activation>> read_activations(const OpCall& call, size_t count,
                                                 std::span<const std::string_view> defaults) {
  const Attributes& attributes = *call.attributes;
  std::vector<std::string> names = attributes.get_strings("activations");
  const std::vector<float> alphas = attributes.get_floats("activation_alpha");
  const std::vector<float> betas = attributes.get_floats("activation_beta");
  while (names.size() < count && names.size() % defaults.size() == 0 &&
         !attributes.contains("activations")) {
    names.insert(names.end(), defaults.begin(), defaults.end());
  }
  if (names.size() < count) {
    return bad_input("{} has {} activations, expected {}", call.op, names.size(), count);
  }
  std::vector<Activation> activations;
  size_t alpha = 0;
  size_t beta = 0;
  for (size_t i = 0; i < count; ++i) {
    EDGEWRIGHT_ASSIGN(Activation activation, activation_named(call, names[i]));
    if (activation.parameters > 0 && alpha < alphas.size()) activation.alpha = alphas[alpha++];
    if (activation.parameters > 1 && beta < betas.size()) activation.beta = betas[beta++];
    activations.push_back(activation);
  }
  return activations;
}

template <class T>
Status read_sizes(const OpCall& call, Recurrence<T>& s, int64_t gates) {
  EDGEWRIGHT_TRY(expect_rank(call, "X", *s.x.tensor, 3));
  EDGEWRIGHT_TRY(expect_rank(call, "R", *s.r.tensor, 3));
  const std::string direction = call.attributes->get_string("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
    return bad_input("{} has direction '{}', expected forward, reverse or bidirectional", call.op,
                     direction);
  }
  s.directions = direction == "bidirectional" ? 2 : 1;
  s.reverse = direction == "reverse";
  s.batch_first = call.attributes->get_int("layout", 0) == 1;
  s.steps = s.x.dim(s.batch_first ? 1 : 0);
  s.batch = s.x.dim(s.batch_first ? 0 : 1);
  s.input = s.x.dim(2);
  s.hidden = s.r.dim(2);
  const int64_t named = call.attributes->get_int("hidden_size", s.hidden);
  if (named != s.hidden || s.hidden > (int64_t{1} << 31)) {
    return bad_input("{} has hidden_size {} and R {}", call.op, named, dims_text(s.r.dims()));
  }
  const int64_t rows = gates * s.hidden;
  EDGEWRIGHT_TRY(expect_dims(call, "W", *s.w.tensor, {s.directions, rows, s.input}));
  EDGEWRIGHT_TRY(expect_dims(call, "R", *s.r.tensor, {s.directions, rows, s.hidden}));
  if (s.b) EDGEWRIGHT_TRY(expect_dims(call, "B", *s.b.tensor, {s.directions, 2 * rows}));
  if (s.p) EDGEWRIGHT_TRY(expect_dims(call, "P", *s.p.tensor, {s.directions, 3 * s.hidden}));
  if (s.h0) EDGEWRIGHT_TRY(expect_dims(call, "initial_h", *s.h0.tensor, s.state_dims()));
  if (s.c0) EDGEWRIGHT_TRY(expect_dims(call, "initial_c", *s.c0.tensor, s.state_dims()));
  return {};
}

template <class T>
Result<Recurrence<T>> read_recurrence(OpCall& call, int64_t gates) {
  Recurrence<T> s;
  EDGEWRIGHT_ASSIGN(s.x, operand<T>(call, 0));
  EDGEWRIGHT_ASSIGN(s.w, operand<T>(call, 1));
  EDGEWRIGHT_ASSIGN(s.r, operand<T>(call, 2));
  EDGEWRIGHT_ASSIGN(s.b, optional_operand<T>(call, 3));
  EDGEWRIGHT_ASSIGN(const Operand<int64_t> lengths, optional_operand<int64_t>(call, 4));
  EDGEWRIGHT_ASSIGN(s.h0, optional_operand<T>(call, 5));
  EDGEWRIGHT_ASSIGN(s.c0, optional_operand<T>(call, 6));
  EDGEWRIGHT_ASSIGN(s.p, optional_operand<T>(call, 7));
  EDGEWRIGHT_TRY(read_sizes(call, s, gates));
  if (!lengths) return s;
  EDGEWRIGHT_TRY(expect_dims(call, "sequence_lens", *lengths.tensor, {s.batch}));
  for (int64_t i = 0; i < s.batch; ++i) {
    if (lengths[i] < 0 || lengths[i] > s.steps) {
      return bad_input("{} has a sequence of {} steps, expected 0 to {}", call.op, lengths[i],
                       s.steps);
    }
  }
  s.lengths = lengths.data;
  return s;
}

template <class T>
Layer<T> layer_of(const OpCall& call, const Recurrence<T>& s, int64_t gates, int64_t direction,
                  int activations_per_direction) {
  const int64_t rows = gates * s.hidden;
  Layer<T> layer;
  layer.w = s.w.data + direction * rows * s.input;
  layer.r = s.r.data + direction * rows * s.hidden;
  layer.b = s.b ? s.b.data + direction * 2 * rows : nullptr;
  layer.p = s.p ? s.p.data + direction * 3 * s.hidden : nullptr;
  layer.gates = gates;
  layer.input = s.input;
  layer.hidden = s.hidden;
  layer.activations = s.activations.data() + direction * activations_per_direction;
  layer.clip = call.attributes->get_float("clip", 0);
  layer.input_forget = call.attributes->get_int("input_forget", 0) != 0;
  layer.linear_before_reset = call.attributes->get_int("linear_before_reset", 0) != 0;
  return layer;
}

// Output i with the given values, where it is wanted.
template <class T>
Status give_state(OpCall& call, const Recurrence<T>& s, size_t i, const T* values) {
  if (i >= call.output_count || !call.wants_output(i)) return {};
  EDGEWRIGHT_ASSIGN(const Computed<T> y, computed<T>(call, i, s.x.dtype(), s.state_dims()));
  std::copy_n(values, y.count(), y.data);
  return y.finish();
}

}  // namespace

template <class T>
Status run_recurrence(OpCall& call, int64_t gates, int activations_per_direction,
                      std::span<const std::string_view> default_activations, Step<T> step) {
  EDGEWRIGHT_ASSIGN(Recurrence<T> s, read_recurrence<T>(call, gates));
  const auto wanted = static_cast<size_t>(s.directions * activations_per_direction);
  EDGEWRIGHT_ASSIGN(s.activations, read_activations(call, wanted, default_activations));
  const int64_t states = s.directions * s.batch * s.hidden;
  EDGEWRIGHT_ASSIGN(T * h, scratch_array<T>(call, states));
  EDGEWRIGHT_ASSIGN(T * c, scratch_array<T>(call, states));
  EDGEWRIGHT_ASSIGN(T * work, scratch_array<T>(call, 2 * gates * s.hidden));
  if (s.h0) std::copy_n(s.h0.data, states, h);
  if (s.c0) std::copy_n(s.c0.data, states, c);
  Computed<T> y;
  if (call.output_count > 0 && call.wants_output(0)) {
    EDGEWRIGHT_ASSIGN(y, computed<T>(call, 0, s.x.dtype(), s.y_dims()));
  }
  for (int64_t d = 0; d < s.directions; ++d) {
    const Layer<T> layer = layer_of(call, s, gates, d, activations_per_direction);
    const bool reverse = s.reverse || d == 1;
    for (int64_t item = 0; item < s.batch; ++item) {
      const int64_t length = s.lengths == nullptr ? s.steps : s.lengths[item];
      const int64_t state = s.state_at(d, item);
      for (int64_t t = 0; t < length; ++t) {
        const int64_t at = reverse ? length - 1 - t : t;
        step(layer, s.x.data + s.x_at(at, item), h + state, c + state, work);
        if (y.data != nullptr) std::copy_n(h + state, s.hidden, y.data + s.y_at(at, d, item));
      }
    }
  }
  if (y.data != nullptr) EDGEWRIGHT_TRY(y.finish());
  EDGEWRIGHT_TRY(give_state(call, s, 1, h));
  return give_state(call, s, 2, c);
}

template Status run_recurrence<float>(OpCall&, int64_t, int, std::span<const std::string_view>,
                                      Step<float>);
template Status run_recurrence<double>(OpCall&, int64_t, int, std::span<const std::string_view>,
                                       Step<double>);

}  // namespace edgewright::reference
