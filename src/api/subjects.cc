#include "api/subjects.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "passes/lower/quantized_match.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

bool is_byte(DType dtype) { return dtype == DType::kUint8 || dtype == DType::kInt8; }

Result<Tensor> real_numbers(const Tensor& bytes, const RoundedValue& rounded) {
  EDGEWRIGHT_ASSIGN(Tensor real, Tensor::allocate_uninitialised(DType::kFloat32, bytes.dims()));
  float* const numbers = real.mutable_data<float>();
  for (int64_t i = 0; i < bytes.element_count(); ++i) {
    const double integer = load_double(bytes.dtype(), bytes.bytes(), i);
    numbers[i] = static_cast<float>((integer - static_cast<double>(rounded.zero)) * rounded.scale);
  }
  return real;
}

// Floats that nodes of the outermost level make of the inputs and that are no outputs.
std::vector<Value*> inner_values(Graph& graph) {
  std::unordered_set<const Value*> moving(graph.inputs().begin(), graph.inputs().end());
  std::vector<Value*> values;
  for (Node& node : graph.nodes()) {
    const bool moves = std::ranges::any_of(node.inputs, [&](const Value* input) {
      return input != nullptr && !input->is_constant() && moving.contains(input);
    });
    if (!moves) continue;
    for (Value* output : node.outputs) {
      if (output == nullptr) continue;
      moving.insert(output);
      const bool is_float = output->type.is_tensor() && is_floating_point(output->type.dtype);
      if (is_float && !output->name.empty() && !output->is_graph_output()) values.push_back(output);
    }
  }
  return values;
}

}  // namespace

Result<Tensor> slice_sample(const Tensor& array, int64_t index, bool keep_axis) {
  Dims dims = array.dims();
  dims[0] = 1;
  if (!keep_axis) dims.erase(dims.begin());
  EDGEWRIGHT_ASSIGN(Tensor sample, Tensor::allocate_uninitialised(array.dtype(), dims));
  const size_t bytes = sample.size_bytes();
  std::copy_n(array.bytes() + static_cast<size_t>(index) * bytes, bytes, sample.mutable_bytes());
  return sample;
}

Result<RecordedSubject> RecordedSubject::create(std::map<std::string, Tensor> arrays,
                                                std::vector<std::string> outputs) {
  RecordedSubject subject;
  subject.samples_ = -1;
  for (const auto& [name, array] : arrays) {
    if (array.rank() == 0 || dtype_bits(array.dtype()) < 8) {
      return bad_input("recorded array '{}' is {} of shape {}; expected samples along a first axis",
                       name, dtype_name(array.dtype()), dims_text(array.dims()));
    }
    if (subject.samples_ >= 0 && array.dim(0) != subject.samples_) {
      return bad_input("recorded array '{}' has {} samples, another has {}", name, array.dim(0),
                       subject.samples_);
    }
    subject.samples_ = array.dim(0);
  }
  for (const std::string& output : outputs) {
    if (!arrays.contains(output)) {
      return bad_input("no recorded array '{}'; expected one for every output", output);
    }
  }
  subject.arrays_ = std::move(arrays);
  subject.outputs_ = std::move(outputs);
  return subject;
}

Result<std::vector<Datum>> RecordedSubject::run(const std::vector<Datum>& /*inputs*/,
                                                const Observer& observer) {
  if (next_ >= samples_) return bad_input("only {} samples were recorded", samples_);
  const int64_t index = next_++;
  if (observer) {
    for (const auto& [name, array] : arrays_) {
      EDGEWRIGHT_ASSIGN(Tensor sample, slice_sample(array, index, true));
      observer(name, Datum(std::move(sample)));
    }
  }
  std::vector<Datum> outputs;
  for (const std::string& name : outputs_) {
    EDGEWRIGHT_ASSIGN(Tensor sample, slice_sample(arrays_.at(name), index, true));
    outputs.emplace_back(std::move(sample));
  }
  return outputs;
}

RoundedValues rounded_values(const Graph& graph) {
  RoundedValues rounded;
  for (const Node& node : graph.nodes()) {
    const auto scale = quantizes(node);
    if (!scale || node.inputs[0]->name.empty()) continue;
    rounded[node.outputs[0]->name] = {node.inputs[0]->name, scale->scale, scale->zero};
  }
  return rounded;
}

RoundedValues rounded_values(const Plan& plan) {
  constexpr std::string_view kSuffix = "_quantized";
  RoundedValues rounded;
  for (const PlanStep& step : plan.steps) {
    if (step.outputs.empty() || step.outputs[0] < 0 || !step.attributes.contains("y_scale"))
      continue;
    const PlanValue& value = plan.values[static_cast<size_t>(step.outputs[0])];
    if (!is_byte(value.dtype) || !value.name.ends_with(kSuffix)) continue;
    rounded[value.name] = {value.name.substr(0, value.name.size() - kSuffix.size()),
                           static_cast<double>(step.attributes.get_float("y_scale", 1)),
                           step.attributes.get_int("y_zero", 0)};
  }
  return rounded;
}

Result<std::vector<Datum>> RealValuesSubject::run(const std::vector<Datum>& inputs,
                                                  const Observer& observer) {
  if (!observer || rounded_.empty()) return subject_->run(inputs, observer);
  std::set<std::string> seen;
  const Observer with_reals = [&](const std::string& name, const Datum& datum) {
    observer(name, datum);
    seen.insert(name);
    const auto it = rounded_.find(name);
    if (it == rounded_.end() || !datum.is_tensor() || !is_byte(datum.tensor().dtype())) return;
    if (!seen.insert(it->second.real).second) return;
    auto real = real_numbers(datum.tensor(), it->second);
    if (real.ok()) observer(it->second.real, Datum(*std::move(real)));
  };
  return subject_->run(inputs, with_reals);
}

void ShownValuesSubject::open_shown() {
  const std::unique_ptr<Graph> graph = std::move(graph_);
  for (Value* value : inner_values(*graph)) graph->add_output(value);
  auto opened = open_(*graph);
  if (opened.ok()) shown_ = *std::move(opened);
}

Result<std::vector<Datum>> ShownValuesSubject::run(const std::vector<Datum>& inputs,
                                                   const Observer& observer) {
  if (observer && graph_ != nullptr) open_shown();
  if (observer && shown_ != nullptr) {
    const auto names = shown_->output_names();
    EDGEWRIGHT_ASSIGN(const auto values, shown_->run(inputs, nullptr));
    for (size_t i = plain_->output_names().size(); i < values.size(); ++i) {
      observer(names[i], values[i]);
    }
  }
  return plain_->run(inputs, observer);
}

}  // namespace edgewright
