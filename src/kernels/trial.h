#pragma once

#include <memory>
#include <vector>

#include "base/function_ref.h"
#include "kernels/implementation.h"

namespace edgewright {

// One operation with seeded random inputs, to run implementations on: for tests and benches.
class Trial {
 public:
  Trial(std::string_view domain, std::string_view op) : domain_(domain), op_(op) {}

  Trial& attribute(std::string name, AttributeValue value);
  // Float32 values, uniform in [-1, 1), rounded to 1/64 so that sums of few terms are exact.
  Trial& input(Dims dims, Layout layout = Layout::kPlain);
  Trial& constant(Dims dims);
  Trial& tensor(Tensor value, bool is_constant);
  Trial& omitted();
  // uint8 or int8 over their whole range.
  Trial& bytes(DType dtype, Dims dims, Layout layout = Layout::kPlain, bool is_constant = false);
  // Zeros elements of the input that was added last, float32 or bytes.
  Trial& zero_where(FunctionRef<bool(int64_t index)> drops);
  Trial& output(Dims dims, Layout layout = Layout::kPlain, DType dtype = DType::kFloat32);

  KernelRequest request(int threads = 1) const;
  const Tensor& value(size_t i) const { return values_[i]; }  // plain
  const Attributes& attributes() const { return attributes_; }

  // A prepared implementation with memory of its own.
  class Run {
   public:
    void operator()(ThreadPool& pool);
    // Output in plain layout.
    Tensor output(size_t i = 0) const;
    // Its bytes as the layout has them.
    const Tensor& stored_output(size_t i = 0) const { return outputs_[i]; }

   private:
    friend class Trial;
    std::unique_ptr<PreparedKernel> kernel_;
    Tensor packed_, scratch_;
    std::vector<Tensor> inputs_, outputs_;
    std::vector<TensorSpec> output_specs_;
    std::vector<const void*> input_pointers_;
    std::vector<void*> output_pointers_;
  };
  // kUnsupported when the implementation does not accept the request.
  Result<Run> prepare(const KernelImplementation& implementation, int threads = 1) const;

 private:
  std::string_view domain_, op_;
  Attributes attributes_;
  std::vector<TensorSpec> inputs_, outputs_;
  std::vector<Tensor> values_;
  std::vector<bool> is_constant_;
  uint32_t seed_ = 1;
};

// Blocked and NHWC copies of a plain tensor of float32 or bytes, of rank 3 or 4, and back.
Tensor to_layout(const Tensor& plain, Layout layout);
Tensor from_layout(const Tensor& stored, const Dims& dims, Layout layout,
                   DType dtype = DType::kFloat32);

}  // namespace edgewright
