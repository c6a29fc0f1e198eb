#include "api/sparse_kernels.h"

#include <algorithm>
#include <map>

#include "api/engine.h"
#include "api/open_backend.h"

namespace edgewright {
namespace {

bool is_sparse(const KernelImplementation& one) {
  return one.name.find("_csr_") != std::string_view::npos ||
         one.name.find("_2of4_") != std::string_view::npos;
}

std::string layer_text(const KernelRequest& request) {
  return fmt::format("{} of {} with weights {}", request.op, dims_text(request.inputs[0].dims),
                     dims_text(request.inputs[1].dims));
}

// Chooses as the tuner does and notes what stood beside each other.
class SparseWatch : public ImplementationChooser {
 public:
  explicit SparseWatch(TimingCache& times) : times_(times), tuner_(times) {}

  Result<const KernelImplementation*> choose(
      const KernelRequest& request,
      std::span<const KernelImplementation* const> candidates) override {
    if (std::ranges::any_of(candidates, [](const auto* one) { return is_sparse(*one); })) {
      EDGEWRIGHT_TRY(note(request, candidates));
    }
    return tuner_.choose(request, candidates);
  }

  std::vector<SparseLayers> layers() const {
    std::vector<SparseLayers> result;
    result.reserve(layers_.size());
    for (const auto& [text, layers] : layers_) result.push_back(layers);
    return result;
  }

 private:
  Status note(const KernelRequest& request,
              std::span<const KernelImplementation* const> candidates) {
    struct Best {
      std::string_view name;
      double time_us = 0;
    };
    Best sparse, dense;
    for (const KernelImplementation* one : candidates) {
      const std::string timing = timing_key(request, *one);
      auto known = times_.find(timing);
      if (!known) {
        auto measured = measure_kernel(request, *one);
        if (!measured.ok()) continue;  // not made here: no choice
        known = KernelTimes{measured->run_us, measured->make_us};
        if (measured->steady) times_.put(timing, *known);
      }
      Best& best = is_sparse(*one) ? sparse : dense;
      if (best.name.empty() || known->run_us < best.time_us) best = {one->name, known->run_us};
    }
    if (sparse.name.empty() || dense.name.empty()) return {};
    SparseLayers& layers = layers_[layer_text(request)];
    layers.layer = layer_text(request);
    ++layers.count;
    layers.wins += sparse.time_us < dense.time_us ? 1 : 0;
    layers.sparse = sparse.name;
    layers.dense = dense.name;
    layers.sparse_us += sparse.time_us;
    layers.dense_us += dense.time_us;
    layers.chosen_us += std::min(sparse.time_us, dense.time_us);
    return {};
  }

  TimingCache& times_;
  Autotuner tuner_;
  std::map<std::string, SparseLayers> layers_;
};

}  // namespace

Result<std::vector<SparseLayers>> measure_sparse_layers(const Graph& graph,
                                                        const InferenceOptions& options) {
  std::vector<Dims> shapes;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    const auto dims = input->type.shape ? known_dims(*input->type.shape) : std::nullopt;
    if (!dims) return unsupported("input '{}': its shape is not known", input->name);
    shapes.push_back(*dims);
  }
  EDGEWRIGHT_ASSIGN(auto special, plan_specialiser(true)(graph, shapes));
  TimingCache times(options.tune ? options.timing_cache : "");
  SparseWatch watch(times);
  CompileOptions compile_options;
  compile_options.threads = options.threads;
  compile_options.chooser = &watch;
  compile_options.expander = function_expander();
  EDGEWRIGHT_TRY(compile(*special, compile_options));
  EDGEWRIGHT_TRY(times.save());
  return watch.layers();
}

}  // namespace edgewright
