#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// The domain of the fused operators of the ort dialect.
inline constexpr const char* kMicrosoft = "com.microsoft";

// What a pattern found: the values behind its names and the nodes that it covers.
class Match {
 public:
  bool found() const { return !nodes_.empty(); }
  explicit operator bool() const { return found(); }
  // The value that a name stands for; null for an omitted input. The name must be in the pattern.
  Value* operator[](std::string_view name) const;
  // The node that makes the value of a name that the pattern defines; null when a choice passed by
  // it.
  Node* node(std::string_view name) const;
  // Every node of the pattern, the root first.
  const std::vector<Node*>& nodes() const { return nodes_; }

 private:
  friend class Pattern;
  const std::vector<std::string>* names_ = nullptr;
  std::vector<Value*> values_;
  std::vector<Node*> nodes_;
};

// A piece of a graph as text: definitions, then the expression of the root, whose output 0 is the
// value that a rewrite replaces. For instance the GELU of Hendrycks and Gimpel:
//
//   h = [Div(x, 1.4142136) | Mul(x, 0.70710678)]; Mul(Mul(x, 0.5), Add(Erf(h), 1))
//
//   x             any value; the same name means the same value everywhere
//   x = EXPR;     gives an expression a name, under which the match offers its value and its node
//   x?            an input that may be omitted; inputs beyond those written must be omitted
//   #c            a constant
//   0.5           a constant of one element with this value, up to the rounding of its type
//   _             any value that nobody asks for
//   Op(a, b)      output 0 of a node of ai.onnx; com.microsoft::Op(a, b) of another domain
//   A|B(a)        one of two operators
//   Op?(a)        the node, or a itself where it is missing
//   Op(a, ...)    any further inputs
//   Op:1(a)       output 1 of the node
//   &Op(a)        the node may have uses outside the pattern (it then stays in the graph)
//   [E | F]       the first of these expressions that fits
//
// Add, Mul and the other commutative operators match with their two inputs in either order; every
// combination is tried. A node of the pattern other than the root lies in the root's graph, has no
// uses outside the pattern and gives no graph output, unless it is marked with &.
class Pattern {
 public:
  // A malformed text is a defect of the program.
  explicit Pattern(std::string_view text);
  // Matches with `root` as the outermost node.
  Match match(Node& root) const;

 private:
  enum class Kind : uint8_t { kValue, kAny, kConstant, kNumber, kNode, kChoice };
  struct Operator {
    std::string domain, name;
  };
  struct Expression {
    Kind kind = Kind::kAny;
    size_t name = 0;              // of a value or constant
    bool may_be_omitted = false;  // x?
    double number = 0;
    std::vector<Operator> operators;
    bool may_be_missing = false;  // Op?
    bool may_be_shared = false;   // &Op
    bool more_inputs = false;     // ...
    size_t output = 0;
    std::vector<size_t> arguments;  // of a node, or the branches of a choice
  };
  class Parser;
  class Solver;

  std::vector<Expression> expressions_;
  std::vector<std::string> names_;
  std::vector<size_t> definitions_;  // by name; kUndefined where the name is free
  size_t root_ = 0;
};

}  // namespace edgewright
