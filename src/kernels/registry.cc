// The ordered tables of kernel families: dispatch, lists, tests and benches are driven by them.
#include <algorithm>

#include "kernels/custom/custom_kernels.h"
#include "kernels/families.h"
#include "kernels/kernel.h"

namespace edgewright {
namespace {

using ReferenceTable = std::span<const ReferenceKernel> (*)();
constexpr ReferenceTable kReferenceTables[] = {
    arithmetic_reference_kernels,
    variadic_reference_kernels,
    logic_reference_kernels,
    unary_reference_kernels,
    activation_reference_kernels,
    softmax_reference_kernels,
    cumulative_reference_kernels,
    generate_reference_kernels,
    matmul_reference_kernels,
    einsum_reference_kernels,
    reduce_reference_kernels,
    select_reference_kernels,
    unique_reference_kernels,
    random_reference_kernels,
    shape_reference_kernels,
    conv_reference_kernels,
    conv_integer_reference_kernels,
    deform_conv_reference_kernels,
    pool_reference_kernels,
    roi_reference_kernels,
    norm_reference_kernels,
    rnn_reference_kernels,
    resize_reference_kernels,
    grid_sample_reference_kernels,
    signal_reference_kernels,
    quantization_reference_kernels,
    integer_reference_kernels,
    detection_reference_kernels,
    loss_reference_kernels,
    attention_reference_kernels,
    linear_attention_reference_kernels,
    fused_reference_kernels,
    contrib_reference_kernels,
    skip_norm_reference_kernels,
    contrib_quantized_reference_kernels,
    fused_attention_reference_kernels,
    training_reference_kernels,
    ml_reference_kernels,
    tree_reference_kernels,
    map_reference_kernels,
    movement_reference_kernels,
    pad_reference_kernels,
    gather_reference_kernels,
    scatter_reference_kernels,
    cast_reference_kernels,
    strings_reference_kernels,
    sequence_reference_kernels,
};

using ImplementationTable = std::span<const KernelImplementation> (*)();
constexpr ImplementationTable kImplementationTables[] = {
    copy_implementations,          conv_implementations,      matmul_implementations,
    elementwise_implementations,   reorder_implementations,   softmax_implementations,
    normalization_implementations, pool_implementations,      mapped_copy_implementations,
    concat_implementations,        transpose_implementations, attention_implementations,
    recurrent_implementations,     reduce_implementations,    quantized_implementations,
};

}  // namespace

Result<const Tensor*> OpCall::tensor(size_t i) const {
  if (!has_input(i)) return bad_input("input {} of {} is missing", i, op);
  if (!inputs[i].is_tensor()) return bad_input("input {} of {} is not a tensor", i, op);
  return &inputs[i].tensor();
}

// A search through the tables takes less than a microsecond; an index would have to be made anew by
// every process that opens a plan.
const ReferenceKernel* find_reference_kernel(std::string_view domain, std::string_view op) {
  const std::string_view wanted = domain == "ai.onnx" ? "" : domain;
  for (const auto table : kReferenceTables) {
    for (const ReferenceKernel& kernel : table()) {
      if (kernel.op == op && kernel.domain == wanted) return &kernel;
    }
  }
  return find_custom_reference(domain, op);
}

std::vector<ReferenceKernel> reference_kernels() {
  std::vector<ReferenceKernel> all;
  for (const auto table : kReferenceTables) {
    for (const ReferenceKernel& kernel : table()) all.push_back(kernel);
  }
  return all;
}

std::vector<const KernelImplementation*> find_implementations(std::string_view domain,
                                                              std::string_view op) {
  std::vector<const KernelImplementation*> found;
  for (const auto table : kImplementationTables) {
    for (const KernelImplementation& implementation : table()) {
      if (implementation.op == op && implementation.domain == domain) {
        found.push_back(&implementation);
      }
    }
  }
  if (const auto* custom = find_custom_implementation(domain, op); custom != nullptr) {
    found.push_back(custom);
  }
  return found;
}

const KernelImplementation* find_implementation(std::string_view name) {
  for (const auto table : kImplementationTables) {
    for (const KernelImplementation& implementation : table()) {
      if (implementation.name == name) return &implementation;
    }
  }
  return find_custom_implementation(name);
}

size_t stored_size_bytes(const TensorSpec& spec) {
  Dims dims = spec.dims;
  if (spec.layout == Layout::kNchw16c && dims.size() > 1) dims[1] = (dims[1] + 15) / 16 * 16;
  if (spec.layout == Layout::kNchw8c && dims.size() > 1) dims[1] = (dims[1] + 7) / 8 * 8;
  size_t count = 1;
  for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
  return dtype_bytes(spec.dtype, count);
}

}  // namespace edgewright
