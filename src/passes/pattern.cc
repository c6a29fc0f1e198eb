#include "passes/pattern.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "passes/rewrite.h"

namespace edgewright {
namespace {

constexpr size_t kUndefined = static_cast<size_t>(-1);

bool is_commutative(const Node& node) {
  static constexpr std::string_view kOperators[] = {"Add",   "Mul", "And", "Or", "Xor",
                                                    "Equal", "Max", "Min", "Sum"};
  return node.domain.empty() && node.inputs.size() == 2 &&
         std::ranges::find(kOperators, node.op) != std::end(kOperators);
}

// Constants are written with about six digits; a half has three.
double relative_tolerance(DType dtype) {
  if (dtype == DType::kFloat16) return 1e-3;
  if (dtype == DType::kBfloat16) return 8e-3;
  return 1e-5;
}

bool is_number(const Value* value, double expected) {
  const auto found = scalar_constant(value);
  return found &&
         std::abs(*found - expected) <= relative_tolerance(dtype_of(value)) * std::abs(expected);
}

// A number written as a tensor of shape [1,1,1] must not give the result a higher rank.
bool keeps_rank(const Node& user, const Value* number) {
  const size_t rank = number->constant->rank();
  return rank == 0 || std::ranges::any_of(user.inputs, [&](const Value* other) {
           return other != number && rank_of(other).value_or(0) >= rank;
         });
}

}  // namespace

Value* Match::operator[](std::string_view name) const {
  const auto it = std::ranges::find(*names_, name);
  EDGEWRIGHT_CHECK(it != names_->end());
  return values_[static_cast<size_t>(it - names_->begin())];
}

Node* Match::node(std::string_view name) const {
  Value* value = (*this)[name];
  if (value == nullptr || std::ranges::find(nodes_, value->producer) == nodes_.end())
    return nullptr;
  return value->producer;
}

// ---- The text form ----

class Pattern::Parser {
 public:
  Parser(Pattern& pattern, std::string_view text) : pattern_(pattern), text_(text) {}

  void parse() {
    while (true) {
      const size_t start = at_;
      const std::string name = word();
      if (name.empty() || !take('=')) {
        at_ = start;
        break;
      }
      const size_t index = name_index(name);
      EDGEWRIGHT_CHECK(pattern_.definitions_[index] == kUndefined);
      pattern_.definitions_[index] = expression();
      expect(';');
    }
    pattern_.root_ = expression();
    skip_space();
    EDGEWRIGHT_CHECK(at_ == text_.size());
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) { EDGEWRIGHT_CHECK(take(c)); }
  std::string word() {
    skip_space();
    const size_t start = at_;
    while (at_ < text_.size()) {
      const bool domain_end = text_.substr(at_, 2) == "::";
      const char c = text_[at_];
      if (!domain_end && !std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.')
        break;
      at_ += domain_end ? 2 : 1;
    }
    return std::string(text_.substr(start, at_ - start));
  }
  size_t name_index(const std::string& name) {
    const auto it = std::ranges::find(pattern_.names_, name);
    if (it != pattern_.names_.end()) return static_cast<size_t>(it - pattern_.names_.begin());
    pattern_.names_.push_back(name);
    pattern_.definitions_.push_back(kUndefined);
    return pattern_.names_.size() - 1;
  }
  size_t add(Expression expression) {
    pattern_.expressions_.push_back(std::move(expression));
    return pattern_.expressions_.size() - 1;
  }

  size_t expression() {
    Expression e;
    if (take('[')) {
      e.kind = Kind::kChoice;
      do e.arguments.push_back(expression());
      while (take('|'));
      expect(']');
      return add(std::move(e));
    }
    if (take('#')) {
      e.kind = Kind::kConstant;
      e.name = name_index(word());
      return add(std::move(e));
    }
    skip_space();
    const bool number = at_ < text_.size() &&
                        (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '-');
    if (number) return add(number_expression());
    e.may_be_shared = take('&');
    const std::string first = word();
    EDGEWRIGHT_CHECK(!first.empty());
    if (first == "_") return add(std::move(e));
    if (is_operator(first)) return node(std::move(e), first);
    e.kind = Kind::kValue;
    e.name = name_index(first);
    e.may_be_omitted = take('?');
    return add(std::move(e));
  }

  Expression number_expression() {
    Expression e;
    e.kind = Kind::kNumber;
    const char* end = text_.data() + text_.size();
    const auto [rest, error] = std::from_chars(text_.data() + at_, end, e.number);
    EDGEWRIGHT_CHECK(error == std::errc());
    at_ = static_cast<size_t>(rest - text_.data());
    return e;
  }

  // Operators begin with a capital, or carry a domain.
  static bool is_operator(std::string_view name) {
    return std::isupper(static_cast<unsigned char>(name.front())) ||
           name.find("::") != std::string_view::npos;
  }
  static Operator to_operator(std::string_view name) {
    const size_t colons = name.find("::");
    if (colons == std::string_view::npos) return {"", std::string(name)};
    return {std::string(name.substr(0, colons)), std::string(name.substr(colons + 2))};
  }

  size_t node(Expression e, const std::string& first) {
    e.kind = Kind::kNode;
    e.operators.push_back(to_operator(first));
    while (take('|')) e.operators.push_back(to_operator(word()));
    e.may_be_missing = take('?');
    if (take(':')) e.output = static_cast<size_t>(text_[at_++] - '0');
    expect('(');
    while (!take(')')) {
      if (take('.')) {
        expect('.');
        expect('.');
        e.more_inputs = true;
      } else {
        e.arguments.push_back(expression());
      }
      take(',');
    }
    return add(std::move(e));
  }

  Pattern& pattern_;
  std::string_view text_;
  size_t at_ = 0;
};

Pattern::Pattern(std::string_view text) { Parser(*this, text).parse(); }

// ---- Matching: depth first over a list of goals, so that every choice is tried with the rest ----

class Pattern::Solver {
 public:
  Solver(const Pattern& pattern, Node& root, Match& match)
      : pattern_(pattern), root_(root), match_(match), bound_(pattern.names_.size(), false) {}

