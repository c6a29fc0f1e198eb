#include "kernels/trial.h"

#include <cstring>

namespace edgewright {
namespace {

// Where element (n, c, position) of a tensor of these dims lies in the layout.
struct Place {
  int64_t channels, inner, block;
  Layout layout;
  int64_t at(int64_t n, int64_t c, int64_t position) const {
    if (layout == Layout::kNhwc) return (n * inner + position) * channels + c;
    const int64_t blocks = (channels + block - 1) / block;
    return ((n * blocks + c / block) * inner + position) * block + c % block;
  }
};

Place place_of(const Dims& dims, Layout layout) {
  int64_t inner = 1;
  for (size_t i = 2; i < dims.size(); ++i) inner *= dims[i];
  const int64_t block = layout == Layout::kNchw16c ? 16 : layout == Layout::kNchw8c ? 8 : 1;
  return {dims[1], inner, block, layout};
}

Tensor zeros(size_t size_bytes) {
  auto tensor = Tensor::allocate(DType::kUint8, {static_cast<int64_t>(size_bytes)});
  EDGEWRIGHT_CHECK(tensor.ok());
  return *std::move(tensor);
}

}  // namespace

Tensor to_layout(const Tensor& plain, Layout layout) {
  if (layout == Layout::kPlain) return plain;
  Tensor stored = zeros(stored_size_bytes({plain.dtype(), plain.dims(), layout}));
  std::byte* const out = stored.mutable_bytes();
  const Place place = place_of(plain.dims(), layout);
  const size_t item = static_cast<size_t>(dtype_bits(plain.dtype())) / 8;
  const std::byte* from = plain.bytes();
  for (int64_t n = 0; n < plain.dim(0); ++n) {
    for (int64_t c = 0; c < place.channels; ++c) {
      for (int64_t i = 0; i < place.inner; ++i, from += item) {
        std::memcpy(out + static_cast<size_t>(place.at(n, c, i)) * item, from, item);
      }
    }
  }
  return stored;
}

Tensor from_layout(const Tensor& stored, const Dims& dims, Layout layout, DType dtype) {
  auto plain = Tensor::allocate(dtype, dims);
  EDGEWRIGHT_CHECK(plain.ok());
  std::byte* to = plain->mutable_bytes();
  const std::byte* const from = stored.bytes();
  if (layout == Layout::kPlain) {
    std::memcpy(to, from, plain->size_bytes());
    return *std::move(plain);
  }
  const Place place = place_of(dims, layout);
  const size_t item = static_cast<size_t>(dtype_bits(dtype)) / 8;
  for (int64_t n = 0; n < dims[0]; ++n) {
    for (int64_t c = 0; c < place.channels; ++c) {
      for (int64_t i = 0; i < place.inner; ++i, to += item) {
        std::memcpy(to, from + static_cast<size_t>(place.at(n, c, i)) * item, item);
      }
    }
  }
  return *std::move(plain);
}

Trial& Trial::attribute(std::string name, AttributeValue value) {
  attributes_.set(std::move(name), std::move(value));
  return *this;
}

Trial& Trial::tensor(Tensor value, bool is_constant) {
  inputs_.push_back({value.dtype(), value.dims(), Layout::kPlain});
  values_.push_back(std::move(value));
  is_constant_.push_back(is_constant);
  return *this;
}

Trial& Trial::input(Dims dims, Layout layout) {
  constant(std::move(dims));
  is_constant_.back() = false;
  inputs_.back().layout = layout;
  return *this;
}

Trial& Trial::constant(Dims dims) {
  auto value = Tensor::allocate(DType::kFloat32, std::move(dims));
  EDGEWRIGHT_CHECK(value.ok());
  float* const data = value->mutable_data<float>();
  for (int64_t i = 0; i < value->element_count(); ++i) {
    seed_ = seed_ * 1664525u + 1013904223u;
    data[i] = static_cast<float>(static_cast<int>(seed_ >> 25) - 64) / 64.0f;
  }
  return tensor(*std::move(value), true);
}

Trial& Trial::omitted() {
  inputs_.push_back({});
  values_.push_back({});
  is_constant_.push_back(false);
  return *this;
}

Trial& Trial::bytes(DType dtype, Dims dims, Layout layout, bool is_constant) {
  auto value = Tensor::allocate(dtype, std::move(dims));
  EDGEWRIGHT_CHECK(value.ok());
  auto* const data = reinterpret_cast<uint8_t*>(value->mutable_bytes());
  for (int64_t i = 0; i < value->element_count(); ++i) {
    seed_ = seed_ * 1664525u + 1013904223u;
    data[i] = static_cast<uint8_t>(seed_ >> 24);
  }
  tensor(*std::move(value), is_constant);
  inputs_.back().layout = layout;
  return *this;
}

Trial& Trial::zero_where(FunctionRef<bool(int64_t index)> drops) {
  Tensor& value = values_.back();
  const auto item = static_cast<size_t>(dtype_bits(value.dtype())) / 8;
  std::byte* const bytes = value.mutable_bytes();
  for (int64_t i = 0; i < value.element_count(); ++i) {
    if (drops(i)) std::memset(bytes + static_cast<size_t>(i) * item, 0, item);
  }
  return *this;
}

Trial& Trial::output(Dims dims, Layout layout, DType dtype) {
  outputs_.push_back({dtype, std::move(dims), layout});
  return *this;
}

KernelRequest Trial::request(int threads) const {
  KernelRequest request{domain_, op_, &attributes_, inputs_, outputs_, threads};
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (is_constant_[i]) request.inputs[i].constant = &values_[i];
  }
  return request;
}

Result<Trial::Run> Trial::prepare(const KernelImplementation& implementation, int threads) const {
  KernelRequest asked = request(threads);
  if (!implementation.supports(asked)) return unsupported("{}", implementation.name);
  Run run;
  PackedBytes packed;
  if (implementation.pack != nullptr) {
    EDGEWRIGHT_ASSIGN(run.packed_, implementation.pack(asked));
    packed = run.packed_.byte_span();
    for (TensorSpec& spec : asked.inputs) spec.constant = nullptr;
  }
  EDGEWRIGHT_ASSIGN(run.kernel_, implementation.create(asked, packed));
  run.scratch_ = zeros(run.kernel_->scratch_size_bytes());
  std::memset(run.scratch_.mutable_bytes(), 0xff, run.scratch_.size_bytes());  // NaN
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const bool gone = inputs_[i].dtype == DType::kUndefined ||
                      (is_constant_[i] && implementation.pack != nullptr);
    run.inputs_.push_back(gone ? Tensor() : to_layout(values_[i], inputs_[i].layout));
    run.input_pointers_.push_back(gone ? nullptr : run.inputs_.back().bytes());
  }
  for (const TensorSpec& spec : outputs_) {
    run.outputs_.push_back(zeros(stored_size_bytes(spec)));
    std::memset(run.outputs_.back().mutable_bytes(), 0xff, run.outputs_.back().size_bytes());
    run.output_pointers_.push_back(run.outputs_.back().mutable_bytes());
  }
  run.output_specs_ = outputs_;
  return run;
}

void Trial::Run::operator()(ThreadPool& pool) {
  kernel_->run({input_pointers_, output_pointers_, scratch_.mutable_bytes(), &pool});
}

Tensor Trial::Run::output(size_t i) const {
  const TensorSpec& spec = output_specs_[i];
  Tensor plain = from_layout(outputs_[i], spec.dims, spec.layout, spec.dtype);
  return plain;
}

}  // namespace edgewright
