#include "llm/decoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/language/rows.h"

namespace edgewright {
namespace {

using language::LinearCall;

// Rows from which sharing the small operations among threads pays.
constexpr size_t kSharedRows = 16;

// The part of the memory from its first multiple of 64.
std::span<std::byte> aligned_workspace(std::vector<std::byte>& memory) {
  void* begin = memory.data();
  size_t space = memory.size();
  std::align(64, 1, begin, space);
  return {static_cast<std::byte*>(begin), space};
}

const float* data_or_null(const std::vector<float>* values) {
  return values == nullptr ? nullptr : values->data();
}

}  // namespace

struct Decoder::Layer {
  const PackedStack *qkv, *output, *gate_up, *down;
  const std::vector<float>*attention_norm, *ffn_norm, *query_norm, *key_norm, *post_attention_norm,
      *post_ffn_norm, *qkv_bias, *output_bias;
  bool windowed, rotated;
};

Decoder::Decoder(std::shared_ptr<const PackedModel> model, ThreadPool& pool)
    : model_(std::move(model)), pool_(pool) {
  const auto vector = [&](const std::string& name) -> const std::vector<float>* {
    const auto found = model_->vectors.find(name);
    return found == model_->vectors.end() ? nullptr : &found->second;
  };
  for (int i = 0; i < config().layers; ++i) {
    Layer layer{};
    const std::string place = fmt::format("layers.{}.", i);
    layer.qkv = &model_->matrices.at(place + "qkv");
    layer.output = &model_->matrices.at(place + "output");
    layer.gate_up = &model_->matrices.at(place + "gate_up");
    layer.down = &model_->matrices.at(place + "down");
    layer.attention_norm = vector(place + "attention_norm");
    layer.ffn_norm = vector(place + "ffn_norm");
    layer.query_norm = vector(place + "query_norm");
    layer.key_norm = vector(place + "key_norm");
    layer.post_attention_norm = vector(place + "post_attention_norm");
    layer.post_ffn_norm = vector(place + "post_ffn_norm");
    layer.qkv_bias = vector(place + "qkv_bias");
    layer.output_bias = vector(place + "output_bias");
    layer.windowed = config().window > 0 && config().windowed[static_cast<size_t>(i)];
    layer.rotated = config().rotated[static_cast<size_t>(i)];
    layers_.push_back(layer);
  }
}

Decoder::~Decoder() = default;

void Decoder::run(std::span<const DecoderRun> runs, language::Phase phase,
                  std::span<float> logits) {
  run_layers(runs, phase, 0, config().layers, {}, logits);
}

void Decoder::run_layers(std::span<const DecoderRun> runs, language::Phase phase, int begin,
                         int end, std::span<float> states, std::span<float> logits) {
  EDGEWRIGHT_CHECK(0 <= begin && begin < end && end <= config().layers);
  phase_ = phase;
  lay_out(runs);
  if (rows_ == 0) return;
  const bool is_whole = begin == 0 && end == config().layers;
  EDGEWRIGHT_CHECK(is_whole || states.size() == state_.size());
  if (begin == 0) {
    embed(runs);
  } else {
    std::ranges::copy(states, state_.begin());
  }
  make_angles(config().rope, runs, whole_angles_);
  if (config().window > 0) make_angles(config().windowed_rope, runs, windowed_angles_);
  part_done("embedding", -1);
  for (int layer = begin; layer < end; ++layer) {
    attention_block(layer, runs);
    part_done("output-projection", layer);
    feed_forward_block(layer);
    part_done("ffn-down", layer);
  }
  if (!states.empty()) std::ranges::copy(state_, states.begin());
  if (end == config().layers) {
    head(runs, logits);
    part_done("head", -1);
  }
  for (const DecoderRun& run : runs) {
    if (run.first >= 0) continue;
    run.cache->set_length(run.place() + static_cast<int>(run.tokens.size()));
  }
}

// Positions and buffers for all rows of a call.
void Decoder::lay_out(std::span<const DecoderRun> runs) {
  const ModelConfig& c = config();
  positions_.clear();
  for (const DecoderRun& run : runs) {
    for (size_t i = 0; i < run.tokens.size(); ++i) {
      positions_.push_back(run.place() + static_cast<int>(i));
    }
  }
  rows_ = positions_.size();
  const auto hidden = static_cast<size_t>(c.hidden);
  const auto heads = static_cast<size_t>(c.heads) + 2 * static_cast<size_t>(c.kv_heads);
  const auto dims = static_cast<size_t>(c.head_dim);
  const auto ffn = static_cast<size_t>(c.ffn);
  state_.resize(rows_ * hidden);
  projected_.resize(rows_ * heads * dims);
  attended_.resize(rows_ * static_cast<size_t>(c.heads) * dims);
  gated_.resize(rows_ * ffn);
  if (c.post_norms) block_.resize(rows_ * hidden);
  const size_t widest = std::max({hidden, ffn, static_cast<size_t>(c.heads) * dims});
  const size_t linear = language::linear_workspace_bytes(rows_, widest, pool_.threads());
  if (workspace_.size() < linear + 64) workspace_.resize(linear + 64);
}

void Decoder::each_row(size_t rows, FunctionRef<void(size_t row)> task) {
  if (rows < kSharedRows || pool_.threads() == 1) {
    for (size_t row = 0; row < rows; ++row) task(row);
    return;
  }
  pool_.parallel_for(rows, [&](size_t row, int) { task(row); });
}

void Decoder::embed(std::span<const DecoderRun> runs) {
  const language::PackedMatrix& embedding = model_->matrices.at("embedding")[0];
  const auto hidden = static_cast<size_t>(config().hidden);
  std::vector<int> tokens;
  for (const DecoderRun& run : runs) {
    tokens.insert(tokens.end(), run.tokens.begin(), run.tokens.end());
  }
  each_row(rows_, [&](size_t row) {
    float* out = &state_[row * hidden];
    language::unpack_row(embedding, static_cast<size_t>(tokens[row]), out);
    if (config().embedding_scale == 1.0f) return;
    for (size_t i = 0; i < hidden; ++i) out[i] *= config().embedding_scale;
  });
}

void Decoder::make_angles(const RopeConfig& rope, std::span<const DecoderRun> runs,
                          Angles& angles) {
  const auto pairs = static_cast<size_t>(rope.dims / 2);
  angles.cosines.resize(rows_ * pairs);
  angles.sines.resize(rows_ * pairs);
  size_t row = 0;
  for (const DecoderRun& run : runs) {
    const int length = run.place() + static_cast<int>(run.tokens.size());
    const bool by_length = rope.scaling == RopeScaling::kLongRope && length != angles.length;
    if (angles.frequencies.empty() || by_length) {
      angles.frequencies = rope_frequencies(rope, length);
      angles.length = length;
    }
    for (const size_t end = row + run.tokens.size(); row < end; ++row) {
      for (size_t i = 0; i < pairs; ++i) {
        const float angle = static_cast<float>(positions_[row]) * angles.frequencies[i];
        angles.cosines[row * pairs + i] = std::cos(angle) * rope.attention_factor;
        angles.sines[row * pairs + i] = std::sin(angle) * rope.attention_factor;
      }
    }
  }
}

void Decoder::product(const PackedStack& stack, LinearCall call, int layer, const char* matrix) {
  if (observer_) {
    const std::string name = layer < 0 ? matrix : fmt::format("layers.{}.{}", layer, matrix);
    const size_t columns = stack[0].columns;
    std::vector<float> input(call.rows * columns);
    for (size_t row = 0; row < call.rows; ++row) {
      const float* x = call.input + row * call.input_step;
      float* out = &input[row * columns];
      if (call.norm_weight != nullptr) {
        language::rms_norm(x, call.norm_weight, call.norm_epsilon, columns, out);
      } else {
        std::copy_n(x, columns, out);
      }
    }
    std::span<const float> residual;
    if (call.residual != nullptr) residual = {call.residual, call.rows * call.output_step};
    observer_({name, input, residual});
  }
  for (const language::PackedMatrix& matrix : stack) {
    call.weights = matrix;
    language::linear(call, aligned_workspace(workspace_), pool_);
    call.output += matrix.rows;
    if (call.bias != nullptr) call.bias += matrix.rows;
    if (call.residual != nullptr) call.residual += matrix.rows;
  }
}

void Decoder::turn_and_store(const Layer& layer, std::span<const DecoderRun> runs, int index) {
  const ModelConfig& c = config();
  const auto dims = static_cast<size_t>(c.head_dim);
  const auto heads = static_cast<size_t>(c.heads);
  const auto kv_heads = static_cast<size_t>(c.kv_heads);
  const size_t step = (heads + 2 * kv_heads) * dims;
  const Angles& angles = layer.windowed ? windowed_angles_ : whole_angles_;
  const size_t pairs = angles.frequencies.size();
  const auto style = c.rope_pairs ? language::RopeStyle::kPairs : language::RopeStyle::kHalves;
  each_row(rows_, [&](size_t row) {
    float* query = &projected_[row * step];
    float* key = query + heads * dims;
    if (layer.query_norm != nullptr) {
      language::rms_norm_heads(query, layer.query_norm->data(), c.norm_epsilon, heads, dims);
      language::rms_norm_heads(key, layer.key_norm->data(), c.norm_epsilon, kv_heads, dims);
    }
    if (!layer.rotated) return;
    // Keys follow the queries, so both turn in one call.
    language::rope(query, heads + kv_heads, dims, &angles.cosines[row * pairs],
                   &angles.sines[row * pairs], pairs, style);
  });
  size_t row = 0;
  for (const DecoderRun& run : runs) {
    const language::CacheView view{run.cache->pages().data(), run.cache->layer_offset(index)};
    const float* key = &projected_[row * step + heads * dims];
    language::cache_append(run.cache->shape(), view, static_cast<size_t>(run.place()),
                           run.tokens.size(), key, key + kv_heads * dims, step);
    row += run.tokens.size();
  }
}

void Decoder::ask_caches(int index, std::span<const DecoderRun> runs, size_t step,
                         size_t attended) {
  queries_.clear();
  size_t row = 0;
  for (const DecoderRun& run : runs) {
    language::AttentionQueries query;
    query.cache = {run.cache->pages().data(), run.cache->layer_offset(index)};
    query.queries = &projected_[row * step];
    query.query_step = step;
    query.output = &attended_[row * attended];
    query.output_step = attended;
    query.rows = run.tokens.size();
    query.first = static_cast<size_t>(run.place());
    query.begin = static_cast<size_t>(run.cache->begin());
    queries_.push_back(query);
    row += run.tokens.size();
  }
}

void Decoder::attention_block(int index, std::span<const DecoderRun> runs) {
  const ModelConfig& c = config();
  const Layer& layer = layers_[static_cast<size_t>(index)];
  const auto hidden = static_cast<size_t>(c.hidden);
  const size_t attended = static_cast<size_t>(c.heads) * static_cast<size_t>(c.head_dim);
  const size_t step = projected_.size() / rows_;
  LinearCall call;
  call.phase = phase_;
  call.rows = rows_;
  call.input = state_.data();
  call.input_step = hidden;
  call.norm_weight = layer.attention_norm->data();
  call.norm_epsilon = c.norm_epsilon;
  call.bias = data_or_null(layer.qkv_bias);
  call.output = projected_.data();
  call.output_step = step;
  product(*layer.qkv, call, index, "qkv");
  part_done("qkv", index);
  turn_and_store(layer, runs, index);
  part_done("rope", index);

  language::AttentionShape shape;
  shape.cache = runs[0].cache->shape();
  shape.query_heads = static_cast<size_t>(c.heads);
  shape.scale = c.attention_scale;
  shape.soft_cap = c.attention_softcap;
  shape.window = layer.windowed ? static_cast<size_t>(c.window) : 0;
  ask_caches(index, runs, step, attended);
  const size_t wanted = language::attention_workspace_bytes(shape, pool_.threads()) + 64;
  if (workspace_.size() < wanted) workspace_.resize(wanted);
  language::attention(shape, queries_, aligned_workspace(workspace_), pool_);
  part_done("attention", index);

  LinearCall out;
  out.phase = phase_;
  out.rows = rows_;
  out.input = attended_.data();
  out.input_step = attended;
  out.bias = data_or_null(layer.output_bias);
  out.output = c.post_norms ? block_.data() : state_.data();
  out.output_step = hidden;
  if (!c.post_norms) out.residual = state_.data();
  product(*layer.output, out, index, "output");
  if (!c.post_norms) return;
  each_row(rows_, [&](size_t i) {
    float* state = &state_[i * hidden];
    language::rms_norm(&block_[i * hidden], layer.post_attention_norm->data(), c.norm_epsilon,
                       hidden, state, state);
  });
}

void Decoder::feed_forward_block(int index) {
  const ModelConfig& c = config();
  const Layer& layer = layers_[static_cast<size_t>(index)];
  const auto hidden = static_cast<size_t>(c.hidden);
  const auto ffn = static_cast<size_t>(c.ffn);
  LinearCall call;
  call.phase = phase_;
  call.rows = rows_;
  call.input = state_.data();
  call.input_step = hidden;
  call.norm_weight = layer.ffn_norm->data();
  call.norm_epsilon = c.norm_epsilon;
  call.gate =
      c.activation == GateActivation::kSilu ? language::Gate::kSilu : language::Gate::kGeluTanh;
  call.gated_rows = ffn;
  call.output = gated_.data();
  call.output_step = ffn;
  product(*layer.gate_up, call, index, "gate_up");
  part_done("ffn-up", index);

  LinearCall down;
  down.phase = phase_;
  down.rows = rows_;
  down.input = gated_.data();
  down.input_step = ffn;
  down.output = c.post_norms ? block_.data() : state_.data();
  down.output_step = hidden;
  if (!c.post_norms) down.residual = state_.data();
  product(*layer.down, down, index, "down");
  if (!c.post_norms) return;
  each_row(rows_, [&](size_t i) {
    float* state = &state_[i * hidden];
    language::rms_norm(&block_[i * hidden], layer.post_ffn_norm->data(), c.norm_epsilon, hidden,
                       state, state);
  });
}

// Logits of the wanted rows only. A run's only one is computed as decoding does it, whatever the
// phase: weights that are read for a row alone are not worth bringing into the form of many.
void Decoder::head(std::span<const DecoderRun> runs, std::span<float> logits) {
  const auto hidden = static_cast<size_t>(config().hidden);
  size_t row = 0;
  for (auto run = runs.begin(); run != runs.end();) {
    const bool alone = run->logits <= 1;
    picked_.clear();
    for (; run != runs.end() && (run->logits <= 1) == alone; ++run) {
      row += run->tokens.size();
      const auto begin = static_cast<ptrdiff_t>((row - static_cast<size_t>(run->logits)) * hidden);
      picked_.insert(picked_.end(), state_.begin() + begin,
                     state_.begin() + static_cast<ptrdiff_t>(row * hidden));
    }
    const size_t written = head_of_picked(logits, alone ? language::Phase::kDecode : phase_);
    logits = logits.subspan(written);
  }
  EDGEWRIGHT_CHECK(logits.empty());
}

// Writes the logits of the picked rows, returns how many values.
size_t Decoder::head_of_picked(std::span<float> logits, language::Phase phase) {
  const auto hidden = static_cast<size_t>(config().hidden);
  const size_t rows = picked_.size() / hidden;
  if (rows == 0) return 0;
  const auto vocabulary = static_cast<size_t>(config().vocabulary);
  EDGEWRIGHT_CHECK(logits.size() >= rows * vocabulary);
  LinearCall call;
  call.rows = rows;
  call.input = picked_.data();
  call.input_step = hidden;
  call.norm_weight = model_->vectors.at("final_norm").data();
  call.norm_epsilon = config().norm_epsilon;
  call.output = logits.data();
  call.output_step = vocabulary;
  call.phase = phase;
  product(model_->matrices.at(config().tied ? "embedding" : "head"), call, -1, "head");
  if (config().logit_softcap > 0) {
    each_row(rows, [&](size_t i) {
      language::soft_cap(&logits[i * vocabulary], config().logit_softcap, vocabulary);
    });
  }
  return rows * vocabulary;
}

}  // namespace edgewright
