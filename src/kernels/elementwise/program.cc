#include "kernels/elementwise/program.h"

#include <charconv>

namespace edgewright {
namespace {

struct OpRow {
  std::string_view name;
  ElementOp op;
  size_t operands;
};
constexpr OpRow kOps[] = {
    {"Add", ElementOp::kAdd, 2},
    {"Sub", ElementOp::kSub, 2},
    {"Mul", ElementOp::kMul, 2},
    {"Div", ElementOp::kDiv, 2},
    {"Max", ElementOp::kMax, 2},
    {"Min", ElementOp::kMin, 2},
    {"Pow", ElementOp::kPow, 2},
    {"Neg", ElementOp::kNeg, 1},
    {"Abs", ElementOp::kAbs, 1},
    {"Sqrt", ElementOp::kSqrt, 1},
    {"Reciprocal", ElementOp::kReciprocal, 1},
    {"Exp", ElementOp::kExp, 1},
    {"Log", ElementOp::kLog, 1},
    {"Erf", ElementOp::kErf, 1},
    {"Tanh", ElementOp::kTanh, 1},
    {"Sigmoid", ElementOp::kSigmoid, 1},
    {"Floor", ElementOp::kFloor, 1},
    {"Ceil", ElementOp::kCeil, 1},
    {"Round", ElementOp::kRound, 1},
    {"Relu", ElementOp::kRelu, 1},
    {"HardSwish", ElementOp::kHardSwish, 1},
    {"Silu", ElementOp::kSilu, 1},
    {"Gelu", ElementOp::kGelu, 1},
    {"GeluTanh", ElementOp::kGeluTanh, 1},
    {"Sin", ElementOp::kSin, 1},
    {"Cos", ElementOp::kCos, 1},
    {"LeakyRelu", ElementOp::kLeakyRelu, 2},
    {"Clip", ElementOp::kClip, 3},
    {"HardSigmoid", ElementOp::kHardSigmoid, 3},
    {"Dequantize", ElementOp::kDequantize, 3},
    {"QuantizeUint8", ElementOp::kQuantizeUint8, 3},
    {"QuantizeInt8", ElementOp::kQuantizeInt8, 3},
};

bool wants_literals(ElementOp op) { return op >= ElementOp::kLeakyRelu; }

// Takes the text before the delimiter off the front; false when the delimiter is not there.
bool take_until(std::string_view& rest, char delimiter, std::string_view& token) {
  const size_t at = rest.find(delimiter);
  if (at == std::string_view::npos) return false;
  token = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return true;
}

bool parse_index(std::string_view text, size_t limit, int& index) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  return error == std::errc() && end == text.data() + text.size() && index >= 0 &&
         static_cast<size_t>(index) < limit;
}

bool parse_operand(std::string_view text, size_t inputs, size_t temporaries, ElementOperand& out) {
  if (text.empty()) return false;
  // "inf" is a literal although it begins as an input does.
  if (text[0] == 'i' && text != "inf") {
    out.kind = ElementOperand::Kind::kInput;
    return parse_index(text.substr(1), inputs, out.index);
  }
  if (text[0] == 't') {
    out.kind = ElementOperand::Kind::kTemporary;
    return parse_index(text.substr(1), temporaries, out.index);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.literal);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_instruction(std::string_view text, size_t inputs, ElementProgram& program) {
  const size_t number = program.instructions.size();
  std::string_view target, name, operand;
  int index = 0;
  if (!take_until(text, '=', target) || target.empty() || target[0] != 't' ||
      !parse_index(target.substr(1), number + 1, index) || static_cast<size_t>(index) != number ||
      !take_until(text, '(', name) || text.empty() || text.back() != ')') {
    return false;
  }
  text.remove_suffix(1);
  ElementInstruction instruction{};
  size_t wanted = 0;
  if (!find_element_op(name, instruction.op, wanted)) return false;
  for (bool more = true; more;) {
    more = take_until(text, ',', operand);
    if (!more) operand = text;
    ElementOperand parsed;
    if (!parse_operand(operand, inputs, number, parsed)) return false;
    const bool later = !instruction.operands.empty();
    if (later && wants_literals(instruction.op) && parsed.kind != ElementOperand::Kind::kLiteral) {
      return false;
    }
    instruction.operands.push_back(parsed);
    if (instruction.operands.size() > wanted) return false;
  }
  if (instruction.operands.size() != wanted) return false;
  program.instructions.push_back(std::move(instruction));
  return true;
}

}  // namespace

bool find_element_op(std::string_view name, ElementOp& op, size_t& operand_count) {
  for (const OpRow& row : kOps) {
    if (row.name != name) continue;
    op = row.op;
    operand_count = row.operands;
    return true;
  }
  return false;
}

Result<ElementProgram> parse_element_program(std::string_view text, size_t input_count) {
  // Each instruction owns a buffer of the size of a chunk.
  constexpr size_t kMaxInstructions = 64;
  ElementProgram program;
  while (!text.empty()) {
    std::string_view instruction = text;
    if (!take_until(text, ';', instruction)) text = {};
    if (instruction.empty()) continue;
    if (program.instructions.size() == kMaxInstructions) {
      return unsupported("an element-wise program has more than {} instructions", kMaxInstructions);
    }
    if (!parse_instruction(instruction, input_count, program)) {
      return unsupported("element-wise instruction \"{}\" is not understood", instruction);
    }
  }
  if (program.instructions.empty()) return unsupported("an element-wise program is empty");
  return program;
}

}  // namespace edgewright
