#include "api/verify.h"

#include <algorithm>

#include "api/engine.h"
#include "api/open_backend.h"
#include "api/subjects.h"
#include "formats/npy/npy.h"
#include "graph/fix_shapes.h"
#include "verify/inputs.h"

namespace edgewright {
namespace {

using Samples = std::vector<std::vector<Datum>>;

constexpr int kSeededSamples = 4;

Result<std::vector<Datum>> sample_of_kind(const Graph& graph, const VerifyOptions& options,
                                          InputKind kind, uint64_t seed) {
  InputOptions input_options;
  input_options.kind = kind;
  input_options.seed = seed;
  input_options.shapes = options.shapes;
  EDGEWRIGHT_ASSIGN(auto all, make_inputs(graph, input_options));
  std::vector<Datum> sample;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!graph.inputs()[i]->is_constant()) sample.push_back(std::move(all[i]));
  }
  return sample;
}

// One sample of DATA: slice `index` of every array, its first axis kept as a batch of one where the
// input has that rank.
Result<Tensor> slice(const Tensor& array, int64_t index, const Value& input) {
  Dims dims = array.dims();
  const bool keep = !input.type.shape || input.type.shape->size() == dims.size();
  dims[0] = 1;
  if (!keep) dims.erase(dims.begin());
  EDGEWRIGHT_ASSIGN(Tensor sample, Tensor::allocate_uninitialised(array.dtype(), dims));
  const size_t bytes = sample.size_bytes();
  std::copy_n(array.bytes() + static_cast<size_t>(index) * bytes, bytes, sample.mutable_bytes());
  return sample;
}

Result<Samples> data_samples(const Graph& graph, const VerifyOptions& options) {
  EDGEWRIGHT_ASSIGN(const NamedTensors arrays, read_data(options.data));
  std::vector<const Value*> inputs;
  int64_t count = -1;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    const auto it = arrays.find(input->name);
    if (it == arrays.end()) return bad_input("{} has no array '{}'", options.data, input->name);
    const Tensor& array = it->second;
    if (array.rank() == 0 || dtype_bits(array.dtype()) < 8 || array.dtype() != input->type.dtype) {
      return bad_input("array '{}' of {} is {} of shape {}, the input is {}", input->name,
                       options.data, dtype_name(array.dtype()), dims_text(array.dims()),
                       type_text(input->type));
    }
    if (count >= 0 && array.dim(0) != count) {
      return bad_input("the arrays of {} have {} and {} samples", options.data, count,
                       array.dim(0));
    }
    count = array.dim(0);
    inputs.push_back(input);
  }
  if (count <= 0) return bad_input("{} holds no samples", options.data);
  if (options.samples > 0) count = std::min<int64_t>(count, options.samples);
  Samples samples(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    for (const Value* input : inputs) {
      EDGEWRIGHT_ASSIGN(Tensor sample, slice(arrays.at(input->name), i, *input));
      samples[static_cast<size_t>(i)].emplace_back(std::move(sample));
    }
  }
  return samples;
}

ValueDifference describe(const NamedDifference& entry, const Tolerance& tolerance) {
  return {entry.name,
          entry.difference.relative_l2,
          entry.difference.max_abs,
          entry.difference.cosine,
          entry.problem,
          entry.problem.empty() && tolerance.accepts(entry.difference)};
}

Status add_boundary(const Graph& graph, Subject& reference, Subject& candidate,
                    const VerifyOptions& options, VerifyReport& report) {
  CompareOptions outputs_only = compare_options(options);
  outputs_only.layers = false;
  for (const InputKind kind : kBoundaryKinds) {
    EDGEWRIGHT_ASSIGN(auto sample, sample_of_kind(graph, options, kind, options.seed));
    EDGEWRIGHT_ASSIGN(const Comparison comparison,
                      compare(reference, candidate, {std::move(sample)}, outputs_only));
    double worst = 0;
    for (const auto& output : comparison.outputs) {
      worst = std::max(worst, output.difference.relative_l2);
    }
    report.boundary.emplace_back(input_kind_name(kind), worst);
    report.passed = report.passed && comparison.passed;
  }
  return {};
}

}  // namespace

CompareOptions compare_options(const VerifyOptions& options) {
  CompareOptions result;
  result.tolerance = {options.relative_l2, options.max_abs};
  result.layer_tolerance = {options.relative_l2 * 10, options.max_abs * 10};
  result.layers = options.layers;
  return result;
}

void add_comparison(const Comparison& comparison, const CompareOptions& options,
                    VerifyReport& report) {
  for (const auto& entry : comparison.outputs) {
    report.outputs.push_back(describe(entry, options.tolerance));
  }
  for (const auto& entry : comparison.layers) {
    report.layers.push_back(describe(entry, options.layer_tolerance));
  }
  report.first_divergence = comparison.first_divergence;
  report.samples = static_cast<int64_t>(comparison.samples);
  report.passed = comparison.passed;
}

Result<Samples> seeded_samples(const Graph& graph, const VerifyOptions& options) {
  Samples samples;
  const int count = options.samples > 0 ? options.samples : kSeededSamples;
  for (int i = 0; i < count; ++i) {
    EDGEWRIGHT_ASSIGN(auto sample, sample_of_kind(graph, options, InputKind::kRandom,
                                                  options.seed + static_cast<uint64_t>(i)));
    samples.push_back(std::move(sample));
  }
  return samples;
}

Result<VerifyReport> verify(const std::string& reference, const std::string& candidate,
                            const VerifyOptions& options) {
  EDGEWRIGHT_ASSIGN(Model model, load_model(reference));
  EDGEWRIGHT_TRY(fix_shapes(*model.graph, options.shapes));
  Samples samples;
  if (options.data.empty()) {
    EDGEWRIGHT_ASSIGN(samples, seeded_samples(*model.graph, options));
  } else {
    EDGEWRIGHT_ASSIGN(samples, data_samples(*model.graph, options));
  }
  InferenceOptions session;
  session.threads = options.threads;
  session.optimise = false;
  session.backend = options.reference_backend;
  EDGEWRIGHT_ASSIGN(auto opened, open_backend(clone(*model.graph), session));
  BackendSubject left(std::move(opened));
  session.backend = options.candidate_backend;
  session.shapes = options.shapes;
  EDGEWRIGHT_ASSIGN(opened, open_backend(candidate, session));
  BackendSubject right(std::move(opened));

  VerifyReport report;
  CompareOptions compare_with = compare_options(options);
  compare_with.progress = options.progress;
  EDGEWRIGHT_ASSIGN(const Comparison comparison, compare(left, right, samples, compare_with));
  add_comparison(comparison, compare_with, report);
  if (options.boundary) EDGEWRIGHT_TRY(add_boundary(*model.graph, left, right, options, report));
  return report;
}

}  // namespace edgewright
