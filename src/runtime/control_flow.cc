#include "runtime/control_flow.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace edgewright {
namespace {

Result<bool> condition(const Datum& datum) {
  if (!datum.is_tensor() || datum.tensor().dtype() != DType::kBool ||
      datum.tensor().element_count() != 1) {
    return bad_input("a condition is not one bool");
  }
  return *datum.tensor().data<uint8_t>() != 0;
}

int64_t product(const Dims& dims, size_t begin, size_t end) {
  int64_t count = 1;
  for (size_t i = begin; i < end; ++i) count *= dims[i];
  return count;
}

// Copies rows of whole bytes; sub-byte types are not split (their slices need not be whole bytes).
Status check_sliceable(const Tensor& tensor) {
  if (tensor.dtype() == DType::kString || dtype_bits(tensor.dtype()) >= 8) return {};
  return unsupported("loops over {} tensors", dtype_name(tensor.dtype()));
}

Result<int64_t> normal_axis(int64_t axis, size_t rank) {
  const auto r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= r) return bad_input("axis {} is outside a tensor of rank {}", axis, r);
  return axis < 0 ? axis + r : axis;
}

// The collected outputs of one loop: element i holds the slices of scan output i.
using Collected = std::vector<std::vector<Datum>>;

Result<Tensor> stack(std::span<const Datum> slices, int64_t axis, bool reverse);

Result<Datum> stacked_or_empty(const std::vector<Datum>& slices, const ValueType& type,
                               int64_t axis, bool reverse) {
  if (!slices.empty()) {
    EDGEWRIGHT_ASSIGN(Tensor tensor, stack(slices, axis, reverse));
    return Datum(std::move(tensor));
  }
  // No iteration ran: the declared type says what an empty result looks like.
  const DType dtype = type.is_tensor() ? type.dtype : DType::kFloat32;
  Dims dims;
  for (const Dim& dim : type.shape.value_or(Shape{}))
    dims.push_back(dim.is_known() ? dim.value : 0);
  dims.insert(dims.begin(), 0);
  EDGEWRIGHT_ASSIGN(Tensor empty, Tensor::allocate(dtype, std::move(dims)));
  return Datum(std::move(empty));
}

const ControlFlowBody* find_body(const ControlFlowCall& call, std::string_view attribute) {
  for (const ControlFlowBody& body : call.bodies) {
    if (body.attribute == attribute) return &body;
  }
  return nullptr;
}

// Slice `index` of a tensor along an axis, that axis removed.
Result<Tensor> slice_at(const Tensor& tensor, int64_t axis, int64_t index) {
  EDGEWRIGHT_TRY(check_sliceable(tensor));
  const auto a = static_cast<size_t>(axis);
  Dims dims = tensor.dims();
  const int64_t outer = product(dims, 0, a);
  const int64_t inner = product(dims, a + 1, dims.size());
  const int64_t extent = dims[a];
  dims.erase(dims.begin() + axis);
  EDGEWRIGHT_ASSIGN(Tensor slice, Tensor::allocate_uninitialised(tensor.dtype(), dims));
  const size_t row_bytes = dtype_bytes(tensor.dtype(), static_cast<size_t>(inner));
  for (int64_t o = 0; o < outer; ++o) {
    const int64_t from = (o * extent + index) * inner;
    if (tensor.dtype() == DType::kString) {
      for (int64_t i = 0; i < inner; ++i) {
        slice.mutable_string_elements()[static_cast<size_t>(o * inner + i)] =
            tensor.string_elements()[static_cast<size_t>(from + i)];
      }
    } else if (row_bytes > 0) {
      std::memcpy(slice.mutable_bytes() + static_cast<size_t>(o) * row_bytes,
                  tensor.bytes() + dtype_bytes(tensor.dtype(), static_cast<size_t>(from)),
                  row_bytes);
    }
  }
  return slice;
}

