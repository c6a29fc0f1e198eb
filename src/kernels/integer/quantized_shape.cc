#include "kernels/integer/quantized_shape.h"

#include "kernels/implementation.h"

namespace edgewright {
namespace {

Error not_this(const char* what) { return unsupported("quantised product: {}", what); }

bool is_byte(DType dtype) { return dtype == DType::kUint8 || dtype == DType::kInt8; }

// The same operation on float32, which is what geometry is read from.
KernelRequest as_float(const KernelRequest& request, const Attributes& attributes) {
  KernelRequest plain{request.domain, request.op, &attributes, {}, {}, request.threads};
  for (size_t i = 0; i < 2; ++i) {
    TensorSpec spec = request.inputs[i];
    spec.dtype = DType::kFloat32;
    plain.inputs.push_back(std::move(spec));
  }
  TensorSpec y = request.outputs[0];
  y.dtype = DType::kFloat32;
  plain.outputs.push_back(std::move(y));
  return plain;
}

Status check_factors(const KernelRequest& request, int64_t columns) {
  const TensorSpec& m = request.inputs[2];
  const bool fits = m.dtype == DType::kFloat32 && (m.dims == Dims{columns} || m.dims == Dims{1});
  if (!fits) return not_this("factors of another shape");
  if (has_input(request, 3) &&
      (request.inputs[3].dtype != DType::kFloat32 || request.inputs[3].dims != Dims{columns})) {
    return not_this("a bias of another shape");
  }
  const TensorSpec& y = request.outputs[0];
  const auto like_y = [&](const TensorSpec& spec) {
    return spec.dims == y.dims && spec.layout == y.layout;
  };
  if (has_input(request, 4) && !like_y(request.inputs[4])) return not_this("another residual");
  if (request.outputs.size() > 1 && request.outputs[1].dtype != DType::kUndefined &&
      (request.outputs[1].dtype != DType::kFloat32 || !like_y(request.outputs[1]))) {
    return not_this("another second output");
  }
  EDGEWRIGHT_ASSIGN(const int64_t count, checked_element_count(y.dims));
  // Places are 32-bit numbers.
  return count < (int64_t{1} << 31) ? Status() : Status(not_this("very many outputs"));
}

Status check_types(const KernelRequest& request) {
  if (request.inputs.size() < 3 || request.outputs.empty() || !is_byte(request.inputs[0].dtype) ||
      request.inputs[1].dtype != DType::kInt8) {
    return not_this("types that are not 8 bits");
  }
  return {};
}

}  // namespace

Result<QuantizedConvShape> parse_quantized_conv(const KernelRequest& request) {
  EDGEWRIGHT_TRY(check_types(request));
  QuantizedConvShape s;
  const KernelRequest plain = as_float(request, *request.attributes);
  EDGEWRIGHT_ASSIGN(s.conv, parse_conv(plain));
  EDGEWRIGHT_TRY(check_factors(request, s.conv.out_channels));
  EDGEWRIGHT_ASSIGN(s.requantisation, parse_requantisation(request));
  s.x_is_signed = request.inputs[0].dtype == DType::kInt8;
  const auto nhwc = [](const TensorSpec& spec) { return spec.layout == Layout::kNhwc; };
  if (!nhwc(request.inputs[0]) || !nhwc(request.outputs[0])) return not_this("not NHWC");
  return s;
}

Result<QuantizedMatMulShape> parse_quantized_matmul(const KernelRequest& request) {
  EDGEWRIGHT_TRY(check_types(request));
  if (!is_plain(request)) return not_this("not plain");
  QuantizedMatMulShape s;
  const KernelRequest plain = as_float(request, *request.attributes);
  EDGEWRIGHT_ASSIGN(s.matmul, parse_matmul(plain));
  EDGEWRIGHT_TRY(check_factors(request, s.matmul.n));
  EDGEWRIGHT_ASSIGN(s.requantisation, parse_requantisation(request));
  s.a_is_signed = request.inputs[0].dtype == DType::kInt8;
  return s;
}

bool has_constant_factors(const KernelRequest& request) {
  return request.inputs[1].constant != nullptr && request.inputs[2].constant != nullptr &&
         (!has_input(request, 3) || request.inputs[3].constant != nullptr);
}

ColumnFactors column_factors(const KernelRequest& request) {
  ColumnFactors factors;
  factors.m = request.inputs[2].constant->data<float>();
  factors.one_m = request.inputs[2].constant->element_count() == 1;
  if (has_input(request, 3)) factors.b = request.inputs[3].constant->data<float>();
  return factors;
}

}  // namespace edgewright
