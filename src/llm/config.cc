#include "llm/config.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "llm/architecture.h"
#include "llm/config_fields.h"

namespace edgewright {
namespace {

constexpr int kMaxContext = 1 << 24;
constexpr std::string_view kScalingNames[] = {"none", "linear",   "llama3",
                                              "yarn", "longrope", "factors"};

Status in_range(std::string_view what, int value, int low, int high) {
  if (value >= low && value <= high) return {};
  return bad_input("found {} {}, expected {} to {}", value, what, low, high);
}

Status check_rope(const RopeConfig& rope, int head_dim) {
  EDGEWRIGHT_TRY(in_range("rotary dimensions", rope.dims, 2, head_dim));
  if (rope.dims % 2 != 0)
    return bad_input("found {} rotary dimensions, expected an even number", rope.dims);
  const auto pairs = static_cast<size_t>(rope.dims / 2);
  const bool by_factors =
      rope.scaling == RopeScaling::kLongRope || rope.scaling == RopeScaling::kFactors;
  if (by_factors && rope.short_factors.size() != pairs) {
    return bad_input("found {} rope factors, expected {}", rope.short_factors.size(), pairs);
  }
  if (rope.scaling == RopeScaling::kLongRope && rope.long_factors.size() != pairs) {
    return bad_input("found {} long rope factors, expected {}", rope.long_factors.size(), pairs);
  }
  if (!(rope.theta > 1) || !(rope.factor > 0)) {
    return bad_input("found rope theta {} and factor {}, expected theta above 1, factor above 0",
                     rope.theta, rope.factor);
  }
  return {};
}

double llama3_frequency(const RopeConfig& rope, double frequency) {
  const double original = rope.original_context;
  const double wave_length = 2 * std::numbers::pi / frequency;
  if (wave_length > original / rope.low_frequency_factor) return frequency / rope.factor;
  if (wave_length < original / rope.high_frequency_factor) return frequency;
  const double smooth = (original / wave_length - rope.low_frequency_factor) /
                        (rope.high_frequency_factor - rope.low_frequency_factor);
  return (1 - smooth) * frequency / rope.factor + smooth * frequency;
}

// YaRN (Peng et al. 2023), section 3.2: pairs that turn often keep their frequency, slow ones are
// interpolated, with a ramp between.
double yarn_frequency(const RopeConfig& rope, int pair, double frequency) {
  const double dims = rope.dims;
  const auto pair_of_turns = [&](double turns) {
    return dims * std::log(rope.original_context / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(static_cast<double>(rope.theta)));
  };
  const double low = std::max(std::floor(pair_of_turns(rope.beta_fast)), 0.0);
  double high = std::min(std::ceil(pair_of_turns(rope.beta_slow)), dims - 1);
  if (low == high) high += 0.001;
  const double ramp = std::clamp((pair - low) / (high - low), 0.0, 1.0);
  return frequency / rope.factor * ramp + frequency * (1 - ramp);
}

Json rope_to_json(const RopeConfig& rope) {
  Json json;
  json["theta"] = rope.theta;
  json["dims"] = rope.dims;
  json["scaling"] = kScalingNames[static_cast<size_t>(rope.scaling)];
  json["factor"] = rope.factor;
  json["low_frequency_factor"] = rope.low_frequency_factor;
  json["high_frequency_factor"] = rope.high_frequency_factor;
  json["beta_fast"] = rope.beta_fast;
  json["beta_slow"] = rope.beta_slow;
  json["original_context"] = rope.original_context;
  json["short_factors"] = rope.short_factors;
  json["long_factors"] = rope.long_factors;
  json["attention_factor"] = rope.attention_factor;
  return json;
}

Result<RopeConfig> rope_from_json(const Json& json) {
  Fields fields(json);
  RopeConfig rope;
  rope.theta = fields.number("theta", 0);
  rope.dims = fields.count("dims");
  const std::string scaling = fields.text("scaling", "");
  const auto* found = std::ranges::find(kScalingNames, scaling);
  if (found == std::end(kScalingNames)) return bad_input("unknown rope scaling");
  rope.scaling = static_cast<RopeScaling>(found - kScalingNames);
  rope.factor = fields.number("factor", 1);
  rope.low_frequency_factor = fields.number("low_frequency_factor", 1);
  rope.high_frequency_factor = fields.number("high_frequency_factor", 4);
  rope.beta_fast = fields.number("beta_fast", 32);
  rope.beta_slow = fields.number("beta_slow", 1);
  rope.original_context = fields.integer("original_context", 0);
  rope.short_factors = fields.numbers("short_factors", 1024);
  rope.long_factors = fields.numbers("long_factors", 1024);
  rope.attention_factor = fields.number("attention_factor", 1);
  EDGEWRIGHT_TRY(fields.status());
  return rope;
}

std::vector<bool> flags_of(Fields& fields, std::string_view name) {
  std::vector<bool> flags;
  for (const int value : fields.integers(name, 4096)) flags.push_back(value != 0);
  return flags;
}

}  // namespace

Status check_config(const ModelConfig& config) {
  EDGEWRIGHT_TRY(in_range("hidden values", config.hidden, 1, 1 << 17));
  EDGEWRIGHT_TRY(in_range("layers", config.layers, 1, 4096));
  EDGEWRIGHT_TRY(in_range("heads", config.heads, 1, 4096));
  EDGEWRIGHT_TRY(in_range("key/value heads", config.kv_heads, 1, config.heads));
  EDGEWRIGHT_TRY(in_range("values per head", config.head_dim, 2, 1024));
  EDGEWRIGHT_TRY(in_range("feed-forward values", config.ffn, 1, 1 << 20));
  EDGEWRIGHT_TRY(in_range("vocabulary entries", config.vocabulary, 1, 1 << 22));
  EDGEWRIGHT_TRY(in_range("positions of context", config.context, 1, kMaxContext));
  if (config.heads % config.kv_heads != 0) {
    return bad_input("found {} heads over {} key/value heads, expected a multiple", config.heads,
                     config.kv_heads);
  }
  if (config.head_dim % 2 != 0) {
    return bad_input("found {} values per head, expected an even number", config.head_dim);
  }
  if (std::ssize(config.windowed) != config.layers || std::ssize(config.rotated) != config.layers) {
    return bad_input("expected one entry per layer in the lists of layers");
  }
  if (!(config.norm_epsilon >= 0)) return bad_input("found a negative norm epsilon");
  for (const int token : config.eos) {
    EDGEWRIGHT_TRY(in_range("as end of text", token, -1, config.vocabulary - 1));
  }
  EDGEWRIGHT_TRY(in_range("as beginning of text", config.bos, -1, config.vocabulary - 1));
  EDGEWRIGHT_TRY(check_rope(config.rope, config.head_dim));
  return check_rope(config.windowed_rope, config.head_dim);
}

std::vector<float> rope_frequencies(const RopeConfig& rope, int length) {
  std::vector<float> frequencies;
  const bool beyond = length > rope.original_context;
  for (int pair = 0; pair < rope.dims / 2; ++pair) {
    const double exponent = 2.0 * pair / rope.dims;
    double frequency = std::pow(static_cast<double>(rope.theta), -exponent);
    const auto at = static_cast<size_t>(pair);
    switch (rope.scaling) {
      case RopeScaling::kNone: break;
      case RopeScaling::kLinear: frequency /= rope.factor; break;
      case RopeScaling::kLlama3: frequency = llama3_frequency(rope, frequency); break;
      case RopeScaling::kYarn: frequency = yarn_frequency(rope, pair, frequency); break;
      case RopeScaling::kFactors: frequency /= rope.short_factors[at]; break;
      case RopeScaling::kLongRope:
        frequency /= beyond ? rope.long_factors[at] : rope.short_factors[at];
        break;
    }
    frequencies.push_back(static_cast<float>(frequency));
  }
  return frequencies;
}

Json config_to_json(const ModelConfig& config) {
  Json json;
  json["architecture"] = config.architecture;
  json["hidden"] = config.hidden;
  json["layers"] = config.layers;
  json["heads"] = config.heads;
  json["kv_heads"] = config.kv_heads;
  json["head_dim"] = config.head_dim;
  json["ffn"] = config.ffn;
  json["vocabulary"] = config.vocabulary;
  json["context"] = config.context;
  json["norm_epsilon"] = config.norm_epsilon;
  json["norm_plus_one"] = config.norm_plus_one;
  json["qkv_bias"] = config.qkv_bias;
  json["output_bias"] = config.output_bias;
  json["qk_norm"] = config.qk_norm;
  json["post_norms"] = config.post_norms;
  json["tied"] = config.tied;
  json["activation"] = config.activation == GateActivation::kSilu ? "silu" : "gelu_tanh";
  json["embedding_scale"] = config.embedding_scale;
  json["attention_scale"] = config.attention_scale;
  json["attention_softcap"] = config.attention_softcap;
  json["logit_softcap"] = config.logit_softcap;
  json["window"] = config.window;
  json["windowed"] = std::vector<int>(config.windowed.begin(), config.windowed.end());
  json["rotated"] = std::vector<int>(config.rotated.begin(), config.rotated.end());
  json["rope_pairs"] = config.rope_pairs;
  json["rope"] = rope_to_json(config.rope);
  json["windowed_rope"] = rope_to_json(config.windowed_rope);
  json["bos"] = config.bos;
  json["eos"] = config.eos;
  return json;
}

Result<ModelConfig> config_from_json(const Json& json) {
  Fields fields(json);
  ModelConfig config;
  config.architecture = fields.text("architecture", "");
  if (find_architecture(config.architecture) == nullptr) {
    return unsupported("architecture \"{}\" is not supported; expected one of {}",
                       config.architecture, architecture_names());
  }
  config.hidden = fields.count("hidden");
  config.layers = fields.count("layers");
  config.heads = fields.count("heads");
  config.kv_heads = fields.count("kv_heads");
  config.head_dim = fields.count("head_dim");
  config.ffn = fields.count("ffn");
  config.vocabulary = fields.count("vocabulary");
  config.context = fields.count("context");
  config.norm_epsilon = fields.number("norm_epsilon", 1e-5f);
  config.norm_plus_one = fields.flag("norm_plus_one", false);
  config.qkv_bias = fields.flag("qkv_bias", false);
  config.output_bias = fields.flag("output_bias", false);
  config.qk_norm = fields.flag("qk_norm", false);
  config.post_norms = fields.flag("post_norms", false);
  config.tied = fields.flag("tied", false);
  config.activation = fields.text("activation", "silu") == "silu" ? GateActivation::kSilu
                                                                  : GateActivation::kGeluTanh;
  config.embedding_scale = fields.number("embedding_scale", 1);
  config.attention_scale = fields.number("attention_scale", 1);
  config.attention_softcap = fields.number("attention_softcap", 0);
  config.logit_softcap = fields.number("logit_softcap", 0);
  config.window = fields.integer("window", 0);
  config.windowed = flags_of(fields, "windowed");
  config.rotated = flags_of(fields, "rotated");
  config.rope_pairs = fields.flag("rope_pairs", false);
  config.bos = fields.integer("bos", -1);
  config.eos = fields.integers("eos", 64);
  EDGEWRIGHT_TRY(fields.status());
  EDGEWRIGHT_ASSIGN(config.rope, rope_from_json(fields.at("rope")));
  EDGEWRIGHT_ASSIGN(config.windowed_rope, rope_from_json(fields.at("windowed_rope")));
  EDGEWRIGHT_TRY(check_config(config));
  return config;
}

}  // namespace edgewright
