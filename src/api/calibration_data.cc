#include "api/calibration_data.h"

#include <algorithm>
#include <cmath>

#include "api/open_backend.h"
#include "formats/npy/npy.h"
#include "graph/fix_shapes.h"

namespace edgewright {
namespace {

constexpr size_t kFewSamples = 32;

// FNV-1a (Fowler, Noll, Vo): cheap, and enough to tell two data sets apart.
uint64_t hash_bytes(std::span<const std::byte> bytes, uint64_t hash) {
  for (const std::byte byte : bytes) {
    hash ^= static_cast<uint64_t>(byte);
    hash *= 0x100000001b3;
  }
  return hash;
}

struct InputArray {
  const Value* input;
  const Tensor* array;
  int64_t samples_per_run = 1;
  bool keeps_axis = true;  // the input has the sample axis too
};

Status check_array(const InputArray& entry, const std::string& path) {
  const Value& input = *entry.input;
  const Tensor& array = *entry.array;
  const auto wrong = [&] {
    return bad_input(
        "array '{}' of {} is {} of shape {}, the input is {}: the first axis of the "
        "array counts samples, the others are the input's",
        input.name, path, dtype_name(array.dtype()), dims_text(array.dims()),
        type_text(input.type));
  };
  if (array.rank() == 0 || dtype_bits(array.dtype()) < 8 || array.dtype() != input.type.dtype) {
    return wrong();
  }
  if (!input.type.shape) return {};
  const Shape& shape = *input.type.shape;
  const size_t skipped = entry.keeps_axis ? 0 : 1;
  if (shape.size() + skipped != array.rank()) return wrong();
  for (size_t i = entry.keeps_axis ? 1 : 0; i < shape.size(); ++i) {
    if (shape[i].is_known() && shape[i].value != array.dim(i + skipped)) return wrong();
  }
  return {};
}

Status check_numbers(const Value& input, const Tensor& array, const std::string& path) {
  if (array.dtype() != DType::kFloat32) return {};
  const auto elements = array.elements<float>();
  const auto bad = std::ranges::find_if(elements, [](float x) { return !std::isfinite(x); });
  if (bad == elements.end()) return {};
  const int64_t per_sample = std::max<int64_t>(1, array.element_count() / array.dim(0));
  return bad_input("array '{}' of {} holds {} in sample {}; remove that sample", input.name, path,
                   *bad, (bad - elements.begin()) / per_sample);
}

InputArray describe(const Value* input, const Tensor* array) {
  InputArray entry{input, array};
  if (!input->type.shape) return entry;
  const Shape& shape = *input->type.shape;
  entry.keeps_axis = shape.size() == array->rank();
  if (entry.keeps_axis && !shape.empty() && shape[0].is_known()) {
    entry.samples_per_run = std::max<int64_t>(shape[0].value, 1);
  }
  return entry;
}

Result<Tensor> take(const InputArray& entry, int64_t run) {
  Dims dims = entry.array->dims();
  dims[0] = entry.samples_per_run;
  if (!entry.keeps_axis) dims.erase(dims.begin());
  EDGEWRIGHT_ASSIGN(Tensor sample, Tensor::allocate_uninitialised(entry.array->dtype(), dims));
  const size_t bytes = sample.size_bytes();
  std::copy_n(entry.array->bytes() + static_cast<size_t>(run) * bytes, bytes,
              sample.mutable_bytes());
  return sample;
}

Result<std::vector<int64_t>> read_labels(const NamedTensors& arrays, int64_t count,
                                         const std::string& path) {
  const auto it = arrays.find("labels");
  if (it == arrays.end()) return std::vector<int64_t>();
  const bool fits = is_integer(it->second.dtype()) && it->second.rank() == 1 &&
                    it->second.element_count() == count;
  if (fits) return it->second.to_int64s();
  return bad_input("'labels' of {} is {} of shape {}, expected int64 of shape {}", path,
                   dtype_name(it->second.dtype()), dims_text(it->second.dims()), count);
}

// Whether every run reads what the first one does.
bool all_alike(const std::vector<InputArray>& entries, int64_t runs) {
  return std::ranges::all_of(entries, [&](const InputArray& entry) {
    const Tensor& array = *entry.array;
    const size_t bytes = array.size_bytes() / static_cast<size_t>(array.dim(0)) *
                         static_cast<size_t>(entry.samples_per_run);
    const auto all = array.byte_span();
    for (int64_t run = 1; run < runs; ++run) {
      const auto one = all.subspan(static_cast<size_t>(run) * bytes, bytes);
      if (!std::ranges::equal(one, all.first(bytes))) return false;
    }
    return true;
  });
}

Result<std::vector<InputArray>> match_inputs(const Graph& graph, const NamedTensors& arrays,
                                             const std::string& path) {
  std::vector<InputArray> entries;
  for (const Value* input : graph.inputs()) {
    if (input->is_constant()) continue;
    const auto it = arrays.find(input->name);
    if (it == arrays.end()) {
      return bad_input("{} has no array '{}', which is an input of the model", path, input->name);
    }
    InputArray entry = describe(input, &it->second);
    EDGEWRIGHT_TRY(check_array(entry, path));
    EDGEWRIGHT_TRY(check_numbers(*input, it->second, path));
    if (!entries.empty() && entries[0].array->dim(0) != it->second.dim(0)) {
      return bad_input("the arrays of {} have {} and {} samples", path, entries[0].array->dim(0),
                       it->second.dim(0));
    }
    entries.push_back(entry);
  }
  if (entries.empty()) return bad_input("the model has no inputs to give samples to");
  return entries;
}

}  // namespace

Result<CalibrationData> load_calibration_data(const Graph& graph, const std::string& path) {
  EDGEWRIGHT_ASSIGN(const NamedTensors arrays, read_data(path));
  EDGEWRIGHT_ASSIGN(const auto entries, match_inputs(graph, arrays, path));
  const int64_t count = entries[0].array->dim(0);
  CalibrationData data;
  const int64_t per_run = entries[0].samples_per_run;
  const int64_t runs = count / per_run;
  if (runs <= 0) {
    return bad_input("{} holds {} samples, at least {} are needed", path, count, per_run);
  }
  if (count % per_run != 0) {
    data.warnings.push_back(
        fmt::format("the last {} samples do not fill a batch of {}", count % per_run, per_run));
  }
  if (static_cast<size_t>(count) < kFewSamples) {
    data.warnings.push_back(fmt::format(
        "{} calibration samples are few: ranges and choices may not hold for others (give {})",
        count, kFewSamples));
  }
  if (runs > 1 && all_alike(entries, runs)) {
    data.warnings.push_back(fmt::format(
        "all {} calibration samples are alike: ranges and choices hold for this one input", count));
  }
  uint64_t hash = 0xcbf29ce484222325;
  for (const InputArray& entry : entries) hash = hash_bytes(entry.array->byte_span(), hash);
  data.fingerprint = fmt::format("{:016x}", hash);
  for (int64_t run = 0; run < runs; ++run) {
    auto& sample = data.samples.emplace_back();
    for (const InputArray& entry : entries) {
      EDGEWRIGHT_ASSIGN(Tensor tensor, take(entry, run));
      sample.emplace_back(std::move(tensor));
    }
  }
  EDGEWRIGHT_ASSIGN(data.labels, read_labels(arrays, count, path));
  if (per_run != 1) data.labels.clear();
  return data;
}

Status PlanRunner::run(const Graph& graph, std::span<const size_t> samples, Observe observe) {
  if (samples.empty()) return {};
  const auto copy = clone(graph);
  std::map<std::string, Dims> shapes;
  size_t next = 0;
  for (const Value* input : copy->inputs()) {
    if (input->is_constant()) continue;
    shapes[input->name] = data_.samples[samples[0]][next++].tensor().dims();
  }
  InferenceOptions options;
  options.threads = threads_;
  options.shapes = shapes;
  std::vector<std::string> warnings;
  EDGEWRIGHT_TRY(fix_shapes(*copy, shapes));
  EDGEWRIGHT_ASSIGN(auto plan, make_plan(*copy, options, warnings));
  SessionOptions session_options;
  session_options.threads = threads_;
  EDGEWRIGHT_ASSIGN(const auto session, open_plan(std::move(plan), session_options));
  std::vector<Tensor> outputs;
  for (const size_t sample : samples) {
    EDGEWRIGHT_ASSIGN(const auto results, session->run(data_.samples[sample]));
    outputs.clear();
    for (const Datum& result : results) {
      outputs.push_back(result.is_tensor() ? result.tensor() : Tensor());
    }
    EDGEWRIGHT_TRY(observe(sample, outputs));
  }
  return {};
}

}  // namespace edgewright