  bool solve() {
    const Expression& root = pattern_.expressions_[pattern_.root_];
    const Goal goal{pattern_.root_, root_.output(root.output), nullptr, nullptr};
    return goal.value != nullptr && solve(&goal);
  }

 private:
  struct Goal {
    size_t expression;
    Value* value;
    const Node* user;  // whose input the value is; null for the root
    const Goal* next;
  };

  const Expression& at(const Goal* goal) const { return pattern_.expressions_[goal->expression]; }

  bool solve(const Goal* goal) {
    if (goal == nullptr) return is_closed();
    const Expression& e = at(goal);
    switch (e.kind) {
      case Kind::kAny: return goal->value != nullptr && solve(goal->next);
      case Kind::kNumber:
        return is_number(goal->value, e.number) && keeps_rank(*goal->user, goal->value) &&
               solve(goal->next);
      case Kind::kConstant:
        return goal->value != nullptr && goal->value->is_constant() && bind(e.name, goal);
      case Kind::kValue: return (goal->value != nullptr || e.may_be_omitted) && bind(e.name, goal);
      case Kind::kChoice:
        return std::ranges::any_of(e.arguments, [&](size_t branch) {
          const Goal chosen{branch, goal->value, goal->user, goal->next};
          return solve(&chosen);
        });
      case Kind::kNode: break;
    }
    if (solve_node(e, goal)) return true;
    if (!e.may_be_missing) return false;
    const Goal argument{e.arguments[0], goal->value, goal->user, goal->next};
    return solve(&argument);
  }

  bool bind(size_t name, const Goal* goal) {
    if (bound_[name]) return match_.values_[name] == goal->value && solve(goal->next);
    bound_[name] = true;
    match_.values_[name] = goal->value;
    const size_t definition = pattern_.definitions_[name];
    const Goal defined{definition, goal->value, goal->user, goal->next};
    if (solve(definition == kUndefined ? goal->next : &defined)) return true;
    bound_[name] = false;
    match_.values_[name] = nullptr;
    return false;
  }

  bool solve_node(const Expression& e, const Goal* goal) {
    Node* node = goal->value == nullptr ? nullptr : goal->value->producer;
    if (node == nullptr || node->graph != root_.graph || goal->value->output_index != e.output) {
      return false;
    }
    const bool right_operator = std::ranges::any_of(
        e.operators, [&](const Operator& o) { return node->is(o.name, o.domain); });
    if (!right_operator || !node->subgraphs.empty()) return false;
    for (size_t i = e.arguments.size(); i < node->inputs.size(); ++i) {
      if (!e.more_inputs && node->inputs[i] != nullptr) return false;
    }
    const bool again = std::ranges::find(match_.nodes_, node) != match_.nodes_.end();
    if (!again) match_.nodes_.push_back(node);
    const bool share = e.may_be_shared && !again;
    if (share) shared_.push_back(node);
    if (push_arguments(e, node, 0, false, goal->next)) return true;
    if (is_commutative(*node) && e.arguments.size() == 2 &&
        push_arguments(e, node, 0, true, goal->next)) {
      return true;
    }
    if (share) shared_.pop_back();
    if (!again) match_.nodes_.pop_back();
    return false;
  }

  // Makes goals of the arguments from `index` on, each on the stack of its own call.
  bool push_arguments(const Expression& e, Node* node, size_t index, bool swapped,
                      const Goal* next) {
    if (index == e.arguments.size()) return solve(next);
    // The first argument is to be tried first, so the goals are linked from the last one.
    const size_t position = e.arguments.size() - 1 - index;
    Value* value = node->input(swapped ? 1 - position : position);
    const Goal goal{e.arguments[position], value, node, next};
    return push_arguments(e, node, index + 1, swapped, &goal);
  }

  // Whether nothing outside looks into the match.
  bool is_closed() const {
    const auto& nodes = match_.nodes_;
    const auto covered = [&](const Use& use) {
      return std::ranges::find(nodes, use.node) != nodes.end();
    };
    return std::ranges::all_of(nodes, [&](const Node* node) {
      if (node == &root_ || std::ranges::find(shared_, node) != shared_.end()) return true;
      return std::ranges::all_of(node->outputs, [&](const Value* output) {
        return output == nullptr ||
               (!output->is_graph_output() && std::ranges::all_of(output->uses, covered));
      });
    });
  }

  const Pattern& pattern_;
  Node& root_;
  Match& match_;
  std::vector<bool> bound_;
  std::vector<Node*> shared_;
};

Match Pattern::match(Node& root) const {
  Match match;
  match.names_ = &names_;
  match.values_.assign(names_.size(), nullptr);
  if (!Solver(*this, root, match).solve()) match.nodes_.clear();
  return match;
}

}  // namespace edgewright
