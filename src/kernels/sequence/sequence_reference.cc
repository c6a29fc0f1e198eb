// Sequences and optionals. An optional with content is its content.
#include <algorithm>

#include "kernels/families.h"
#include "kernels/reference/arguments.h"
#include "kernels/reference/elements.h"
#include "kernels/reference/walk.h"

namespace edgewright {
namespace {

using namespace reference;

Result<const std::vector<Datum>*> sequence_input(const OpCall& call, size_t i) {
  if (!call.has_input(i) || !call.inputs[i].is_sequence()) {
    return bad_input("input {} of {} is no sequence", i, call.op);
  }
  return &call.inputs[i].elements();
}

Status sequence_construct(OpCall& call) {
  std::vector<Datum> elements;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    EDGEWRIGHT_ASSIGN(const Tensor* element, call.tensor(i));
    elements.emplace_back(*element);
    EDGEWRIGHT_TRY(same_type(call, elements[0].tensor(), *element));
  }
  call.set_output(0, Datum::sequence(std::move(elements)));
  return {};
}

Status sequence_empty(OpCall& call) {
  call.set_output(0, Datum::sequence({}));
  return {};
}

Status sequence_length(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const auto* elements, sequence_input(call, 0));
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kInt64, {}));
  *out->mutable_data<int64_t>() = std::ssize(*elements);
  return {};
}

Status sequence_at(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const auto* elements, sequence_input(call, 0));
  EDGEWRIGHT_ASSIGN(const int64_t given, int64_scalar(call, 1));
  EDGEWRIGHT_ASSIGN(const int64_t position, checked_index(call, given, std::ssize(*elements)));
  call.set_output(0, (*elements)[static_cast<size_t>(position)]);
  return {};
}

Status sequence_insert(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const auto* elements, sequence_input(call, 0));
  EDGEWRIGHT_ASSIGN(const Tensor* added, call.tensor(1));
  const int64_t size = std::ssize(*elements);
  EDGEWRIGHT_ASSIGN(const int64_t given, int64_scalar(call, 2, size));
  int64_t position = size;
  if (given != size) {
    EDGEWRIGHT_ASSIGN(position, checked_index(call, given, size));
  }
  if (!elements->empty() && elements->front().is_tensor()) {
    EDGEWRIGHT_TRY(same_type(call, elements->front().tensor(), *added));
  }
  std::vector<Datum> extended = *elements;
  extended.insert(extended.begin() + position, Datum(*added));
  call.set_output(0, Datum::sequence(std::move(extended)));
  return {};
}

Status sequence_erase(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const auto* elements, sequence_input(call, 0));
  EDGEWRIGHT_ASSIGN(const int64_t given, int64_scalar(call, 1, -1));
  EDGEWRIGHT_ASSIGN(const int64_t position, checked_index(call, given, std::ssize(*elements)));
  std::vector<Datum> rest = *elements;
  rest.erase(rest.begin() + position);
  call.set_output(0, Datum::sequence(std::move(rest)));
  return {};
}

// Lengths of the parts: a list, or one length for all but a shorter last part.
Result<std::vector<int64_t>> part_lengths(const OpCall& call, int64_t size) {
  std::vector<int64_t> lengths;
  int64_t each = 1;
  if (call.has_input(1)) {
    EDGEWRIGHT_ASSIGN(const Tensor* split, call.tensor(1));
    EDGEWRIGHT_ASSIGN(lengths, int64s(call, 1));
    if (split->rank() == 1) {
      int64_t rest = size;
      for (const int64_t length : lengths) {
        if (length < 0 || length > rest) return bad_input("SplitToSequence: a part of {}", length);
        rest -= length;
      }
      if (rest != 0) return bad_input("SplitToSequence: the parts leave {} elements", rest);
      return lengths;
    }
    each = lengths[0];
    if (each <= 0) return bad_input("SplitToSequence: parts of {}", each);
    lengths.clear();
  }
  for (; size > 0; size -= lengths.back()) lengths.push_back(std::min(each, size));
  return lengths;
}

