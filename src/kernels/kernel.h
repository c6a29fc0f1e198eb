#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "tensor/attributes.h"
#include "tensor/datum.h"

namespace edgewright {

// ---- Reference kernels: the specification of every operator, plain loops over every type. ----

// One call of a reference kernel: canonical opset, inputs as data, outputs made on request. The
// caller owns memory and threads; kernels only ask for outputs.
class OpCall {
 public:
  virtual ~OpCall() = default;

  std::string_view domain;  // "" is ai.onnx
  std::string_view op;
  const Attributes* attributes = nullptr;
  std::span<const Datum> inputs;  // Kind::kNone where omitted
  size_t output_count = 0;

  bool has_input(size_t i) const {
    return i < inputs.size() && inputs[i].kind() != Datum::Kind::kNone;
  }
  // The tensor at input i; kBadInput naming the input when it is omitted or no tensor.
  Result<const Tensor*> tensor(size_t i) const;
  // False when nobody uses output i; making it all the same is harmless.
  virtual bool wants_output(size_t i) const = 0;
  // Output i as an uninitialised tensor of this type (strings: empty elements). It may not alias an
  // input. Fails when the size overflows or memory is short.
  virtual Result<Tensor*> make_output(size_t i, DType dtype, Dims dims) = 0;
  // Output i as it stands: shared storage (Identity, Reshape), a sequence, an optional.
  virtual void set_output(size_t i, Datum datum) = 0;
  // Zero-filled working memory that lives as long as the call.
  virtual Result<Tensor*> make_scratch(DType dtype, Dims dims) = 0;
};

using ReferenceFunction = Status (*)(OpCall& call);

struct ReferenceKernel {
  std::string_view domain;  // "" is ai.onnx
  std::string_view op;
  ReferenceFunction run;
};

// Null when there is none.
const ReferenceKernel* find_reference_kernel(std::string_view domain, std::string_view op);
// All of them, in the order of the family table.
std::vector<ReferenceKernel> reference_kernels();

// ---- Prepared kernels: one operation at known shapes, made once, run often. ----

// How the elements of a tensor lie in memory.
enum class Layout : uint8_t {
  kPlain,    // row-major as the shape says
  kNhwc,     // a 4-d tensor whose shape is N,C,H,W, stored N,H,W,C
  kNchw16c,  // stored N, ceil(C/16), H, W, 16; channels beyond C are zero
  kNchw8c,   // stored N, ceil(C/8), H, W, 8; channels beyond C are zero
};

struct TensorSpec {
  DType dtype = DType::kUndefined;  // kUndefined: omitted
  Dims dims;
  Layout layout = Layout::kPlain;
  const Tensor* constant = nullptr;  // the value, where it is known in advance (plain layout)
};
// Bytes that a tensor of this spec occupies, padding of blocked layouts included.
size_t stored_size_bytes(const TensorSpec& spec);

// An operation as the plan compiler asks for it.
struct KernelRequest {
  std::string_view domain;
  std::string_view op;
  const Attributes* attributes = nullptr;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  int threads = 1;
};

struct KernelIo {
  std::span<const void* const> inputs;  // null for omitted and for constants that pack() took
  std::span<void* const> outputs;       // 64-byte aligned
  void* scratch = nullptr;              // scratch_size_bytes(), 64-byte aligned, not initialised
  ThreadPool* pool = nullptr;
};

// A kernel bound to one operation. run() allocates nothing, logs nothing and is const: several
// sessions may share one.
class PreparedKernel {
 public:
  virtual ~PreparedKernel() = default;
  virtual size_t scratch_size_bytes() const { return 0; }
  virtual void run(const KernelIo& io) const = 0;
};

// One implementation of an operation. Tables list the expected best first; the autotuner measures
// those that accept a request.
struct KernelImplementation {
  std::string_view name;  // op_dtype_isa, unique: "conv2d_winograd_f32_hwy"
  std::string_view domain;
  std::string_view op;
  bool (*supports)(const KernelRequest& request);
  // Constants in the order of memory that run() wants, as one uint8 tensor that is stored in plan
  // files; null function: nothing to pack, the plan keeps the constants as they are.
  Result<Tensor> (*pack)(const KernelRequest& request);
  // Cheap: called when a plan file is opened. `packed` outlives the kernel and is 64-byte aligned.
  // The constants of `request` are null here when the implementation packs.
  Result<std::unique_ptr<PreparedKernel>> (*create)(const KernelRequest& request,
                                                    std::span<const std::byte> packed);
  // Bit i: output 0 may lie over input i when both take the same number of bytes, because every
  // element is read before its place is written.
  uint32_t in_place_inputs = 0;
  // Raised when the packed form or the speed changes: plan files and timings of other versions are
  // not used.
  uint32_t version = 1;
};

// All implementations for an operation, expected best first.
std::vector<const KernelImplementation*> find_implementations(std::string_view domain,
                                                              std::string_view op);
const KernelImplementation* find_implementation(std::string_view name);

}  // namespace edgewright
