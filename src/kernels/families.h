#pragma once

#include <span>

#include "kernels/kernel.h"

namespace edgewright {

// One reference table per family folder.
std::span<const ReferenceKernel> arithmetic_reference_kernels();
std::span<const ReferenceKernel> variadic_reference_kernels();
std::span<const ReferenceKernel> logic_reference_kernels();
std::span<const ReferenceKernel> unary_reference_kernels();
std::span<const ReferenceKernel> activation_reference_kernels();
std::span<const ReferenceKernel> softmax_reference_kernels();
std::span<const ReferenceKernel> cumulative_reference_kernels();
std::span<const ReferenceKernel> generate_reference_kernels();
std::span<const ReferenceKernel> matmul_reference_kernels();
std::span<const ReferenceKernel> einsum_reference_kernels();
std::span<const ReferenceKernel> reduce_reference_kernels();
std::span<const ReferenceKernel> select_reference_kernels();
std::span<const ReferenceKernel> unique_reference_kernels();
std::span<const ReferenceKernel> random_reference_kernels();
std::span<const ReferenceKernel> shape_reference_kernels();
std::span<const ReferenceKernel> conv_reference_kernels();
std::span<const ReferenceKernel> conv_integer_reference_kernels();
std::span<const ReferenceKernel> deform_conv_reference_kernels();
std::span<const ReferenceKernel> pool_reference_kernels();
std::span<const ReferenceKernel> roi_reference_kernels();
std::span<const ReferenceKernel> norm_reference_kernels();
std::span<const ReferenceKernel> rnn_reference_kernels();
std::span<const ReferenceKernel> resize_reference_kernels();
std::span<const ReferenceKernel> grid_sample_reference_kernels();
std::span<const ReferenceKernel> signal_reference_kernels();
std::span<const ReferenceKernel> quantization_reference_kernels();
std::span<const ReferenceKernel> integer_reference_kernels();
std::span<const ReferenceKernel> detection_reference_kernels();
std::span<const ReferenceKernel> loss_reference_kernels();
std::span<const ReferenceKernel> attention_reference_kernels();
std::span<const ReferenceKernel> linear_attention_reference_kernels();
std::span<const ReferenceKernel> fused_reference_kernels();
std::span<const ReferenceKernel> contrib_reference_kernels();
std::span<const ReferenceKernel> skip_norm_reference_kernels();
std::span<const ReferenceKernel> contrib_quantized_reference_kernels();
std::span<const ReferenceKernel> fused_attention_reference_kernels();
std::span<const ReferenceKernel> training_reference_kernels();
std::span<const ReferenceKernel> ml_reference_kernels();
std::span<const ReferenceKernel> tree_reference_kernels();
std::span<const ReferenceKernel> movement_reference_kernels();
std::span<const ReferenceKernel> pad_reference_kernels();
std::span<const ReferenceKernel> gather_reference_kernels();
std::span<const ReferenceKernel> scatter_reference_kernels();
std::span<const ReferenceKernel> cast_reference_kernels();
std::span<const ReferenceKernel> strings_reference_kernels();
std::span<const ReferenceKernel> sequence_reference_kernels();

// One implementation table per family that has tuned kernels, expected best first.
std::span<const KernelImplementation> copy_implementations();
std::span<const KernelImplementation> conv_implementations();
std::span<const KernelImplementation> matmul_implementations();
std::span<const KernelImplementation> elementwise_implementations();
std::span<const KernelImplementation> reorder_implementations();
std::span<const KernelImplementation> softmax_implementations();
std::span<const KernelImplementation> normalization_implementations();
std::span<const KernelImplementation> pool_implementations();
std::span<const KernelImplementation> mapped_copy_implementations();
std::span<const KernelImplementation> concat_implementations();
std::span<const KernelImplementation> transpose_implementations();
std::span<const KernelImplementation> attention_implementations();
std::span<const KernelImplementation> recurrent_implementations();
std::span<const KernelImplementation> reduce_implementations();
std::span<const KernelImplementation> quantized_implementations();

}  // namespace edgewright
