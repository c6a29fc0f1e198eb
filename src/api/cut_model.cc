#include "api/cut_model.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

#include "api/split_subject.h"

namespace edgewright {
namespace {

Result<OpenedModel> open_half(const Model& model, int threads) {
  if (model.graph->nodes().empty()) return OpenedModel{};
  InferenceOptions options;
  options.threads = threads;
  return open_backend(clone(*model.graph), options);
}

// Slice `index` of an array whose first axis is samples, as a batch of one.
Result<Tensor> sample_of(const Tensor& array, int64_t index, const Dims& dims) {
  EDGEWRIGHT_ASSIGN(Tensor sample, Tensor::allocate_uninitialised(array.dtype(), dims));
  if (array.rank() == 0 || array.dim(0) == 0 ||
      array.size_bytes() / static_cast<size_t>(array.dim(0)) != sample.size_bytes()) {
    return bad_input("an array of shape {} does not hold samples of shape {}",
                     dims_text(array.dims()), dims_text(dims));
  }
  std::memcpy(sample.mutable_bytes(),
              array.bytes() + static_cast<size_t>(index) * sample.size_bytes(),
              sample.size_bytes());
  return sample;
}

CutSamples random_samples(const std::vector<std::string>& names, const std::vector<Dims>& dims_of,
                          size_t count, uint64_t seed) {
  CutSamples samples;
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  for (size_t i = 0; i < count; ++i) {
    TensorMap& inputs = samples.inputs.emplace_back();
    for (size_t input = 0; input < names.size(); ++input) {
      const Dims& dims = dims_of[input];
      std::vector<float> values(
          static_cast<size_t>(checked_element_count(dims).ok() ? *checked_element_count(dims) : 0));
      for (float& value : values) value = normal(random);
      inputs[names[input]] = Tensor::of<float>(dims, values);
    }
  }
  return samples;
}

}  // namespace

Result<TensorMap> run_opened(OpenedModel& half, const TensorMap& given) {
  std::vector<Datum> data;
  for (const auto& port : half->inputs()) {
    const auto it = given.find(port.name);
    if (it == given.end()) return usage_error("input '{}' is missing", port.name);
    data.emplace_back(it->second);
  }
  EDGEWRIGHT_ASSIGN(const auto results, half->run(data));
  TensorMap outputs;
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].is_tensor()) outputs[half->outputs()[i].name] = results[i].tensor();
  }
  return outputs;
}

Result<Placement> placement_at(const GraphWork& work, const std::string& cut) {
  const auto& layers = work.work.layers;
  size_t last = layers.size();
  for (size_t i = 0; i < layers.size() && last == layers.size(); ++i) {
    if (layers[i].name == cut) last = i;
  }
  for (const SplitTensor& tensor : work.work.tensors) {
    if (last == layers.size() && tensor.name == cut) last = tensor.producer;
  }
  if (last == layers.size()) {
    std::vector<std::string> names;
    const size_t stride = std::max<size_t>(1, layers.size() / 12);
    for (size_t i = 0; i < layers.size(); i += stride) names.push_back(layers[i].name);
    return usage_error("found no layer '{}' to cut after; some of them are {}", cut,
                       fmt::join(names, ", "));
  }
  return linear_placement(layers.size(), {last + 1});
}

Result<CutModel> CutModel::open(const std::string& path, const InputShapes& shapes,
                                const std::string& cut, int threads) {
  EDGEWRIGHT_ASSIGN(const Model model, model_to_cut(path, shapes));
  EDGEWRIGHT_ASSIGN(const GraphWork work, graph_work(*model.graph));
  EDGEWRIGHT_ASSIGN(const Placement placement, placement_at(work, cut));
  CutModel result;
  result.cut_ = cut;
  EDGEWRIGHT_TRY(add_fixed_inputs(*model.graph, result.inputs_, result.input_dims_));
  EDGEWRIGHT_ASSIGN(result.halves_, split_model(model, work, placement));
  EDGEWRIGHT_ASSIGN(result.device_, open_half(result.halves_.device, threads));
  EDGEWRIGHT_ASSIGN(result.server_, open_half(result.halves_.server, threads));
  return result;
}

Result<TensorMap> CutModel::run_device(const TensorMap& inputs, double* device_us) {
  TensorMap made;
  const auto start = std::chrono::steady_clock::now();
  if (device_.session) {
    EDGEWRIGHT_ASSIGN(made, run_opened(device_, inputs));
  }
  if (device_us != nullptr) {
    *device_us =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  }
  TensorMap sent;
  for (const std::string& name : halves_.sent) {
    const auto it = made.find(name);
    const auto given = inputs.find(name);
    if (it == made.end() && given == inputs.end())
      return usage_error("input '{}' is missing", name);
    sent[name] = it != made.end() ? it->second : given->second;
  }
  return sent;
}

Result<TensorMap> CutModel::run_server(const TensorMap& sent) {
  if (!server_.session) {
    return usage_error("nothing is left to run behind '{}'; cut earlier", cut_);
  }
  return run_opened(server_, sent);
}

Result<CutSamples> cut_samples(const CutModel& model, const std::string& data, size_t count,
                               uint64_t seed) {
  return input_samples(model.inputs(), model.all_input_dims(), data, count, seed);
}

Result<CutSamples> input_samples(const std::vector<std::string>& names,
                                 const std::vector<Dims>& dims, const std::string& data,
                                 size_t count, uint64_t seed) {
  if (data.empty()) return random_samples(names, dims, count, seed);
  EDGEWRIGHT_ASSIGN(const auto arrays, load_data(data));
  CutSamples samples;
  for (size_t input = 0; input < names.size(); ++input) {
    const std::string& name = names[input];
    auto it = arrays.find(name);
    // The only array beside the labels is the only input, whatever it is called.
    if (it == arrays.end() && names.size() == 1) {
      it = std::ranges::find_if(arrays, [](const auto& row) { return row.first != "labels"; });
    }
    if (it == arrays.end()) return bad_input("{} holds no array '{}'", data, name);
    const Tensor& array = it->second;
    const size_t available = array.rank() == 0 ? 0 : static_cast<size_t>(array.dim(0));
    if (samples.inputs.empty()) samples.inputs.resize(std::min(count, available));
    if (available < samples.inputs.size()) {
      return bad_input("the arrays of {} have different numbers of samples", data);
    }
    for (size_t i = 0; i < samples.inputs.size(); ++i) {
      EDGEWRIGHT_ASSIGN(samples.inputs[i][name],
                        sample_of(array, static_cast<int64_t>(i), dims[input]));
    }
  }
  if (samples.inputs.empty()) return bad_input("{} holds no samples", data);
  const auto labels = arrays.find("labels");
  if (labels != arrays.end()) {
    EDGEWRIGHT_ASSIGN(samples.labels, labels->second.to_int64s());
    if (samples.labels.size() < samples.inputs.size()) {
      return bad_input("{} holds {} labels for {} samples", data, samples.labels.size(),
                       samples.inputs.size());
    }
    samples.labels.resize(samples.inputs.size());
  }
  return samples;
}

}  // namespace edgewright
