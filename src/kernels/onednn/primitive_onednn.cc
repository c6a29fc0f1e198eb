#include "kernels/onednn/primitive_onednn.h"

#include <algorithm>
#include <unordered_map>

#include "base/cpu.h"

// Of GNU OpenMP, which the library brings: the size of the calling thread's teams.
extern "C" void omp_set_num_threads(int count);

namespace edgewright {

// Everything that is made of the engine counts the threads when it is made, and asks for as many
// again whenever it runs; so the team is limited here too.
const dnnl::engine& onednn_engine() {
  omp_set_num_threads(1);
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

bool onednn_post_operations(const Epilogue& epilogue, const dnnl::memory::desc* residual,
                            dnnl::post_ops& operations) {
  if (!epilogue.is_clamp()) return false;
  const auto add = [&] {
    if (residual) operations.append_binary(dnnl::algorithm::binary_add, *residual);
  };
  if (epilogue.residual_before_activation) add();
  if (epilogue.activation == Activation::kRelu) {
    operations.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  } else if (epilogue.activation == Activation::kClip) {
    operations.append_eltwise(dnnl::algorithm::eltwise_clip, epilogue.alpha, epilogue.beta);
  }
  if (!epilogue.residual_before_activation) add();
  return true;
}

bool takes_bfloat16_products(const KernelRequest& request) {
  if (request.attributes->get_string("products", "") != "bfloat16") return false;
  const auto& features = host_cpu().features;
  return std::ranges::find(features, "amx-bf16") != features.end() ||
         std::ranges::find(features, "avx512bf16") != features.end();
}

OneDnnPrimitive::OneDnnPrimitive(dnnl::primitive primitive, std::vector<OneDnnArgument> arguments,
                                 size_t scratch_bytes, PackedBytes packed)
    : primitive_(std::move(primitive)),
      arguments_(std::move(arguments)),
      scratch_bytes_(scratch_bytes),
      packed_(packed) {}

// The memory handles are made anew at every call because they hold its addresses, and sessions
// share the kernel.
void OneDnnPrimitive::run(const KernelIo& io) const {
  omp_set_num_threads(1);
  thread_local dnnl::stream stream(onednn_engine());
  std::unordered_map<int, dnnl::memory> memories;
  for (const OneDnnArgument& argument : arguments_) {
    void* data = io.scratch;
    if (argument.from == OneDnnArgument::From::kInput) {
      data = const_cast<void*>(io.inputs[argument.index]);
    } else if (argument.from == OneDnnArgument::From::kOutput) {
      data = io.outputs[argument.index];
    } else if (argument.from == OneDnnArgument::From::kPacked) {
      data = const_cast<std::byte*>(packed_.data()) + argument.index;
    }
    memories.emplace(argument.name, dnnl::memory(argument.desc, onednn_engine(), data));
  }
  primitive_.execute(stream, memories);
}

void onednn_reorder(const dnnl::memory::desc& from, const float* plain,
                    const dnnl::memory::desc& to, void* out) {
  omp_set_num_threads(1);
  dnnl::memory source(from, onednn_engine(), const_cast<float*>(plain));
  dnnl::memory target(to, onednn_engine(), out);
  dnnl::stream stream(onednn_engine());
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
}

}  // namespace edgewright
