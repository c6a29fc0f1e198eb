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

  std::vector<SparseLayer> layers() const {
    std::vector<SparseLayer> result;
    for (const auto& [key, layer] : layers_) result.push_back(layer);
    return result;
  }

 private:
  Status note(const KernelRequest& request,
              std::span<const KernelImplementation* const> candidates) {
    std::string key;
    SparseLayer found{layer_text(request), 1, "", "", 0, 0};
    for (const KernelImplementation* one : candidates) {
      const std::string timing = timing_key(request, *one);
      if (is_sparse(*one)) key = timing;
      auto known = times_.find(timing);
      if (!known) {
        auto measured = measure_kernel(request, *one);
        if (!measured.ok()) continue;  // not made here: no choice
        known = KernelTimes{measured->run_us, measured->make_us};
        if (measured->steady) times_.put(timing, *known);
      }
      std::string& name = is_sparse(*one) ? found.sparse : found.dense;
      double& time_us = is_sparse(*one) ? found.sparse_us : found.dense_us;
      if (!name.empty() && time_us <= known->run_us) continue;
      name = one->name;
      time_us = known->run_us;
    }
    const auto [it, fresh] = layers_.try_emplace(key, found);
    if (!fresh) ++it->second.count;
    return {};
  }

  TimingCache& times_;
  Autotuner tuner_;
  std::map<std::string, SparseLayer> layers_;
};

}  // namespace

Result<std::vector<SparseLayer>> measure_sparse_layers(const Graph& graph,
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
