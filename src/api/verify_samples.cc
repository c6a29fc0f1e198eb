#include <algorithm>

#include "api/subjects.h"
#include "api/verify.h"
#include "formats/npy/npy.h"

namespace edgewright {
namespace {

constexpr int kSeededSamples = 4;

Status check_array(const std::string& data, const Value& input, const Tensor& array) {
  const bool fits =
      array.rank() > 0 && dtype_bits(array.dtype()) >= 8 && array.dtype() == input.type.dtype;
  if (fits) return {};
  return bad_input("array '{}' of {} is {} of shape {}, the input is {}", input.name, data,
                   dtype_name(array.dtype()), dims_text(array.dims()), type_text(input.type));
}

Result<int64_t> sample_count(const std::string& data, const NamedTensors& arrays,
                             std::span<const Value* const> inputs) {
  int64_t count = -1;
  for (const Value* input : inputs) {
    const auto it = arrays.find(input->name);
    if (it == arrays.end()) return bad_input("{} has no array '{}'", data, input->name);
    EDGEWRIGHT_TRY(check_array(data, *input, it->second));
    if (count >= 0 && it->second.dim(0) != count) {
      return bad_input("the arrays of {} have {} and {} samples", data, count, it->second.dim(0));
    }
    count = it->second.dim(0);
  }
  if (count <= 0) return bad_input("{} holds no samples", data);
  return count;
}

}  // namespace

Result<Sample> sample_of_kind(const Graph& graph, const VerifyOptions& options, InputKind kind,
                              uint64_t seed) {
  InputOptions input_options;
  input_options.kind = kind;
  input_options.seed = seed;
  input_options.shapes = options.shapes;
  EDGEWRIGHT_ASSIGN(auto all, make_inputs(graph, input_options));
  Sample sample;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!graph.inputs()[i]->is_constant()) sample.push_back(std::move(all[i]));
  }
  return sample;
}

Result<std::vector<Sample>> seeded_samples(const Graph& graph, const VerifyOptions& options) {
  std::vector<Sample> samples;
  const int count = options.samples > 0 ? options.samples : kSeededSamples;
  for (int i = 0; i < count; ++i) {
    EDGEWRIGHT_ASSIGN(auto sample, sample_of_kind(graph, options, InputKind::kRandom,
                                                  options.seed + static_cast<uint64_t>(i)));
    samples.push_back(std::move(sample));
  }
  return samples;
}

Result<LabelledSamples> read_samples(const Graph& graph, const std::string& data, int most) {
  EDGEWRIGHT_ASSIGN(const NamedTensors arrays, read_data(data));
  std::vector<const Value*> inputs;
  std::ranges::copy_if(graph.inputs(), std::back_inserter(inputs),
                       [](const Value* input) { return !input->is_constant(); });
  EDGEWRIGHT_ASSIGN(const int64_t all, sample_count(data, arrays, inputs));
  const int64_t count = most > 0 ? std::min<int64_t>(all, most) : all;
  LabelledSamples result;
  result.samples.resize(static_cast<size_t>(count));
  for (const Value* input : inputs) {
    const Tensor& array = arrays.at(input->name);
    const bool keep_axis = !input->type.shape || input->type.shape->size() == array.rank();
    for (int64_t i = 0; i < count; ++i) {
      EDGEWRIGHT_ASSIGN(Tensor sample, slice_sample(array, i, keep_axis));
      result.samples[static_cast<size_t>(i)].emplace_back(std::move(sample));
    }
  }
  const auto labels = arrays.find("labels");
  const bool is_input =
      std::ranges::any_of(inputs, [](const Value* input) { return input->name == "labels"; });
  if (labels == arrays.end() || is_input) return result;
  if (labels->second.rank() == 0 || labels->second.dim(0) != all) {
    return bad_input("labels of {} have shape {}, expected {} along the first axis", data,
                     dims_text(labels->second.dims()), all);
  }
  result.labels = labels->second;
  return result;
}

Result<std::optional<Tensor>> read_sample_labels(const std::string& data, int64_t count) {
  EDGEWRIGHT_ASSIGN(const NamedTensors arrays, read_data(data));
  const auto labels = arrays.find("labels");
  if (labels == arrays.end()) return std::optional<Tensor>();
  if (labels->second.rank() == 0 || labels->second.dim(0) < count) {
    return bad_input("labels of {} have shape {}, expected {} along the first axis", data,
                     dims_text(labels->second.dims()), count);
  }
  return std::optional<Tensor>(labels->second);
}

}  // namespace edgewright
