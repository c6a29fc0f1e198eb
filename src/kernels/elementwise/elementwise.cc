// Element-wise programs in one pass over memory: chunk by chunk, every instruction on the chunk
// while it is in the first-level cache.
#include <algorithm>
#include <array>

#include "kernels/elementwise/byte_table.h"
#include "kernels/elementwise/chunk.h"
#include "kernels/families.h"
#include "kernels/implementation.h"

namespace edgewright {
namespace {

constexpr size_t kMaxInputs = 16;
constexpr size_t kMaxAxes = 8;

// The axes of an output and how each input walks over them; the last axis of every input has stride
// 1 or 0 (one value for the whole row).
struct BroadcastWalk {
  Dims dims;
  std::vector<Dims> strides;  // [input][axis], in elements
};

// Dimensions as stored: blocked layouts have an axis of 16 at the end.
Dims stored_dims(const TensorSpec& spec) {
  if (spec.layout != Layout::kNchw16c) return spec.dims;
  Dims dims = spec.dims;
  dims[1] = (dims[1] + 15) / 16;
  dims.push_back(16);
  return dims;
}

bool walks_alike(const BroadcastWalk& walk, size_t outer, size_t inner) {
  for (const Dims& strides : walk.strides) {
    if (strides[outer] != strides[inner] * walk.dims[inner]) return false;
  }
  return true;
}

// Joins neighbouring axes that every input walks as if they were one.
void join_axes(BroadcastWalk& walk) {
  for (size_t axis = walk.dims.size(); axis-- > 1;) {
    if (!walks_alike(walk, axis - 1, axis)) continue;
    walk.dims[axis - 1] *= walk.dims[axis];
    walk.dims.erase(walk.dims.begin() + static_cast<ptrdiff_t>(axis));
    for (Dims& strides : walk.strides) {
      strides.erase(strides.begin() + static_cast<ptrdiff_t>(axis - 1));
    }
  }
}

Result<BroadcastWalk> make_walk(const KernelRequest& request) {
  BroadcastWalk walk;
  walk.dims = stored_dims(request.outputs[0]);
  for (const TensorSpec& spec : request.inputs) {
    const Dims dims = stored_dims(spec);
    if (dims.size() > walk.dims.size()) return unsupported("input of more axes than the output");
    Dims strides(walk.dims.size(), 0);
    int64_t stride = 1;
    for (size_t i = 0; i < dims.size(); ++i) {
      const size_t from = dims.size() - 1 - i, to = walk.dims.size() - 1 - i;
      if (dims[from] != 1 && dims[from] != walk.dims[to]) return unsupported("no broadcast");
      if (dims[from] != 1) strides[to] = stride;
      stride *= dims[from];
    }
    walk.strides.push_back(std::move(strides));
  }
  // Axes of size 1 have stride 0 everywhere and would keep others from joining.
  for (size_t axis = walk.dims.size(); axis-- > 0;) {
    if (walk.dims[axis] != 1 || walk.dims.size() == 1) continue;
    walk.dims.erase(walk.dims.begin() + static_cast<ptrdiff_t>(axis));
    for (Dims& strides : walk.strides) {
      strides.erase(strides.begin() + static_cast<ptrdiff_t>(axis));
    }
  }
  if (walk.dims.empty()) {
    walk.dims = {1};
    for (Dims& strides : walk.strides) strides = {0};
  }
  join_axes(walk);
  if (walk.dims.size() > kMaxAxes) return unsupported("broadcast over more than 8 axes");
  return walk;
}

class Elementwise : public PreparedKernel {
 public:
  Elementwise(ElementProgram program, BroadcastWalk walk, const KernelRequest& request)
      : program_(std::move(program)),
        walk_(std::move(walk)),
        threads_(std::max(request.threads, 1)),
        out_type_(request.outputs[0].dtype) {
    for (const TensorSpec& spec : request.inputs) in_types_.push_back(spec.dtype);
    row_ = walk_.dims.back();
    rows_ = 1;
    for (size_t axis = 0; axis + 1 < walk_.dims.size(); ++axis) rows_ *= walk_.dims[axis];
    for (const ElementInstruction& instruction : program_.instructions) {
      for (size_t i = 0; i < std::min<size_t>(instruction.operands.size(), 2); ++i) {
        if (instruction.operands[i].kind == ElementOperand::Kind::kLiteral) ++literals_;
      }
    }
    // About 16,000 elements a task, whole chunks.
    constexpr int64_t kTaskElements = 32 * static_cast<int64_t>(kElementChunk);
    rows_per_task_ = std::max<int64_t>(1, kTaskElements / row_);
    row_part_ = std::min(row_, kTaskElements);
  }

