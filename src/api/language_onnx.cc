#include "api/language_onnx.h"

#include <algorithm>
#include <cmath>

#include "api/engine.h"
#include "api/open_backend.h"
#include "llm/architecture.h"
#include "llm/decoder.h"

namespace edgewright {
namespace {

constexpr int kProductsOfLayer = 7;
constexpr int kCheckTokens = 8;
constexpr float kTolerance = 1e-3f;
// Files do not say how long their texts may be.
constexpr int kContext = 2048;

Error not_recognised(std::string_view why) {
  return unsupported("no decoder of the Llama shape with key/value inputs: {}", why);
}

// A float32 matrix of the file with rows and columns changed: products there are x * W.
StoredWeight transposed(const Tensor& tensor, LanguageSource& source) {
  const auto rows = static_cast<size_t>(tensor.dim(1));
  const auto columns = static_cast<size_t>(tensor.dim(0));
  auto values = std::make_shared<std::vector<float>>(rows * columns);
  const float* from = tensor.data<float>();
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      (*values)[row * columns + column] = from[column * rows + row];
    }
  }
  StoredWeight weight;
  weight.dims = {tensor.dim(1), tensor.dim(0)};
  weight.bytes = std::as_bytes(std::span(*values));
  source.owned.push_back(values);
  return weight;
}

struct Recognised {
  std::vector<Tensor> products;  // constants of matrix products, in order
  std::vector<Tensor> norms;     // constant vectors of the hidden size that are multiplied with
  Tensor embedding;
  double theta = 10000, epsilon = 1e-6;
};

bool is_float(const Tensor& tensor, size_t rank) {
  return tensor.dtype() == DType::kFloat32 && tensor.rank() == rank && tensor.element_count() > 0;
}

// Every constant, of initialisers and of Constant nodes.
std::vector<Tensor> constants_of(const Graph& graph) {
  std::vector<Tensor> constants;
  for (const Value& value : graph.values()) {
    if (value.is_constant()) constants.push_back(*value.constant);
  }
  for (const Node& node : graph.nodes()) {
    const Tensor* tensor = node.is("Constant") ? node.attributes.get_tensor("value") : nullptr;
    if (tensor != nullptr) constants.push_back(*tensor);
  }
  return constants;
}

Result<Recognised> recognise(const Graph& graph) {
  Recognised found;
  for (const Node& node : graph.nodes()) {
    if (node.is("Gather") && found.embedding.empty_handle()) {
      const Tensor* table = node.constant_input(0);
      if (table != nullptr && is_float(*table, 2)) found.embedding = *table;
    }
    const Tensor* right = node.constant_input(1);
    const Tensor* left = node.constant_input(0);
    if (node.is("MatMul") && right != nullptr && is_float(*right, 2)) {
      found.products.push_back(*right);
    }
    if (!node.is("Mul") || found.embedding.empty_handle()) continue;
    for (const Tensor* tensor : {left, right}) {
      if (tensor != nullptr && is_float(*tensor, 1) && tensor->dim(0) == found.embedding.dim(1)) {
        found.norms.push_back(*tensor);
      }
    }
  }
  if (found.embedding.empty_handle()) return not_recognised("it looks up no embedding");
  if (found.products.size() % kProductsOfLayer != 1) {
    return not_recognised(
        fmt::format("it has {} products with constants, expected 7 a layer and "
                    "one more",
                    found.products.size()));
  }
  const size_t layers = found.products.size() / kProductsOfLayer;
  if (found.norms.size() != 2 * layers + 1) {
    return not_recognised(fmt::format("it has {} norms for {} layers", found.norms.size(), layers));
  }
  return found;
}

// The base of rotary frequencies (1, theta^(-2/d), ...) and the epsilon of norms.
void find_numbers(const Graph& graph, int pairs, Recognised& found) {
  for (const Tensor& tensor : constants_of(graph)) {
    if (tensor.dtype() != DType::kFloat32) continue;
    const float* values = tensor.data<float>();
    if (tensor.element_count() == 1 && values[0] > 0 && values[0] < 1e-3f) {
      found.epsilon = static_cast<double>(values[0]);
    }
    if (pairs < 2 || tensor.element_count() != pairs || values[0] != 1.0f) continue;
    if (values[1] > 0 && values[1] < 1) found.theta = std::pow(values[1], -pairs);
  }
}

Result<ModelConfig> config_of(const Graph& graph, Recognised& found) {
  const Value* key = nullptr;
  for (const Value* input : graph.inputs()) {
    if (input->name == "past_key_values.0.key") key = input;
  }
  const auto& shape = key == nullptr ? std::nullopt : key->type.shape;
  if (!shape || shape->size() != 4 || !(*shape)[1].is_known() || !(*shape)[3].is_known()) {
    return not_recognised("expected an input past_key_values.0.key of known heads and head size");
  }
  ModelConfig config;
  config.architecture = "llama";
  config.hidden = static_cast<int>(found.embedding.dim(1));
  config.vocabulary = static_cast<int>(found.embedding.dim(0));
  config.layers = static_cast<int>(found.products.size() / kProductsOfLayer);
  config.kv_heads = static_cast<int>((*shape)[1].value);
  config.head_dim = static_cast<int>((*shape)[3].value);
  config.heads = static_cast<int>(found.products[0].dim(1)) / std::max(1, config.head_dim);
  config.ffn = static_cast<int>(found.products[4].dim(1));
  config.context = kContext;
  find_numbers(graph, config.head_dim / 2, found);
  config.norm_epsilon = static_cast<float>(found.epsilon);
  config.attention_scale = 1.0f / std::sqrt(static_cast<float>(std::max(1, config.head_dim)));
  config.rope.theta = static_cast<float>(found.theta);
  config.rope.dims = config.head_dim;
  config.rope.original_context = kContext;
  config.windowed_rope = config.rope;
  config.windowed = windowed_layers(WindowPattern::kNone, config.layers);
  config.rotated.assign(static_cast<size_t>(config.layers), true);
  config.bos = 1;
  config.eos = {2};
  EDGEWRIGHT_TRY(check_config(config));
  return config;
}

