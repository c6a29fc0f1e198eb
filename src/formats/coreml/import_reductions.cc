// Reductions, softmax and normalisations.
#include <algorithm>

#include "formats/coreml/import.h"
#include "formats/coreml/names.h"

namespace edgewright::coreml {
namespace {

Status read_reduction(Importer& importer) {
  const auto rows = reduction_names();
  const auto row = std::ranges::find(rows, importer.operation().type, &NameRow::operation);
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const bool keeps, importer.flag("keep_dims", false));
  std::vector<Value*> inputs = {x};
  if (importer.has("axes")) {
    EDGEWRIGHT_ASSIGN(const auto axes, importer.ints("axes"));
    inputs.push_back(importer.int_list(axes));
  }
  Attributes attributes;
  attributes.set("keepdims", int64_t{keeps});
  return importer.finish(
      importer.add(std::string(row->op), std::move(inputs), x->type.dtype, std::move(attributes)));
}

Status read_arg(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", -1));
  EDGEWRIGHT_ASSIGN(const bool keeps, importer.flag("keep_dims", false));
  Attributes attributes;
  attributes.set("axis", axis);
  attributes.set("keepdims", int64_t{keeps});
  const bool is_max = importer.operation().type == "reduce_argmax";
  Value* result =
      importer.add(is_max ? "ArgMax" : "ArgMin", {x}, DType::kInt64, std::move(attributes));
  EDGEWRIGHT_ASSIGN(const ValueType type, importer.output_type());
  return importer.finish(importer.cast(result, type.dtype));
}

Status read_softmax(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const int64_t axis, importer.integer("axis", -1));
  Attributes attributes;
  attributes.set("axis", axis);
  return importer.finish(importer.add("Softmax", {x}, x->type.dtype, std::move(attributes)));
}

// The parameter, or a tensor of these dimensions where it is not there.
Result<Value*> or_filled(Importer& importer, std::string_view parameter, const Value* like,
                         const Dims& dims, float fill) {
  if (importer.has(parameter)) return importer.input(parameter);
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(dims));
  // A file of any size may declare any shape: what is made for it stays small.
  if (count > (int64_t{1} << 24)) return unsupported("{} elements without '{}'", count, parameter);
  EDGEWRIGHT_ASSIGN(Tensor tensor, Tensor::allocate(DType::kFloat32, dims));
  std::fill_n(tensor.mutable_data<float>(), count, fill);
  return importer.cast(importer.constant(std::move(tensor)), like->type.dtype);
}

// The axes must be the last ones, as ONNX has it.
Status read_layer_norm(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.dims("x"));
  EDGEWRIGHT_ASSIGN(auto axes, importer.ints("axes"));
  EDGEWRIGHT_ASSIGN(const float epsilon, importer.number("epsilon", 1e-5f));
  const auto rank = static_cast<int64_t>(dims.size());
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  std::ranges::sort(axes);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t wanted = rank - std::ssize(axes) + static_cast<int64_t>(i);
    if (axes[i] != wanted || wanted < 0) return unsupported("axes that are not the last ones");
  }
  if (axes.empty()) return bad_input("found no axes");
  const Dims normalised(dims.end() - std::ssize(axes), dims.end());
  EDGEWRIGHT_ASSIGN(Value * gamma, or_filled(importer, "gamma", x, normalised, 1));
  std::vector<Value*> inputs = {x, gamma};
  if (importer.has("beta")) {
    EDGEWRIGHT_ASSIGN(Value * beta, importer.input("beta"));
    inputs.push_back(beta);
  }
  Attributes attributes;
  attributes.set("axis", axes[0]);
  attributes.set("epsilon", epsilon);
  return importer.finish(
      importer.add("LayerNormalization", std::move(inputs), x->type.dtype, std::move(attributes)));
}

// Scales and shifts of channels, where the file has none: 1 and 0.
struct Channels {
  Value *gamma = nullptr, *beta = nullptr;
  Attributes attributes;
};
Result<Channels> read_channels(Importer& importer, const Value* x) {
  EDGEWRIGHT_ASSIGN(const Dims dims, importer.dims("x"));
  if (dims.size() < 3) return bad_input("an input of rank {}", dims.size());
  Channels channels;
  EDGEWRIGHT_ASSIGN(channels.gamma, or_filled(importer, "gamma", x, {dims[1]}, 1));
  EDGEWRIGHT_ASSIGN(channels.beta, or_filled(importer, "beta", x, {dims[1]}, 0));
  EDGEWRIGHT_ASSIGN(const float epsilon, importer.number("epsilon", 1e-5f));
  channels.attributes.set("epsilon", epsilon);
  return channels;
}

Status read_batch_norm(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(Value * mean, importer.input("mean"));
  EDGEWRIGHT_ASSIGN(Value * variance, importer.input("variance"));
  EDGEWRIGHT_ASSIGN(Channels channels, read_channels(importer, x));
  return importer.finish(importer.add("BatchNormalization",
                                      {x, channels.gamma, channels.beta, mean, variance},
                                      x->type.dtype, std::move(channels.attributes)));
}

Status read_instance_norm(Importer& importer) {
  EDGEWRIGHT_ASSIGN(Value * x, importer.input("x"));
  EDGEWRIGHT_ASSIGN(Channels channels, read_channels(importer, x));
  return importer.finish(importer.add("InstanceNormalization", {x, channels.gamma, channels.beta},
                                      x->type.dtype, std::move(channels.attributes)));
}

constexpr ImportRow kRows[] = {
    {"reduce_mean", read_reduction},    {"reduce_sum", read_reduction},
    {"reduce_max", read_reduction},     {"reduce_min", read_reduction},
    {"reduce_prod", read_reduction},    {"reduce_l1_norm", read_reduction},
    {"reduce_l2_norm", read_reduction}, {"reduce_sum_square", read_reduction},
    {"reduce_log_sum", read_reduction}, {"reduce_log_sum_exp", read_reduction},
    {"reduce_argmax", read_arg},        {"reduce_argmin", read_arg},
    {"softmax", read_softmax},          {"layer_norm", read_layer_norm},
    {"batch_norm", read_batch_norm},    {"instance_norm", read_instance_norm},
};

}  // namespace

std::span<const ImportRow> import_reduction_rows() { return kRows; }

}  // namespace edgewright::coreml