  // A chunk for every input that is one value a row, every temporary and every literal.
  size_t buffers() const { return walk_.strides.size() + program_.instructions.size() + literals_; }
  size_t scratch_size_bytes() const override {
    return static_cast<size_t>(threads_) * buffers() * kElementChunk * sizeof(float);
  }

  void run(const KernelIo& io) const override {
    const int64_t row_tasks = (rows_ + rows_per_task_ - 1) / rows_per_task_;
    const int64_t parts = (row_ + row_part_ - 1) / row_part_;
    io.pool->parallel_for(static_cast<size_t>(row_tasks * parts), [&](size_t index, int worker) {
      const int64_t i = static_cast<int64_t>(index);
      const int64_t first = i / parts * rows_per_task_;
      const int64_t begin = i % parts * row_part_;
      float* const scratch =
          static_cast<float*>(io.scratch) + static_cast<size_t>(worker) * buffers() * kElementChunk;
      fill_literals(scratch);
      for (int64_t row = first; row < std::min(first + rows_per_task_, rows_); ++row) {
        run_row(io, scratch, row, begin, std::min(begin + row_part_, row_));
      }
    });
  }

 private:
  float* buffer(float* scratch, size_t index) const { return scratch + index * kElementChunk; }

  void fill_literals(float* scratch) const {
    size_t next = walk_.strides.size() + program_.instructions.size();
    const size_t count = std::min(kElementChunk, static_cast<size_t>(row_));
    for (const ElementInstruction& instruction : program_.instructions) {
      for (size_t i = 0; i < std::min<size_t>(instruction.operands.size(), 2); ++i) {
        if (instruction.operands[i].kind == ElementOperand::Kind::kLiteral) {
          std::fill_n(buffer(scratch, next++), count, instruction.operands[i].literal);
        }
      }
    }
  }

  // `count` elements of input i from `offset` on: as they lie, or made float in its buffer.
  const float* input_chunk(const KernelIo& io, float* scratch, size_t i, int64_t offset,
                           size_t count) const {
    if (in_types_[i] == DType::kFloat32) return static_cast<const float*>(io.inputs[i]) + offset;
    float* const made = buffer(scratch, i);
    load_bytes(in_types_[i], static_cast<const uint8_t*>(io.inputs[i]) + offset, made, count);
    return made;
  }

  void run_row(const KernelIo& io, float* scratch, int64_t row, int64_t begin, int64_t end) const {
    const size_t inputs = walk_.strides.size();
    std::array<int64_t, kMaxInputs> start;  // -1: one value, in the buffer already
    for (size_t i = 0; i < inputs; ++i) {
      start[i] = -1;
      if (io.inputs[i] == nullptr)
        continue;  // an omitted bound of Clip, which no instruction reads
      int64_t offset = 0, rest = row;
      for (size_t axis = walk_.dims.size() - 1; axis-- > 0;) {
        offset += rest % walk_.dims[axis] * walk_.strides[i][axis];
        rest /= walk_.dims[axis];
      }
      if (walk_.strides[i].back() != 0) {
        start[i] = offset;
        continue;
      }
      const size_t count = std::min(kElementChunk, static_cast<size_t>(end - begin));
      std::fill_n(buffer(scratch, i), count, *input_chunk(io, scratch, i, offset, 1));
    }
    for (int64_t at = begin; at < end; at += static_cast<int64_t>(kElementChunk)) {
      const size_t count = std::min(kElementChunk, static_cast<size_t>(end - at));
      std::array<const float*, kMaxInputs> values;
      for (size_t i = 0; i < inputs; ++i) {
        values[i] =
            start[i] >= 0 ? input_chunk(io, scratch, i, start[i] + at, count) : buffer(scratch, i);
      }
      const int64_t place = row * row_ + at;
      if (out_type_ == DType::kFloat32) {
        run_chunk(values, scratch, static_cast<float*>(io.outputs[0]) + place, count);
        continue;
      }
      float* const made = buffer(scratch, inputs + program_.instructions.size() - 1);
      run_chunk(values, scratch, made, count);
      store_bytes(out_type_, made, static_cast<uint8_t*>(io.outputs[0]) + place, count);
    }
  }

