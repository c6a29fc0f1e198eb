#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "kernels/language/packed_matrix.h"
#include "llm/config.h"
#include "llm/weight_names.h"
#include "llm/weight_types.h"

namespace edgewright {

// How a model's text becomes tokens, as its files say.
struct TokenizerSource {
  enum class Kind : uint8_t { kNone, kSentencePiece, kJson };
  Kind kind = Kind::kNone;
  std::string data;           // tokenizer.model or tokenizer.json
  std::string chat_template;  // Jinja text, or empty
  std::optional<bool> add_bos;
};

// Matrices lie one below the other; several where their types differ.
using PackedStack = std::vector<language::PackedMatrix>;

// All that a decoder needs: weights in the form of the kernels, under the names of NamedWeights.
// Gate and up rows of "gate_up" take turns (language::Placement).
struct PackedModel {
  ModelConfig config;
  TokenizerSource tokenizer;
  std::string precision;  // "int8", ...; "stored" where types are those of the source
  std::map<std::string, PackedStack> matrices;
  std::map<std::string, std::vector<float>> vectors;
  std::vector<std::shared_ptr<const void>> storage;  // what the matrices point into

  // Of the matrices.
  int64_t parameters() const;
  int64_t weight_bytes() const;
  // Bytes that the products of one token read: everything but an embedding that is not the head.
  int64_t bytes_per_token() const;
};

// What is packed in place of a stored matrix: its parts, rounded by somebody else.
using ReplacedSources = std::map<std::string, std::vector<language::SourceMatrix>>;

// Packs every matrix. Memory: the packed weights only; the source is read row by row.
Result<PackedModel> pack_model(ModelConfig config, const NamedWeights& weights,
                               const Precision& precision, ThreadPool& pool,
                               const Progress& progress = nullptr,
                               const ReplacedSources* replaced = nullptr);

// Packs other rows in place of the model's matrix of that name.
Status replace_matrix(PackedModel& model, const std::string& name,
                      const std::vector<language::SourceMatrix>& parts, const Precision& precision,
                      ThreadPool& pool);

// The names of a model's matrices in the order in which a token meets them. They lie so in memory
// and in files, because products fetch a little more than they use: the beginning of the next.
std::vector<std::string> matrices_in_order(const ModelConfig& config);

// Checks that every weight of the configuration is there with its shape.
Status check_packed_model(const PackedModel& model);

}  // namespace edgewright