std::vector<float> vector_of(const Tensor& tensor) {
  const auto elements = tensor.elements<float>();
  return {elements.begin(), elements.end()};
}

// Names the recognised tensors; shapes that do not fit are found when the model is packed.
void name_tensors(const Recognised& found, LanguageSource& source) {
  NamedWeights& out = source.weights;
  StoredWeight embedding;
  embedding.dims = found.embedding.dims();
  embedding.bytes = found.embedding.byte_span();
  source.owned.push_back(std::make_shared<Tensor>(found.embedding));
  out.matrices["embedding"] = {embedding};
  out.matrices["head"] = {transposed(found.products.back(), source)};
  out.vectors["final_norm"] = vector_of(found.norms.back());
  constexpr const char* kStacks[kProductsOfLayer] = {"qkv",     "qkv",     "qkv", "output",
                                                     "gate_up", "gate_up", "down"};
  for (int layer = 0; layer < source.config.layers; ++layer) {
    const std::string place = fmt::format("layers.{}.", layer);
    for (int i = 0; i < kProductsOfLayer; ++i) {
      const auto at = static_cast<size_t>(layer) * kProductsOfLayer + static_cast<size_t>(i);
      out.matrices[place + kStacks[i]].push_back(transposed(found.products[at], source));
    }
    const auto norm = 2 * static_cast<size_t>(layer);
    out.vectors[place + "attention_norm"] = vector_of(found.norms[norm]);
    out.vectors[place + "ffn_norm"] = vector_of(found.norms[norm + 1]);
  }
}

std::vector<int> check_tokens(int vocabulary) {
  std::vector<int> tokens;
  tokens.reserve(kCheckTokens);
  for (int i = 0; i < kCheckTokens; ++i) tokens.push_back((i * 997 + 13) % vocabulary);
  return tokens;
}

Result<std::vector<float>> logits_of_file(const std::string& path, const ModelConfig& config) {
  InferenceOptions options;
  options.backend = "reference";
  EDGEWRIGHT_ASSIGN(auto session, open_backend(path, options));
  std::vector<int64_t> tokens;
  std::vector<int64_t> positions;
  const std::vector<int64_t> ones(kCheckTokens, 1);
  for (const int token : check_tokens(config.vocabulary)) {
    positions.push_back(std::ssize(tokens));
    tokens.push_back(token);
  }
  std::vector<Datum> inputs;
  for (const auto& port : session->inputs()) {
    const Dims dims = {1, kCheckTokens};
    if (port.name == "input_ids") {
      inputs.emplace_back(Tensor::of<int64_t>(dims, tokens));
    } else if (port.name == "attention_mask") {
      inputs.emplace_back(Tensor::of<int64_t>(dims, ones));
    } else if (port.name == "position_ids") {
      inputs.emplace_back(Tensor::of<int64_t>(dims, positions));
    } else {
      EDGEWRIGHT_ASSIGN(Tensor empty, Tensor::allocate(DType::kFloat32,
                                                       {1, config.kv_heads, 0, config.head_dim}));
      inputs.emplace_back(std::move(empty));
    }
  }
  EDGEWRIGHT_ASSIGN(const auto outputs, session->run(inputs));
  if (outputs.empty() || !outputs[0].is_tensor() || !is_float(outputs[0].tensor(), 3)) {
    return not_recognised("its first output is not float32 logits");
  }
  return vector_of(outputs[0].tensor());
}

Status compare_with_file(const std::string& path, const LanguageSource& source) {
  EDGEWRIGHT_ASSIGN(const std::vector<float> expected, logits_of_file(path, source.config));
  ThreadPool pool(1);
  EDGEWRIGHT_ASSIGN(const Precision precision, precision_of("stored"));
  EDGEWRIGHT_ASSIGN(PackedModel packed, pack_model(source.config, source.weights, precision, pool));
  Decoder decoder(std::make_shared<const PackedModel>(std::move(packed)), pool);
  KvCache cache(source.config, language::CacheType::kF16, 1);
  SequenceCache sequence(cache);
  EDGEWRIGHT_CHECK(sequence.reserve(kCheckTokens));
  const std::vector<int> tokens = check_tokens(source.config.vocabulary);
  std::vector<float> found(tokens.size() * static_cast<size_t>(source.config.vocabulary));
  if (expected.size() != found.size()) return not_recognised("its logits have another shape");
  const DecoderRun run{&sequence, tokens, kCheckTokens};
  decoder.run(std::span(&run, 1), language::Phase::kDecode, found);
  double off = 0;
  double size = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    off += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  const double relative = std::sqrt(off / std::max(size, 1e-30));
  if (relative <= kTolerance) return {};
  return not_recognised(
      fmt::format("what was recognised computes other logits, by {:.2g} relative", relative));
}

}  // namespace

Result<LanguageSource> read_onnx_decoder(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const Model model, load_model(path));
  LanguageSource source;
  const auto read = [&]() -> Status {
    EDGEWRIGHT_ASSIGN(Recognised found, recognise(*model.graph));
    EDGEWRIGHT_ASSIGN(source.config, config_of(*model.graph, found));
    name_tensors(found, source);
    return compare_with_file(path, source);
  };
  Status status = read();
  if (!status.ok()) return std::move(status).error().at(path);
  EDGEWRIGHT_ASSIGN(source.tokenizer, find_tokenizer(path, ""));
  return source;
}

}  // namespace edgewright