// A concatenation of equal-shaped tensors along a new axis: what Loop and Scan collect.
Result<Tensor> stack(std::span<const Datum> slices, int64_t axis, bool reverse) {
  for (const Datum& slice : slices) {
    if (!slice.is_tensor() || slice.tensor().dims() != slices[0].tensor().dims() ||
        slice.tensor().dtype() != slices[0].tensor().dtype()) {
      return bad_input("the iterations of a loop made values of different types or shapes");
    }
  }
  const Tensor& first = slices[0].tensor();
  EDGEWRIGHT_TRY(check_sliceable(first));
  EDGEWRIGHT_ASSIGN(const int64_t at, normal_axis(axis, first.rank() + 1));
  Dims dims = first.dims();
  const int64_t outer = product(dims, 0, static_cast<size_t>(at));
  const int64_t inner = product(dims, static_cast<size_t>(at), dims.size());
  const auto count = static_cast<int64_t>(slices.size());
  dims.insert(dims.begin() + at, count);
  EDGEWRIGHT_ASSIGN(Tensor result, Tensor::allocate_uninitialised(first.dtype(), dims));
  const size_t row_bytes = dtype_bytes(first.dtype(), static_cast<size_t>(inner));
  for (int64_t s = 0; s < count; ++s) {
    const Tensor& slice = slices[static_cast<size_t>(reverse ? count - 1 - s : s)].tensor();
    for (int64_t o = 0; o < outer; ++o) {
      if (first.dtype() == DType::kString) {
        for (int64_t i = 0; i < inner; ++i) {
          result.mutable_string_elements()[static_cast<size_t>((o * count + s) * inner + i)] =
              slice.string_elements()[static_cast<size_t>(o * inner + i)];
        }
      } else if (row_bytes > 0) {
        std::memcpy(result.mutable_bytes() + static_cast<size_t>(o * count + s) * row_bytes,
                    slice.bytes() + static_cast<size_t>(o) * row_bytes, row_bytes);
      }
    }
  }
  return result;
}

Result<std::vector<Datum>> run_if(const ControlFlowCall& call) {
  const auto inputs = call.inputs;
  if (inputs.empty()) return bad_input("If has no condition");
  EDGEWRIGHT_ASSIGN(const bool taken, condition(inputs[0]));
  const ControlFlowBody* branch = find_body(call, taken ? "then_branch" : "else_branch");
  if (branch == nullptr) return bad_input("If lacks a branch");
  EDGEWRIGHT_ASSIGN(auto outputs, branch->run({}));
  if (outputs.size() < call.output_count) {
    return bad_input("the branch gives {} outputs, {} are expected", outputs.size(),
                     call.output_count);
  }
  return outputs;
}

Result<std::vector<Datum>> run_loop(const ControlFlowCall& call) {
  const auto inputs = call.inputs;
  const ControlFlowBody* body = find_body(call, "body");
  if (body == nullptr) return bad_input("Loop has no body");
  const size_t carried_count = inputs.size() < 2 ? 0 : inputs.size() - 2;
  if (body->input_count != carried_count + 2 || body->output_types.size() < carried_count + 1 ||
      call.output_count > body->output_types.size() - 1) {
    return bad_input("the Loop's body does not fit its inputs and outputs");
  }
  int64_t trips = std::numeric_limits<int64_t>::max();
  if (!inputs.empty() && inputs[0].is_tensor()) {
    EDGEWRIGHT_ASSIGN(const auto count, inputs[0].tensor().to_int64s());
    if (count.size() != 1) return bad_input("the trip count of Loop is not one number");
    trips = count[0];
  }
  bool go_on = true;
  if (inputs.size() > 1 && inputs[1].is_tensor()) {
    EDGEWRIGHT_ASSIGN(go_on, condition(inputs[1]));
  }
  std::vector<Datum> carried(inputs.begin() + std::min<ptrdiff_t>(2, std::ssize(inputs)),
                             inputs.end());
  Collected collected(body->output_types.size() - 1 - carried_count);
  for (int64_t i = 0; i < trips && go_on; ++i) {
    if (i >= call.iteration_limit) {
      return unsupported("Loop runs more than {} iterations", i);
    }
    std::vector<Datum> arguments = {Tensor::scalar<int64_t>(i), Tensor::scalar<bool>(go_on)};
    arguments.insert(arguments.end(), carried.begin(), carried.end());
    EDGEWRIGHT_ASSIGN(auto results, body->run(arguments));
    EDGEWRIGHT_ASSIGN(go_on, condition(results[0]));
    for (size_t c = 0; c < carried_count; ++c) carried[c] = std::move(results[c + 1]);
    for (size_t s = 0; s < collected.size(); ++s) {
      collected[s].push_back(std::move(results[s + 1 + carried_count]));
    }
  }
  std::vector<Datum> outputs = std::move(carried);
  for (size_t s = 0; s < collected.size(); ++s) {
    const ValueType& made = body->output_types[s + 1 + carried_count];
    EDGEWRIGHT_ASSIGN(Datum stacked, stacked_or_empty(collected[s], made, 0, false));
    outputs.push_back(std::move(stacked));
  }
  outputs.resize(call.output_count);
  return outputs;
}

