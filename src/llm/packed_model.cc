#include "llm/packed_model.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/function_ref.h"

namespace edgewright {
namespace {

using language::PackedMatrix;
using language::PackRequest;
using language::Placement;
using language::WeightType;

// Rows that one task packs: whole blocks, few enough to share the work.
constexpr size_t kTaskRows = 16 * language::kBlockRows;
constexpr size_t kAlignment = 64;

// Zeroed pages, large ones where the system has them: products read weights as one long stream.
Result<std::shared_ptr<std::byte>> allocate(size_t size_bytes) {
  void* memory =
      ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return internal_error("no memory for {} bytes of weights", size_bytes);
  ::madvise(memory, size_bytes, MADV_HUGEPAGE);
  return std::shared_ptr<std::byte>(static_cast<std::byte*>(memory),
                                    [size_bytes](std::byte* p) { ::munmap(p, size_bytes); });
}

// One run of rows to pack into one matrix.
struct PackTask {
  PackRequest request;
  size_t offset = 0;  // of the matrix in the storage
  size_t size_bytes = 0;
};

class Packer {
 public:
  Packer(PackedModel& model, const Precision& precision)
      : model_(model), types_(model.config, precision) {}

  // Parts of one type that follow each other share a matrix.
  void plan(const std::string& name, const std::vector<language::SourceMatrix>& parts) {
    if (name.ends_with(".gate_up")) return plan_gated(name, parts);
    std::vector<WeightType> types;
    types.reserve(parts.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      types.push_back(
          types_.of(name, i, parts.size()).value_or(language::exact_weight_type(parts[i].type)));
    }
    size_t first_row = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i == 0 || types[i] != types[i - 1]) {
        first_row = 0;
        size_t rows = 0;
        for (size_t j = i; j < parts.size() && types[j] == types[i]; ++j) rows += parts[j].rows;
        add_matrix(name, types[i], rows, parts[i].columns);
      }
      add_tasks(name, parts[i], first_row, Placement::kStacked);
      first_row += parts[i].rows;
    }
  }

  Status pack(ThreadPool& pool, const Progress& progress) {
    EDGEWRIGHT_ASSIGN(const auto memory, allocate(std::max<size_t>(size_bytes_, 1)));
    model_.storage.push_back(memory);
    for (auto& [name, offset] : offsets_) {
      for (size_t i = 0; i < offset.size(); ++i) {
        model_.matrices[name][i].data = memory.get() + offset[i];
      }
    }
    std::mutex mutex;
    Status status;
    std::atomic<size_t> done = 0;
    pool.parallel_for(tasks_.size(), [&](size_t index, int worker) {
      const PackTask& task = tasks_[index];
      Status packed =
          language::pack_rows(task.request, {memory.get() + task.offset, task.size_bytes});
      if (!packed.ok()) {
        const std::lock_guard lock(mutex);
        status = packed;
      }
      const size_t count = ++done;
      if (progress && worker == 0) progress("packing weights", count, tasks_.size());
    });
    if (progress) progress("packing weights", tasks_.size(), tasks_.size());
    return status;
  }

 private:
  static bool same_type(const std::vector<language::SourceMatrix>& parts) {
    return std::ranges::all_of(
        parts, [&](const language::SourceMatrix& part) { return part.type == parts[0].type; });
  }

  void plan_gated(const std::string& name, const std::vector<language::SourceMatrix>& parts) {
    EDGEWRIGHT_CHECK(parts.size() == 2);
    const language::SourceMatrix& gate = parts[0];
    // Gate and up share one matrix, so one type; 16 bits serve where theirs differ.
    const WeightType stored =
        same_type(parts) ? language::exact_weight_type(gate.type) : WeightType::kF16;
    const WeightType type = types_.of(name, 0, parts.size()).value_or(stored);
    add_matrix(name, type, language::gated_rows(gate.rows), gate.columns);
    add_tasks(name, gate, 0, Placement::kGate);
    add_tasks(name, parts[1], 0, Placement::kUp);
  }