  void run_chunk(const std::array<const float*, kMaxInputs>& values, float* scratch, float* out,
                 size_t count) const {
    const size_t inputs = walk_.strides.size();
    size_t literal = inputs + program_.instructions.size();
    for (size_t n = 0; n < program_.instructions.size(); ++n) {
      const ElementInstruction& instruction = program_.instructions[n];
      const auto operand = [&](size_t i) -> const float* {
        const ElementOperand& at = instruction.operands[i];
        if (at.kind == ElementOperand::Kind::kLiteral) return buffer(scratch, literal++);
        const size_t index = static_cast<size_t>(at.index);
        if (at.kind == ElementOperand::Kind::kInput) return values[index];
        return buffer(scratch, inputs + index);
      };
      float* const to = n + 1 == program_.instructions.size() ? out : buffer(scratch, inputs + n);
      const float* const a = operand(0);
      const size_t operands = instruction.operands.size();
      const float x = operands > 1 ? instruction.operands[1].literal : 0;
      const float y = operands > 2 ? instruction.operands[2].literal : 0;
      // The literals of these operators are no buffers, yet theirs are counted.
      const bool parameters = instruction.op >= ElementOp::kLeakyRelu;
      const float* const b = operands > 1 ? operand(1) : nullptr;
      compute_chunk(instruction.op, a, parameters ? nullptr : b, x, y, to, count);
    }
  }

