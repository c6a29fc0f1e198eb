#include "arrays.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <memory>
#include <string_view>

#include "errors.h"

namespace nb = nanobind;

namespace edgewright::python {
namespace {

nb::module_ numpy() { return nb::module_::import_("numpy"); }

// Names of types in NumPy and ml_dtypes where they are not the library's own.
struct TypeName {
  const char* name;
  DType dtype;
};
constexpr TypeName kForeignTypes[] = {
    {"bfloat16", DType::kBfloat16},
    {"float8_e4m3fn", DType::kFloat8E4M3FN},
    {"float8_e4m3fnuz", DType::kFloat8E4M3FNUZ},
    {"float8_e5m2", DType::kFloat8E5M2},
    {"float8_e5m2fnuz", DType::kFloat8E5M2FNUZ},
    {"float8_e8m0fnu", DType::kFloat8E8M0},
    {"int4", DType::kInt4},
    {"uint4", DType::kUint4},
    {"int2", DType::kInt2},
    {"uint2", DType::kUint2},
    {"float4_e2m1fn", DType::kFloat4E2M1},
};

const TypeName* foreign_type(DType dtype) {
  for (const TypeName& type : kForeignTypes) {
    if (type.dtype == dtype) return &type;
  }
  return nullptr;
}

// The type of one element of the buffer protocol's format, in native byte order.
DType dtype_of_format(const char* format, Py_ssize_t item_bytes) {
  std::string_view code = format == nullptr ? "B" : format;
  if (code.size() > 1 && (code[0] == '@' || code[0] == '=' || code[0] == '<')) {
    code.remove_prefix(1);
  }
  if (code == "Zf") return DType::kComplex64;
  if (code == "Zd") return DType::kComplex128;
  if (code.size() != 1) return DType::kUndefined;
  const auto sized = [item_bytes](std::array<DType, 4> types) {
    for (size_t i = 0; i < types.size(); ++i) {
      if (item_bytes == Py_ssize_t{1} << i) return types[i];
    }
    return DType::kUndefined;
  };
  switch (code[0]) {
    case '?': return DType::kBool;
    case 'e': return DType::kFloat16;
    case 'f': return DType::kFloat32;
    case 'd': return DType::kFloat64;
    case 'b':
    case 'h':
    case 'i':
    case 'l':
    case 'q': return sized({DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64});
    case 'B':
    case 'H':
    case 'I':
    case 'L':
    case 'Q': return sized({DType::kUint8, DType::kUint16, DType::kUint32, DType::kUint64});
    default: return DType::kUndefined;
  }
}

// A held buffer; whoever drops it last may stand outside the interpreter's lock.
std::shared_ptr<Py_buffer> hold(const Py_buffer& view) {
  return {new Py_buffer(view), [](Py_buffer* held) {
            const nb::gil_scoped_acquire acquire;
            PyBuffer_Release(held);
            delete held;
          }};
}

// The tensor over a contiguous buffer; an empty one when `value` offers none, or one of a type that
// the buffer protocol cannot tell.
Tensor over_buffer(nb::handle value) {
  Py_buffer view;
  if (PyObject_GetBuffer(value.ptr(), &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    return {};
  }
  const DType dtype = dtype_of_format(view.format, view.itemsize);
  if (dtype == DType::kUndefined) {
    PyBuffer_Release(&view);
    return {};
  }
  Dims dims(view.shape, view.shape + view.ndim);
  auto held = hold(view);
  const void* data = held->buf;
  return Tensor::view(dtype, std::move(dims), data, std::move(held));
}

Dims dims_of(nb::handle array) { return nb::cast<Dims>(array.attr("shape")); }

Tensor of_strings(nb::handle array) {
  std::vector<std::string> elements;
  for (nb::handle element : nb::list(array.attr("ravel")().attr("tolist")())) {
    const nb::object text =
        nb::isinstance<nb::bytes>(element) ? element.attr("decode")("utf-8") : nb::borrow(element);
    if (!nb::isinstance<nb::str>(text)) return {};
    elements.push_back(nb::cast<std::string>(text));
  }
  return Tensor::strings(dims_of(array), std::move(elements));
}

// ml_dtypes keeps one element a byte; ONNX packs several, low bits first.
Tensor packed(nb::handle array, DType dtype) {
  const Tensor bytes = over_buffer(array.attr("view")("uint8"));
  Tensor tensor = value_or_raise(Tensor::allocate(dtype, dims_of(array)));
  const int bits = dtype_bits(dtype);
  const int per_byte = 8 / bits;
  const uint8_t mask = static_cast<uint8_t>((1 << bits) - 1);
  const auto* from = reinterpret_cast<const uint8_t*>(bytes.bytes());
  auto* to = reinterpret_cast<uint8_t*>(tensor.mutable_bytes());
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    const int shift = static_cast<int>(i % per_byte) * bits;
    to[i / per_byte] = static_cast<uint8_t>(to[i / per_byte] | ((from[i] & mask) << shift));
  }
  return tensor;
}

Tensor of_foreign_type(nb::handle array, const std::string& name) {
  for (const TypeName& type : kForeignTypes) {
    if (name != type.name) continue;
    if (dtype_bits(type.dtype) < 8) return packed(array, type.dtype);
    const char* carrier = dtype_bits(type.dtype) == 16 ? "uint16" : "uint8";
    const Tensor raw = over_buffer(array.attr("view")(carrier));
    if (raw.empty_handle()) return {};
    auto owner = std::make_shared<Tensor>(raw);
    return Tensor::view(type.dtype, raw.dims(), raw.bytes(), std::move(owner));
  }
  return {};
}

Tensor of_array(nb::handle array) {
  Tensor tensor = over_buffer(array);
  if (!tensor.empty_handle()) return tensor;
  const auto kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  if (kind == "U" || kind == "S" || kind == "O" || kind == "T") return of_strings(array);
  return of_foreign_type(array, nb::cast<std::string>(array.attr("dtype").attr("name")));
}

nb::dlpack::dtype dlpack_type(DType dtype) {
  const auto bits = static_cast<uint8_t>(dtype_bits(dtype));
  nb::dlpack::dtype_code code = nb::dlpack::dtype_code::UInt;
  if (dtype == DType::kBool) {
    code = nb::dlpack::dtype_code::Bool;
  } else if (dtype == DType::kComplex64 || dtype == DType::kComplex128) {
    code = nb::dlpack::dtype_code::Complex;
  } else if (is_floating_point(dtype)) {
    code = nb::dlpack::dtype_code::Float;
  } else if (is_signed(dtype)) {
    code = nb::dlpack::dtype_code::Int;
  }
  return {static_cast<uint8_t>(code), bits, 1};
}

// An array over the tensor's memory, its elements taken for those of `dtype`, a type of NumPy.
nb::object plain_array(const Tensor& tensor, DType dtype) {
  auto* kept = new Tensor(tensor);
  const nb::capsule owner(kept,
                          [](void* pointer) noexcept { delete static_cast<Tensor*>(pointer); });
  constexpr size_t kUsualRank = 8;
  std::array<size_t, kUsualRank> few{};
  std::vector<size_t> many;
  size_t* shape = few.data();
  if (tensor.rank() > kUsualRank) {
    many.resize(tensor.rank());
    shape = many.data();
  }
  for (size_t i = 0; i < tensor.rank(); ++i) shape[i] = static_cast<size_t>(tensor.dim(i));
  nb::ndarray<nb::numpy> array(kept->mutable_bytes(), tensor.rank(), shape, owner, nullptr,
                               dlpack_type(dtype));
  return array.cast();
}

nb::object string_array(const Tensor& tensor) {
  nb::list elements;
  for (const std::string& text : tensor.string_elements()) {
    elements.append(nb::str(text.c_str(), text.size()));
  }
  nb::object array = numpy().attr("array")(elements, nb::arg("dtype") = "object");
  return array.attr("reshape")(nb::cast(tensor.dims()));
}

// Packed elements, one a byte; int4 and int2 with their sign.
Tensor unpacked(const Tensor& tensor) {
  Tensor bytes = value_or_raise(Tensor::allocate_uninitialised(DType::kUint8, tensor.dims()));
  const int bits = dtype_bits(tensor.dtype());
  const int per_byte = 8 / bits;
  const int mask = (1 << bits) - 1;
  const int sign = is_integer(tensor.dtype()) && is_signed(tensor.dtype()) ? 1 << (bits - 1) : 0;
  const auto* from = reinterpret_cast<const uint8_t*>(tensor.bytes());
  for (int64_t i = 0; i < tensor.element_count(); ++i) {
    const int value = (from[i / per_byte] >> (static_cast<int>(i % per_byte) * bits)) & mask;
    bytes.mutable_data<uint8_t>()[i] = static_cast<uint8_t>((value ^ sign) - sign);
  }
  return bytes;
}

nb::object foreign_array(const Tensor& tensor, const TypeName& type) {
  nb::object dtype;
  try {
    dtype = nb::module_::import_("ml_dtypes").attr(type.name);
  } catch (const nb::python_error&) {
    raise(unsupported("NumPy has no type {}; install the package ml_dtypes to get such arrays",
                      dtype_name(tensor.dtype())));
  }
  const bool is_wide = dtype_bits(tensor.dtype()) == 16;
  const bool is_packed = dtype_bits(tensor.dtype()) < 8;
  const nb::object bits = is_packed ? plain_array(unpacked(tensor), DType::kUint8)
                                    : plain_array(tensor, is_wide ? DType::kUint16 : DType::kUint8);
  return bits.attr("view")(dtype);
}

}  // namespace

Tensor to_tensor(nb::handle value, const std::string& place) {
  Tensor tensor = over_buffer(value);
  if (!tensor.empty_handle()) return tensor;
  // A copy where the array is not contiguous, or is none yet.
  const nb::object array = numpy().attr("ascontiguousarray")(value);
  // ascontiguousarray makes a scalar one-dimensional.
  const nb::object shaped = array.attr("reshape")(numpy().attr("shape")(value));
  tensor = of_array(shaped);
  if (tensor.empty_handle()) {
    raise(bad_input("{}: found an array of type {}, expected numbers, booleans or strings", place,
                    nb::cast<std::string>(shaped.attr("dtype").attr("name"))));
  }
  return tensor;
}

TensorMap to_tensors(nb::handle feed) {
  TensorMap tensors;
  for (const auto& [name, value] : nb::cast<nb::dict>(feed)) {
    const auto key = nb::cast<std::string>(name);
    tensors.emplace(key, to_tensor(value, key));
  }
  return tensors;
}

nb::object to_array(const Tensor& tensor) {
  if (tensor.dtype() == DType::kString) return string_array(tensor);
  if (const TypeName* type = foreign_type(tensor.dtype())) return foreign_array(tensor, *type);
  return plain_array(tensor, tensor.dtype());
}

}  // namespace edgewright::python