  void add_matrix(const std::string& name, WeightType type, size_t rows, size_t columns) {
    const size_t size = language::packed_bytes(type, rows, columns);
    model_.matrices[name].push_back({type, rows, columns, nullptr});
    offsets_[name].push_back(size_bytes_);
    matrix_bytes_ = size;
    size_bytes_ = (size_bytes_ + size + kAlignment - 1) / kAlignment * kAlignment;
  }

  void add_tasks(const std::string& name, const language::SourceMatrix& source, size_t first_row,
                 Placement placement) {
    const PackedMatrix& matrix = model_.matrices[name].back();
    // Parts that do not begin at a block share one with their neighbour: no two at once.
    const size_t step =
        first_row % language::kBlockRows == 0 && source.rows % language::kBlockRows == 0
            ? kTaskRows
            : source.rows;
    for (size_t row = 0; row < source.rows; row += step) {
      PackRequest request;
      request.source = source;
      request.source_begin = row;
      request.source_end = std::min(source.rows, row + step);
      request.type = matrix.type;
      request.rows = matrix.rows;
      request.first_row = first_row;
      request.placement = placement;
      tasks_.push_back({request, offsets_[name].back(), matrix_bytes_});
    }
  }

  PackedModel& model_;
  WeightTypes types_;
  std::map<std::string, std::vector<size_t>> offsets_;
  std::vector<PackTask> tasks_;
  size_t size_bytes_ = 0, matrix_bytes_ = 0;
};

// Rows and columns that a matrix has to have, all parts together.
struct Extent {
  size_t rows, columns;
};

Status check_matrix(const PackedModel& model, const std::string& name, Extent expected) {
  const auto found = model.matrices.find(name);
  if (found == model.matrices.end()) return bad_input("the matrix {} is missing", name);
  size_t rows = 0;
  bool columns_fit = true;
  for (const PackedMatrix& matrix : found->second) {
    rows += matrix.rows;
    columns_fit = columns_fit && matrix.columns == expected.columns;
  }
  if (rows == expected.rows && columns_fit) return {};
  return bad_input("the matrix {} does not have {} rows of {}", name, expected.rows,
                   expected.columns);
}

Status check_vector(const PackedModel& model, const std::string& name, int length) {
  const auto found = model.vectors.find(name);
  if (found != model.vectors.end() && std::ssize(found->second) == length) return {};
  return bad_input("the vector {} of {} values is missing", name, length);
}

Status check_layer(const PackedModel& model, const std::string& place) {
  const ModelConfig& config = model.config;
  const auto hidden = static_cast<size_t>(config.hidden);
  const auto dims = static_cast<size_t>(config.head_dim);
  const size_t query_rows = static_cast<size_t>(config.heads) * dims;
  const size_t key_rows = static_cast<size_t>(config.kv_heads) * dims;
  const auto ffn = static_cast<size_t>(config.ffn);
  EDGEWRIGHT_TRY(check_matrix(model, place + "qkv", {query_rows + 2 * key_rows, hidden}));
  EDGEWRIGHT_TRY(check_matrix(model, place + "output", {hidden, query_rows}));
  EDGEWRIGHT_TRY(check_matrix(model, place + "gate_up", {language::gated_rows(ffn), hidden}));
  EDGEWRIGHT_TRY(check_matrix(model, place + "down", {hidden, ffn}));
  if (model.matrices.at(place + "gate_up").size() != 1) {
    return bad_input("the matrix {}gate_up is cut into parts", place);
  }
  for (const char* name : {"attention_norm", "ffn_norm"}) {
    EDGEWRIGHT_TRY(check_vector(model, place + name, config.hidden));
  }
  if (config.post_norms) {
    EDGEWRIGHT_TRY(check_vector(model, place + "post_attention_norm", config.hidden));
    EDGEWRIGHT_TRY(check_vector(model, place + "post_ffn_norm", config.hidden));
  }
  if (config.qk_norm) {
    EDGEWRIGHT_TRY(check_vector(model, place + "query_norm", config.head_dim));
    EDGEWRIGHT_TRY(check_vector(model, place + "key_norm", config.head_dim));
  }
  if (config.qkv_bias) {
    EDGEWRIGHT_TRY(
        check_vector(model, place + "qkv_bias", static_cast<int>(query_rows + 2 * key_rows)));
  }
  if (config.output_bias) return check_vector(model, place + "output_bias", config.hidden);
  return {};
}

}  // namespace