  ElementProgram program_;
  BroadcastWalk walk_;
  int threads_;
  DType out_type_;
  std::vector<DType> in_types_;
  int64_t row_ = 1, rows_ = 1;
  int64_t rows_per_task_ = 1, row_part_ = 1;
  size_t literals_ = 0;
};

// An ai.onnx element-wise operator as a program.
Result<ElementProgram> program_of(const KernelRequest& request) {
  const size_t inputs = request.inputs.size();
  if (request.domain == "edgewright") {
    return parse_element_program(request.attributes->get_string("program", ""), inputs);
  }
  const auto number = [&](const char* name, float otherwise) {
    return ElementOperand{ElementOperand::Kind::kLiteral, 0,
                          request.attributes->get_float(name, otherwise)};
  };
  const auto input = [](int i) { return ElementOperand{ElementOperand::Kind::kInput, i, 0}; };
  ElementInstruction first{ElementOp::kAdd, {input(0)}};
  ElementProgram program;
  if (request.op == "LeakyRelu") {
    program.instructions = {{ElementOp::kLeakyRelu, {input(0), number("alpha", 0.01f)}}};
  } else if (request.op == "HardSigmoid") {
    program.instructions = {
        {ElementOp::kHardSigmoid, {input(0), number("alpha", 0.2f), number("beta", 0.5f)}}};
  } else if (request.op == "Gelu") {
    const bool tanh = request.attributes->get_string("approximate", "none") == "tanh";
    program.instructions = {{tanh ? ElementOp::kGeluTanh : ElementOp::kGelu, {input(0)}}};
  } else if (request.op == "Clip") {
    for (int i = 1; i < 3; ++i) {
      if (!has_input(request, static_cast<size_t>(i))) continue;
      ElementOperand from = input(0);
      if (!program.instructions.empty()) from.kind = ElementOperand::Kind::kTemporary;
      const ElementOp op = i == 1 ? ElementOp::kMax : ElementOp::kMin;
      program.instructions.push_back({op, {from, input(i)}});
    }
    if (program.instructions.empty()) return unsupported("Clip without bounds");
  } else {
    size_t operands = 0;
    if (!find_element_op(request.op, first.op, operands) || operands != inputs || operands > 2) {
      return unsupported("element-wise {} of {} inputs", request.op, inputs);
    }
    if (operands == 2) first.operands.push_back(input(1));
    program.instructions = {first};
  }
  return program;
}

bool is_blocked(const KernelRequest& request) {
  return request.outputs[0].layout == Layout::kNchw16c;
}

// Blocked operands must broadcast as their blocks do, and padding channels must stay zero.
bool layouts_fit(const KernelRequest& request) {
  if (is_plain(request)) return true;
  const TensorSpec& out = request.outputs[0];
  const auto same = [&](const TensorSpec& spec) {
    if (spec.dtype == DType::kUndefined) return true;
    const bool blocked = spec.layout == Layout::kNchw16c && spec.dims.size() == out.dims.size() &&
                         spec.dims[1] == out.dims[1];
    if (out.layout == Layout::kNchw16c) {
      const auto count = checked_element_count(spec.dims);
      return blocked || (spec.layout == Layout::kPlain && count.ok() && *count == 1);
    }
    return spec.layout == out.layout && spec.dims == out.dims;
  };
  const bool whole = !is_blocked(request) || (out.dims.size() == 4 && out.dims[1] % 16 == 0);
  return whole && std::all_of(request.inputs.begin(), request.inputs.end(), same);
}

// Omitted inputs (of Clip) stand as one value that is never read.
KernelRequest with_all_inputs(const KernelRequest& request) {
  KernelRequest all = request;
  for (TensorSpec& spec : all.inputs) {
    const auto count = checked_element_count(spec.dims);
    if (count.ok() && *count == 1) spec.dims = {};
    if (count.ok() && *count == 1) spec.layout = Layout::kPlain;
  }
  return all;
}

// Bytes only at the edges of our own programs, whose last instruction then makes them.
bool types_fit(const KernelRequest& request) {
  if (request.domain != "edgewright") return is_float32(request);
  const auto fits = [](const TensorSpec& spec) {
    return spec.dtype == DType::kFloat32 || spec.dtype == DType::kUint8 ||
           spec.dtype == DType::kInt8 || spec.dtype == DType::kUndefined;
  };
  return std::all_of(request.inputs.begin(), request.inputs.end(), fits) &&
         std::all_of(request.outputs.begin(), request.outputs.end(), fits);
}

bool supports(const KernelRequest& request) {
  if (!types_fit(request) || request.outputs.size() != 1 || request.inputs.empty() ||
      request.inputs.size() > kMaxInputs) {
    return false;
  }
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    if (!has_input(request, i) && request.op != "Clip") return false;
  }
  const auto count = checked_element_count(request.outputs[0].dims);
  return count.ok() && *count > 0 && layouts_fit(request) && program_of(request).ok() &&
         make_walk(with_all_inputs(request)).ok();
}

Created create(const KernelRequest& request, PackedBytes) {
  EDGEWRIGHT_ASSIGN(ElementProgram program, program_of(request));
  EDGEWRIGHT_ASSIGN(BroadcastWalk walk, make_walk(with_all_inputs(request)));
  return Created(std::make_unique<Elementwise>(std::move(program), std::move(walk), request));
}

constexpr std::string_view kOnnxOps[][2] = {
    {"add_f32_hwy", "Add"},
    {"sub_f32_hwy", "Sub"},
    {"mul_f32_hwy", "Mul"},
    {"div_f32_hwy", "Div"},
    {"max_f32_hwy", "Max"},
    {"min_f32_hwy", "Min"},
    {"pow_f32_hwy", "Pow"},
    {"neg_f32_hwy", "Neg"},
    {"abs_f32_hwy", "Abs"},
    {"sqrt_f32_hwy", "Sqrt"},
    {"reciprocal_f32_hwy", "Reciprocal"},
    {"exp_f32_hwy", "Exp"},
    {"log_f32_hwy", "Log"},
    {"erf_f32_hwy", "Erf"},
    {"tanh_f32_hwy", "Tanh"},
    {"sigmoid_f32_hwy", "Sigmoid"},
    {"floor_f32_hwy", "Floor"},
    {"ceil_f32_hwy", "Ceil"},
    {"round_f32_hwy", "Round"},
    {"relu_f32_hwy", "Relu"},
    {"hard_swish_f32_hwy", "HardSwish"},
    {"gelu_f32_hwy", "Gelu"},
    {"leaky_relu_f32_hwy", "LeakyRelu"},
    {"clip_f32_hwy", "Clip"},
    {"hard_sigmoid_f32_hwy", "HardSigmoid"},
    {"sin_f32_hwy", "Sin"},
    {"cos_f32_hwy", "Cos"},
};

}  // namespace

std::span<const KernelImplementation> elementwise_implementations() {
  static const auto table = [] {
    std::vector<KernelImplementation> rows = {
        elementwise_byte_table(),
        {"elementwise_f32_hwy", "edgewright", "Elementwise", supports, nullptr, create}};
    for (const auto& [name, op] : kOnnxOps)
      rows.push_back({name, "", op, supports, nullptr, create});
    return rows;
  }();
  return table;
}

}  // namespace edgewright