Status split_to_sequence(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const Tensor* x, call.tensor(0));
  EDGEWRIGHT_ASSIGN(const size_t axis,
                    checked_axis(call, call.attributes->get_int("axis", 0), x->rank()));
  if (x->element_count() == 0 && x->dim(axis) > (int64_t{1} << 24)) {
    return bad_input("SplitToSequence: {} parts without elements", x->dim(axis));
  }
  EDGEWRIGHT_ASSIGN(const auto lengths, part_lengths(call, x->dim(axis)));
  const bool keep = call.has_input(1) || call.attributes->get_int("keepdims", 1) != 0;
  const Dims strides = row_major_strides(x->dims());
  std::vector<Datum> parts;
  int64_t start = 0;
  for (const int64_t length : lengths) {
    Dims dims = x->dims();
    dims[axis] = length;
    EDGEWRIGHT_ASSIGN(Tensor part, Tensor::allocate_uninitialised(x->dtype(), dims));
    copy_view(*x, start * strides[axis], dims, strides, part);
    start += length;
    if (!keep) {
      dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
      part = part.reshaped(std::move(dims));
    }
    parts.emplace_back(std::move(part));
  }
  call.set_output(0, Datum::sequence(std::move(parts)));
  return {};
}

// The elements as tensors of one type and of shapes that differ at most along `axis`.
Result<std::vector<const Tensor*>> concatenable(const OpCall& call, size_t axis, bool new_axis) {
  std::vector<const Tensor*> parts;
  for (const Datum& element : call.inputs[0].elements()) {
    if (!element.is_tensor()) return bad_input("{}: an element is no tensor", call.op);
    parts.push_back(&element.tensor());
    EDGEWRIGHT_TRY(same_type(call, *parts[0], *parts.back()));
    Dims expected = parts[0]->dims();
    if (!new_axis && parts.back()->rank() == expected.size()) {
      expected[axis] = parts.back()->dim(axis);
    }
    if (parts.back()->dims() != expected) {
      return bad_input("{}: shapes {} and {} do not join along axis {}", call.op,
                       dims_text(parts[0]->dims()), dims_text(parts.back()->dims()), axis);
    }
  }
  return parts;
}

Status concat_from_sequence(OpCall& call) {
  EDGEWRIGHT_ASSIGN(const auto* elements, sequence_input(call, 0));
  if (elements->empty() || !elements->front().is_tensor()) {
    return bad_input("ConcatFromSequence: the sequence has no tensors");
  }
  const bool new_axis = call.attributes->get_int("new_axis", 0) != 0;
  Dims dims = elements->front().tensor().dims();
  EDGEWRIGHT_ASSIGN(const size_t axis, checked_axis(call, call.attributes->get_int("axis", 0),
                                                    dims.size() + (new_axis ? 1 : 0)));
  EDGEWRIGHT_ASSIGN(const auto parts, concatenable(call, axis, new_axis));
  if (new_axis) dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), 1);
  const auto length_of = [&](const Tensor& part) { return new_axis ? 1 : part.dim(axis); };
  dims[axis] = 0;
  for (const Tensor* part : parts) {
    if (__builtin_add_overflow(dims[axis], length_of(*part), &dims[axis])) {
      return bad_input("ConcatFromSequence: the result is too long");
    }
  }
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, parts[0]->dtype(), dims));
  const AxisSplit whole = split_at(dims, axis);
  int64_t start = 0;
  for (const Tensor* part : parts) {
    const ElementCopier copier(*part, *out);
    const int64_t run = length_of(*part) * whole.inner;
    for (int64_t i = 0; i < whole.outer; ++i) {
      copier.copy(i * whole.size * whole.inner + start, i * run, run);
    }
    start += run;
  }
  return {};
}

Status optional(OpCall& call) {
  call.set_output(0, call.has_input(0) ? call.inputs[0] : Datum::empty_optional());
  return {};
}

bool has_element(const OpCall& call) {
  return call.has_input(0) && call.inputs[0].kind() != Datum::Kind::kEmptyOptional;
}

Status optional_has_element(OpCall& call) {
  EDGEWRIGHT_ASSIGN(Tensor * out, call.make_output(0, DType::kBool, {}));
  *out->mutable_data<uint8_t>() = has_element(call) ? 1 : 0;
  return {};
}

Status optional_get_element(OpCall& call) {
  if (!has_element(call)) return bad_input("OptionalGetElement: the optional is empty");
  call.set_output(0, call.inputs[0]);
  return {};
}

constexpr ReferenceKernel kKernels[] = {
    {"", "SequenceConstruct", sequence_construct},
    {"", "SequenceEmpty", sequence_empty},
    {"", "SequenceLength", sequence_length},
    {"", "SequenceAt", sequence_at},
    {"", "SequenceInsert", sequence_insert},
    {"", "SequenceErase", sequence_erase},
    {"", "SplitToSequence", split_to_sequence},
    {"", "ConcatFromSequence", concat_from_sequence},
    {"", "Optional", optional},
    {"", "OptionalHasElement", optional_has_element},
    {"", "OptionalGetElement", optional_get_element},
};

}  // namespace

std::span<const ReferenceKernel> sequence_reference_kernels() { return kKernels; }

}  // namespace edgewright
