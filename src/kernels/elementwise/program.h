#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace edgewright {

enum class ElementOp : uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMax,
  kMin,
  kPow,
  kNeg,
  kAbs,
  kSqrt,
  kReciprocal,
  kExp,
  kLog,
  kErf,
  kTanh,
  kSigmoid,
  kFloor,
  kCeil,
  kRound,
  kRelu,
  kHardSwish,
  kSilu,
  kGelu,
  kGeluTanh,
  kSin,
  kCos,
  kLeakyRelu,
  kClip,
  kHardSigmoid,
  kDequantize,
  kQuantizeUint8,
  kQuantizeInt8,
};

// Operands: a value that an input or an earlier instruction gives, or a literal.
struct ElementOperand {
  enum class Kind : uint8_t { kInput, kTemporary, kLiteral };
  Kind kind = Kind::kLiteral;
  int index = 0;
  float literal = 0;
};

struct ElementInstruction {
  ElementOp op;
  std::vector<ElementOperand> operands;
};

// The text form "t0=Add(i0,i1);t1=LeakyRelu(t0,0.1)": instruction n defines tn, operands are inputs
// iN, earlier results tN or decimal literals. The last instruction is the result. Operators:
// Add Sub Mul Div Max Min Pow (two operands); Neg Abs Sqrt Reciprocal Exp Log Erf Tanh Sigmoid
// Floor Ceil Round Relu HardSwish Silu Gelu GeluTanh Sin Cos (one); LeakyRelu(x,slope),
// Clip(x,low,high), HardSigmoid(x,slope,offset), and Dequantize, QuantizeUint8 and QuantizeInt8(x,
// scale,zero) with literals after x. An input of bytes counts as numbers from -128 to 255, which is
// what Dequantize reads and the other two make.
struct ElementProgram {
  std::vector<ElementInstruction> instructions;
};

// kUnsupported saying which instruction is not understood.
Result<ElementProgram> parse_element_program(std::string_view text, size_t input_count);
// The operator of that name; operand_count says how many operands it takes.
bool find_element_op(std::string_view name, ElementOp& op, size_t& operand_count);

}  // namespace edgewright
