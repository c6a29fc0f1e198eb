// Element-wise programs from bytes to bytes as a table of 256 entries: whatever they compute is
// computed when the plan is made, and a run only looks it up.
#include "kernels/elementwise/byte_table.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "kernels/elementwise/chunk.h"

namespace edgewright {
namespace {

constexpr size_t kEntries = 256;
constexpr int64_t kTaskBytes = int64_t{1} << 16;
using Row = std::array<float, kEntries>;

class ByteTable : public PreparedKernel {
 public:
  ByteTable(PackedBytes table, int64_t count)
      : table_(reinterpret_cast<const uint8_t*>(table.data())), count_(count) {}

  void run(const KernelIo& io) const override {
    const int64_t tasks = (count_ + kTaskBytes - 1) / kTaskBytes;
    io.pool->parallel_for(static_cast<size_t>(tasks), [&](size_t index, int) {
      const int64_t first = static_cast<int64_t>(index) * kTaskBytes;
      map_bytes(table_, static_cast<const uint8_t*>(io.inputs[0]) + first,
                static_cast<uint8_t*>(io.outputs[0]) + first,
                static_cast<size_t>(std::min(kTaskBytes, count_ - first)));
    });
  }

 private:
  const uint8_t* table_;
  int64_t count_;
};

bool is_byte(DType dtype) { return dtype == DType::kUint8 || dtype == DType::kInt8; }

// Elements as stored; kUnsupported where input and output are not the same bytes in another tone.
Result<int64_t> check(const KernelRequest& request) {
  if (request.inputs.size() != 1 || request.outputs.size() != 1 ||
      !is_byte(request.inputs[0].dtype) || !is_byte(request.outputs[0].dtype) ||
      request.inputs[0].dims != request.outputs[0].dims ||
      request.inputs[0].layout != request.outputs[0].layout) {
    return unsupported("an element-wise program that is no table of bytes");
  }
  const size_t bytes = stored_size_bytes(request.outputs[0]);
  if (bytes == 0) return unsupported("an element-wise program over nothing");
  return static_cast<int64_t>(bytes);
}

Result<ElementProgram> program_of(const KernelRequest& request) {
  return parse_element_program(request.attributes->get_string("program", ""), 1);
}

bool supports(const KernelRequest& request) {
  return check(request).ok() && program_of(request).ok();
}

// One instruction on all 256 numbers; values[0] is the input, values[n + 1] temporary n.
void compute(const ElementInstruction& instruction, std::span<const Row> values, Row& out) {
  Row literals[2];
  const auto operand = [&](size_t i) -> const float* {
    const ElementOperand& at = instruction.operands[i];
    if (at.kind == ElementOperand::Kind::kInput) return values[0].data();
    if (at.kind == ElementOperand::Kind::kTemporary) {
      return values[static_cast<size_t>(at.index) + 1].data();
    }
    literals[i].fill(at.literal);
    return literals[i].data();
  };
  const size_t operands = instruction.operands.size();
  const float x = operands > 1 ? instruction.operands[1].literal : 0;
  const float y = operands > 2 ? instruction.operands[2].literal : 0;
  const bool two = operands > 1 && instruction.op < ElementOp::kLeakyRelu;
  const float* const a = operand(0);
  compute_chunk(instruction.op, a, two ? operand(1) : nullptr, x, y, out.data(), kEntries);
}

Result<Tensor> pack(const KernelRequest& request) {
  EDGEWRIGHT_ASSIGN(const ElementProgram program, program_of(request));
  std::vector<Row> values(program.instructions.size() + 1);
  std::array<uint8_t, kEntries> bytes;
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  load_bytes(request.inputs[0].dtype, bytes.data(), values[0].data(), kEntries);
  for (size_t n = 0; n < program.instructions.size(); ++n) {
    compute(program.instructions[n], values, values[n + 1]);
  }
  EDGEWRIGHT_ASSIGN(Tensor table, Tensor::allocate(DType::kUint8, {int64_t{kEntries}}));
  store_bytes(request.outputs[0].dtype, values.back().data(), table.mutable_bytes(), kEntries);
  return table;
}

Created create(const KernelRequest& request, PackedBytes packed) {
  EDGEWRIGHT_ASSIGN(const int64_t count, check(request));
  if (packed.size() != kEntries) {
    return bad_input("a table of bytes has {} entries, expected {}", packed.size(), kEntries);
  }
  return Created(std::make_unique<ByteTable>(packed, count));
}

}  // namespace

KernelImplementation elementwise_byte_table() {
  constexpr uint32_t kFirstInput = 1;  // every byte is read before its place is written
  return {"elementwise_byte_table_hwy",
          "edgewright",
          "Elementwise",
          supports,
          pack,
          create,
          kFirstInput};
}

}  // namespace edgewright
