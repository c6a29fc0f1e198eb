#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace edgewright::chat_template {

enum class NodeKind : uint8_t {
  // Statements. `blocks` are their bodies.
  kText,      // name: what is written
  kOutput,    // children: the expression
  kFor,       // names: loop variables; children: the list, a condition or none; blocks: body, else
  kIf,        // children: conditions; blocks: one for each, and perhaps one more
  kSet,       // names: variables; name: an attribute, or empty; children: the value
  kSetBlock,  // names: the variable; blocks: what it is set to
  kMacro,     // name; names: parameters; children: defaults of the last of them; blocks: body
  kGroup,     // blocks: written as they are
  kBreak,
  kContinue,
  // Expressions. `children` are their operands.
  kLiteral,    // value
  kName,       // name
  kAttribute,  // name
  kIndex,      // of, place
  kSlice,      // of, begin, end, step; kAbsent where not given
  kAbsent,
  kCall,    // called, then arguments
  kFilter,  // name: the filter; of, then arguments
  kTest,    // name: the test; of, then arguments
  kNot,
  kNegative,
  kBinary,     // name: the operator
  kCondition,  // value if true, condition, else or nothing
  kList,
  kDict,  // key, value, key, value ...
};

struct Node {
  NodeKind kind = NodeKind::kText;
  int line = 0, depth = 1;
  std::string name;
  Json value;
  std::vector<std::string> names;  // of arguments too: empty for positional ones
  std::vector<Node> children;
  std::vector<std::vector<Node>> blocks;
};

// The statements of a Jinja template. Text that is no template is bad input, statements that are
// not known are unsupported; both say the line. Nodes are at most kDeepest deep.
Result<std::vector<Node>> parse(std::string_view source);
inline constexpr int kDeepest = 64;

}  // namespace edgewright::chat_template