Result<std::vector<Datum>> run_scan(const ControlFlowCall& call) {
  const auto inputs = call.inputs;
  const ControlFlowBody* body = find_body(call, "body");
  const int64_t scan_count = call.attributes->get_int("num_scan_inputs", 0);
  if (body == nullptr || scan_count < 1 || scan_count > std::ssize(inputs) ||
      body->input_count != inputs.size() ||
      body->output_types.size() + static_cast<size_t>(scan_count) < inputs.size() ||
      call.output_count > body->output_types.size()) {
    return bad_input("the Scan's body does not fit its inputs and outputs");
  }
  const size_t state_count = inputs.size() - static_cast<size_t>(scan_count);
  const auto entry = [&](std::string_view name, size_t i) {
    const auto list = call.attributes->get_ints(name);
    return i < list.size() ? list[i] : 0;
  };
  int64_t length = -1;
  for (size_t i = state_count; i < inputs.size(); ++i) {
    if (!inputs[i].is_tensor()) return bad_input("scan input {} is not a tensor", i);
    const Tensor& tensor = inputs[i].tensor();
    EDGEWRIGHT_ASSIGN(const int64_t axis,
                      normal_axis(entry("scan_input_axes", i - state_count), tensor.rank()));
    const int64_t extent = tensor.dim(static_cast<size_t>(axis));
    if (length >= 0 && extent != length) return bad_input("scan inputs differ in length");
    length = extent;
  }
  std::vector<Datum> state(inputs.begin(), inputs.begin() + static_cast<ptrdiff_t>(state_count));
  Collected collected(body->output_types.size() - state_count);
  for (int64_t step = 0; step < length; ++step) {
    std::vector<Datum> arguments = state;
    for (size_t i = state_count; i < inputs.size(); ++i) {
      const Tensor& tensor = inputs[i].tensor();
      EDGEWRIGHT_ASSIGN(const int64_t axis,
                        normal_axis(entry("scan_input_axes", i - state_count), tensor.rank()));
      const bool backward = entry("scan_input_directions", i - state_count) != 0;
      EDGEWRIGHT_ASSIGN(Tensor slice, slice_at(tensor, axis, backward ? length - 1 - step : step));
      arguments.emplace_back(std::move(slice));
    }
    EDGEWRIGHT_ASSIGN(auto results, body->run(arguments));
    for (size_t i = 0; i < state_count; ++i) state[i] = std::move(results[i]);
    for (size_t i = 0; i < collected.size(); ++i) {
      collected[i].push_back(std::move(results[i + state_count]));
    }
  }
  std::vector<Datum> outputs = std::move(state);
  for (size_t i = 0; i < collected.size(); ++i) {
    const ValueType& made = body->output_types[i + state_count];
    EDGEWRIGHT_ASSIGN(Datum stacked,
                      stacked_or_empty(collected[i], made, entry("scan_output_axes", i),
                                       entry("scan_output_directions", i) != 0));
    outputs.push_back(std::move(stacked));
  }
  outputs.resize(call.output_count);
  return outputs;
}

Result<std::vector<Datum>> run_sequence_map(const ControlFlowCall& call) {
  const auto inputs = call.inputs;
  const ControlFlowBody* body = find_body(call, "body");
  if (body == nullptr || inputs.empty() || !inputs[0].is_sequence() ||
      body->input_count != inputs.size() || call.output_count > body->output_types.size()) {
    return bad_input("the SequenceMap's body does not fit its inputs and outputs");
  }
  std::vector<std::vector<Datum>> made(call.output_count);
  for (size_t i = 0; i < inputs[0].elements().size(); ++i) {
    std::vector<Datum> arguments;
    for (const Datum& input : inputs) {
      if (input.is_sequence() && i >= input.elements().size()) {
        return bad_input("the sequences of SequenceMap differ in length");
      }
      arguments.push_back(input.is_sequence() ? input.elements()[i] : input);
    }
    EDGEWRIGHT_ASSIGN(auto results, body->run(arguments));
    for (size_t o = 0; o < made.size(); ++o) made[o].push_back(std::move(results[o]));
  }
  std::vector<Datum> outputs;
  for (auto& elements : made) outputs.push_back(Datum::sequence(std::move(elements)));
  return outputs;
}

struct Handler {
  std::string_view op;
  Result<std::vector<Datum>> (*run)(const ControlFlowCall& call);
};
constexpr Handler kHandlers[] = {
    {"If", run_if},
    {"Loop", run_loop},
    {"Scan", run_scan},
    {"SequenceMap", run_sequence_map},
};

}  // namespace

bool is_control_flow(std::string_view domain, std::string_view op) {
  return domain.empty() &&
         std::ranges::any_of(kHandlers, [&](const Handler& handler) { return handler.op == op; });
}

Result<std::vector<Datum>> run_control_flow(const ControlFlowCall& call) {
  for (const Handler& handler : kHandlers) {
    if (handler.op == call.op) return handler.run(call);
  }
  return unsupported("{} is no control-flow operator", call.op);
}

}  // namespace edgewright