int64_t PackedModel::parameters() const {
  int64_t count = 0;
  for (const auto& [name, stack] : matrices) {
    for (const PackedMatrix& matrix : stack) {
      count += static_cast<int64_t>(matrix.rows * matrix.columns);
    }
  }
  for (const auto& [name, values] : vectors) count += std::ssize(values);
  return count;
}

int64_t PackedModel::weight_bytes() const {
  int64_t count = 0;
  for (const auto& [name, stack] : matrices) {
    for (const PackedMatrix& m : stack) {
      count += static_cast<int64_t>(language::packed_bytes(m.type, m.rows, m.columns));
    }
  }
  return count;
}

int64_t PackedModel::bytes_per_token() const {
  int64_t count = weight_bytes();
  if (!config.tied) {
    for (const PackedMatrix& m : matrices.at("embedding")) {
      count -= static_cast<int64_t>(language::packed_bytes(m.type, m.rows, m.columns));
    }
  }
  return count;
}

Result<PackedModel> pack_model(ModelConfig config, const NamedWeights& weights,
                               const Precision& precision, ThreadPool& pool,
                               const Progress& progress, const ReplacedSources* replaced) {
  PackedModel model;
  model.config = std::move(config);
  model.precision = precision.name;
  model.vectors = weights.vectors;
  Packer packer(model, precision);
  for (const std::string& name : matrices_in_order(model.config)) {
    const auto found = weights.matrices.find(name);
    if (found == weights.matrices.end()) return bad_input("the matrix {} is missing", name);
    const auto& parts = found->second;
    if (replaced != nullptr && replaced->contains(name)) {
      packer.plan(name, replaced->at(name));
      continue;
    }
    std::vector<language::SourceMatrix> sources;
    sources.reserve(parts.size());
    for (const StoredWeight& part : parts) sources.push_back(source_of(part));
    packer.plan(name, sources);
  }
  EDGEWRIGHT_TRY(packer.pack(pool, progress));
  EDGEWRIGHT_TRY(check_packed_model(model));
  return model;
}

Status replace_matrix(PackedModel& model, const std::string& name,
                      const std::vector<language::SourceMatrix>& parts, const Precision& precision,
                      ThreadPool& pool) {
  model.matrices.erase(name);
  Packer packer(model, precision);
  packer.plan(name, parts);
  return packer.pack(pool, nullptr);
}

std::vector<std::string> matrices_in_order(const ModelConfig& config) {
  std::vector<std::string> names;
  if (!config.tied) names.emplace_back("embedding");
  for (int layer = 0; layer < config.layers; ++layer) {
    for (const char* matrix : {"qkv", "output", "gate_up", "down"}) {
      names.push_back(fmt::format("layers.{}.{}", layer, matrix));
    }
  }
  names.emplace_back(config.tied ? "embedding" : "head");
  return names;
}

Status check_packed_model(const PackedModel& model) {
  const ModelConfig& config = model.config;
  EDGEWRIGHT_TRY(check_config(config));
  if (config.head_dim % 16 != 0) {
    return unsupported("heads of {} values are not supported, only multiples of 16",
                       config.head_dim);
  }
  const Extent vocabulary = {static_cast<size_t>(config.vocabulary),
                             static_cast<size_t>(config.hidden)};
  EDGEWRIGHT_TRY(check_matrix(model, "embedding", vocabulary));
  if (model.matrices.at("embedding").size() != 1) {
    return bad_input("the embedding is cut into parts");
  }
  if (!config.tied) EDGEWRIGHT_TRY(check_matrix(model, "head", vocabulary));
  EDGEWRIGHT_TRY(check_vector(model, "final_norm", config.hidden));
  for (int layer = 0; layer < config.layers; ++layer) {
    EDGEWRIGHT_TRY(check_layer(model, fmt::format("layers.{}.", layer)));
  }
  return {};
}

}  // namespace edgewright
