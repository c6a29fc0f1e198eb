#include "llm/template/parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "llm/template/lexer.h"

namespace edgewright::chat_template {
namespace {

// Binary operators by how tightly they bind, loosest first; "not in" is read as one.
constexpr std::array<std::array<std::string_view, 8>, 6> kLevels = {{
    {"or"},
    {"and"},
    {"==", "!=", "<", ">", "<=", ">=", "in", "not in"},
    {"+", "-"},
    {"~"},
    {"*", "/", "//", "%"},
}};
constexpr size_t kComparison = 2;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<std::vector<Node>> run() { return statements({}); }

 private:
  using Names = std::vector<std::string_view>;

  const Token& now() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take() {
    Token token = now();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool sees(std::string_view text) const {
    return (now().kind == TokenKind::kOperator || now().kind == TokenKind::kName) &&
           now().text == text;
  }
  bool takes(std::string_view text) {
    if (!sees(text)) return false;
    take();
    return true;
  }
  Error found_instead_of(std::string_view expected) const {
    const bool named = !now().text.empty() && now().kind != TokenKind::kText;
    return bad_input("line {}: expected {}, found {}", now().line, expected,
                     named ? "'" + now().text.substr(0, 40) + "'" : "the end of a tag or text");
  }
  Status expect(std::string_view text) {
    if (takes(text)) return {};
    return found_instead_of("'" + std::string(text) + "'");
  }
  Status expect(TokenKind kind, std::string_view what) {
    if (now().kind != kind) return found_instead_of(what);
    take();
    return {};
  }
  Result<std::string> name() {
    if (now().kind != TokenKind::kName) return found_instead_of("a name");
    return take().text;
  }

  Node node(NodeKind kind, std::string name = {}) const {
    Node made;
    made.kind = kind;
    made.line = now().line;
    made.name = std::move(name);
    return made;
  }
  // Chains of operators, attributes or filters are as deep as they are long.
  Status adopt(Node& parent, Node child) const {
    parent.depth = std::max(parent.depth, child.depth + 1);
    if (parent.depth > kDeepest) {
      return bad_input("line {}: more than {} expressions in one another", child.line, kDeepest);
    }
    parent.children.push_back(std::move(child));
    return {};
  }
  // The operand read so far becomes the first child of `parent`.
  Status wrap(Node& operand, Node parent) const {
    EDGEWRIGHT_TRY(adopt(parent, std::move(operand)));
    operand = std::move(parent);
    return {};
  }

  // ---- statements ----

  // Up to a tag that begins with one of `ends`, which is left to be read.
  Result<std::vector<Node>> statements(const Names& ends) {
    std::vector<Node> nodes;
    while (now().kind != TokenKind::kEnd) {
      if (now().kind == TokenKind::kText) {
        nodes.push_back(node(NodeKind::kText, now().text));
        take();
      } else if (now().kind == TokenKind::kOutputBegin) {
        take();
        Node output = node(NodeKind::kOutput);
        EDGEWRIGHT_ASSIGN(Node value, expression());
        EDGEWRIGHT_TRY(adopt(output, std::move(value)));
        EDGEWRIGHT_TRY(expect(TokenKind::kOutputEnd, "'}}'"));
        nodes.push_back(std::move(output));
      } else {
        if (std::ranges::find(ends, next().text) != ends.end()) return nodes;
        EDGEWRIGHT_ASSIGN(Node made, tag());
        nodes.push_back(std::move(made));
      }
    }
    if (!ends.empty()) return bad_input("expected {{% {} %}}, found the end", ends.back());
    return nodes;
  }

  Result<Node> tag() {
    if (level_ >= kDeepest) {
      return bad_input("line {}: more than {} statements in one another", now().line, kDeepest);
    }
    ++level_;
    take();
    const int line = now().line;
    EDGEWRIGHT_ASSIGN(const std::string word, name());
    Result<Node> made = [&]() -> Result<Node> {
      if (word == "for") return for_loop();
      if (word == "if") return branches();
      if (word == "set") return set();
      if (word == "macro") return macro();
      // What transformers marks to learn from; it is written as it is.
      if (word == "generation") return group();
      if (word == "break" || word == "continue") {
        Node jump = node(word == "break" ? NodeKind::kBreak : NodeKind::kContinue);
        EDGEWRIGHT_TRY(end_of_tag());
        return jump;
      }
      return unknown(word);
    }();
    --level_;
    if (made.ok()) made->line = line;
    return made;
  }

  Error unknown(const std::string& word) const {
    constexpr std::string_view kOthers[] = {"call",   "filter", "block", "extends", "include",
                                            "import", "from",   "with",  "raw",     "autoescape",
                                            "do",     "trans",  "debug"};
    if (std::ranges::find(kOthers, word) != std::end(kOthers)) {
      return unsupported("line {}: the statement '{}' is not supported", now().line, word);
    }
    return bad_input("line {}: '{}' is no statement", now().line, word.substr(0, 40));
  }

  Status end_of_tag() { return expect(TokenKind::kTagEnd, "'%}'"); }
  Status end_of_block(std::string_view word) {
    take();
    EDGEWRIGHT_TRY(expect(word));
    return end_of_tag();
  }

  Status block(Node& parent, const Names& ends) {
    EDGEWRIGHT_ASSIGN(auto body, statements(ends));
    parent.blocks.push_back(std::move(body));
    return {};
  }
  Status else_and_end(Node& parent, std::string_view end) {
    if (next().text == "else") {
      EDGEWRIGHT_TRY(end_of_block("else"));
      EDGEWRIGHT_TRY(block(parent, {end}));
    }
    return end_of_block(end);
  }
  // "a, b"
  Status variables(Node& parent) {
    do {
      EDGEWRIGHT_ASSIGN(std::string variable, name());
      parent.names.push_back(std::move(variable));
    } while (takes(","));
    return {};
  }

  Result<Node> for_loop() {
    Node loop = node(NodeKind::kFor);
    EDGEWRIGHT_TRY(variables(loop));
    EDGEWRIGHT_TRY(expect("in"));
    EDGEWRIGHT_ASSIGN(Node list, binary(0));
    EDGEWRIGHT_TRY(adopt(loop, std::move(list)));
    if (takes("if")) {
      EDGEWRIGHT_ASSIGN(Node condition, expression());
      EDGEWRIGHT_TRY(adopt(loop, std::move(condition)));
    }
    EDGEWRIGHT_TRY(end_of_tag());
    EDGEWRIGHT_TRY(block(loop, {"else", "endfor"}));
    EDGEWRIGHT_TRY(else_and_end(loop, "endfor"));
    return loop;
  }

  Result<Node> branches() {
    Node choice = node(NodeKind::kIf);
    bool more = true;
    while (more) {
      EDGEWRIGHT_ASSIGN(Node condition, expression());
      EDGEWRIGHT_TRY(adopt(choice, std::move(condition)));
      EDGEWRIGHT_TRY(end_of_tag());
      EDGEWRIGHT_TRY(block(choice, {"elif", "else", "endif"}));
      more = next().text == "elif";
      if (!more) break;
      take();
      take();
    }
    EDGEWRIGHT_TRY(else_and_end(choice, "endif"));
    return choice;
  }

  Result<Node> set() {
    Node made = node(NodeKind::kSet);
    EDGEWRIGHT_TRY(variables(made));
    if (takes(".")) {
      EDGEWRIGHT_ASSIGN(made.name, name());
    }
    if (now().kind == TokenKind::kTagEnd) {
      made.kind = NodeKind::kSetBlock;
      take();
      EDGEWRIGHT_TRY(block(made, {"endset"}));
      EDGEWRIGHT_TRY(end_of_block("endset"));
      return made;
    }
    EDGEWRIGHT_TRY(expect("="));
    EDGEWRIGHT_ASSIGN(Node value, tuple());
    EDGEWRIGHT_TRY(adopt(made, std::move(value)));
    EDGEWRIGHT_TRY(end_of_tag());
    return made;
  }

  Result<Node> macro() {
    Node made = node(NodeKind::kMacro);
    EDGEWRIGHT_ASSIGN(made.name, name());
    EDGEWRIGHT_TRY(expect("("));
    while (!sees(")")) {
      EDGEWRIGHT_ASSIGN(std::string parameter, name());
      made.names.push_back(std::move(parameter));
      if (takes("=")) {
        EDGEWRIGHT_ASSIGN(Node value, expression());
        EDGEWRIGHT_TRY(adopt(made, std::move(value)));
      } else if (!made.children.empty()) {
        return found_instead_of("a default for every parameter after the first that has one");
      }
      if (!takes(",")) break;
    }
    EDGEWRIGHT_TRY(expect(")"));
    EDGEWRIGHT_TRY(end_of_tag());
    EDGEWRIGHT_TRY(block(made, {"endmacro"}));
    EDGEWRIGHT_TRY(end_of_block("endmacro"));
    return made;
  }

  Result<Node> group() {
    Node made = node(NodeKind::kGroup);
    EDGEWRIGHT_TRY(end_of_tag());
    EDGEWRIGHT_TRY(block(made, {"endgeneration"}));
    EDGEWRIGHT_TRY(end_of_block("endgeneration"));
    return made;
  }

  // ---- expressions ----

  // "a, b" without brackets.
  Result<Node> tuple() {
    EDGEWRIGHT_ASSIGN(Node first, expression());
    if (!sees(",")) return first;
    Node list = node(NodeKind::kList);
    EDGEWRIGHT_TRY(adopt(list, std::move(first)));
    while (takes(",")) {
      EDGEWRIGHT_ASSIGN(Node other, expression());
      EDGEWRIGHT_TRY(adopt(list, std::move(other)));
    }
    return list;
  }

  Result<Node> expression() {
    EDGEWRIGHT_ASSIGN(Node value, binary(0));
    while (takes("if")) {
      Node choice = node(NodeKind::kCondition);
      EDGEWRIGHT_TRY(adopt(choice, std::move(value)));
      EDGEWRIGHT_ASSIGN(Node condition, binary(0));
      EDGEWRIGHT_TRY(adopt(choice, std::move(condition)));
      if (takes("else")) {
        EDGEWRIGHT_ASSIGN(Node otherwise, nested(&Parser::expression));
        EDGEWRIGHT_TRY(adopt(choice, std::move(otherwise)));
      }
      value = std::move(choice);
    }
    return value;
  }

  // The operator of a level that stands here, taken; empty: none.
  std::string operator_of(size_t level) {
    if (level == kComparison && sees("not") && next().is(TokenKind::kName, "in")) {
      take();
      take();
      return "not in";
    }
    for (const std::string_view name : kLevels[level]) {
      if (!name.empty() && sees(name)) return take().text;
    }
    return {};
  }

  Result<Node> binary(size_t level) {
    if (level == kLevels.size()) return unary();
    // "not" stands between "and" and the comparisons.
    if (level == kComparison && sees("not")) return negation();
    EDGEWRIGHT_ASSIGN(Node left, binary(level + 1));
    std::string chained;
    for (std::string name = operator_of(level); !name.empty(); name = operator_of(level)) {
      if (level == kComparison && !chained.empty()) {
        return unsupported("line {}: comparisons in a row are not supported", now().line);
      }
      chained = name;
      Node made = node(NodeKind::kBinary, std::move(name));
      EDGEWRIGHT_TRY(adopt(made, std::move(left)));
      EDGEWRIGHT_ASSIGN(Node right, binary(level + 1));
      EDGEWRIGHT_TRY(adopt(made, std::move(right)));
      left = std::move(made);
    }
    return left;
  }

  Result<Node> nested(Result<Node> (Parser::*read)()) {
    if (level_ >= kDeepest) {
      return bad_input("line {}: more than {} expressions in one another", now().line, kDeepest);
    }
    ++level_;
    Result<Node> made = (this->*read)();
    --level_;
    return made;
  }

  Result<Node> negation() {
    Node made = node(NodeKind::kNot);
    take();
    EDGEWRIGHT_ASSIGN(Node value, nested(&Parser::comparison));
    EDGEWRIGHT_TRY(adopt(made, std::move(value)));
    return made;
  }
  Result<Node> comparison() { return binary(kComparison); }

  // Filters and tests are of the whole: "-x|abs" is that of -x.
  Result<Node> unary() {
    EDGEWRIGHT_ASSIGN(Node value, operand());
    while (true) {
      if (takes("|")) {
        EDGEWRIGHT_ASSIGN(std::string filter, name());
        EDGEWRIGHT_TRY(wrap(value, node(NodeKind::kFilter, std::move(filter))));
        if (sees("(")) EDGEWRIGHT_TRY(arguments(value));
      } else if (takes("is")) {
        EDGEWRIGHT_TRY(test(value));
      } else {
        const size_t before = at_;
        EDGEWRIGHT_TRY(postfix(value));
        if (at_ == before) return value;
      }
    }
  }

  Result<Node> operand() {
    if (sees("-")) {
      Node made = node(NodeKind::kNegative);
      take();
      EDGEWRIGHT_ASSIGN(Node value, nested(&Parser::operand));
      EDGEWRIGHT_TRY(adopt(made, std::move(value)));
      return made;
    }
    if (takes("+")) return nested(&Parser::operand);
    EDGEWRIGHT_ASSIGN(Node value, nested(&Parser::primary));
    EDGEWRIGHT_TRY(postfix(value));
    return value;
  }

  Status postfix(Node& value) {
    while (true) {
      if (takes(".")) {
        Node made = node(NodeKind::kAttribute, now().text);
        if (now().kind != TokenKind::kName) return found_instead_of("an attribute's name");
        take();
        EDGEWRIGHT_TRY(wrap(value, std::move(made)));
      } else if (sees("[")) {
        EDGEWRIGHT_TRY(subscript(value));
      } else if (sees("(")) {
        EDGEWRIGHT_TRY(wrap(value, node(NodeKind::kCall)));
        EDGEWRIGHT_TRY(arguments(value));
      } else {
        return {};
      }
    }
  }

  // "x is divisibleby 3": one argument needs no brackets.
  bool sees_bare_argument() const {
    constexpr std::string_view kOthers[] = {"else", "or", "and", "if", "is", "not", "in"};
    if (now().kind == TokenKind::kString || now().kind == TokenKind::kNumber) return true;
    if (now().kind == TokenKind::kOperator) return sees("[") || sees("{");
    return now().kind == TokenKind::kName &&
           std::ranges::find(kOthers, now().text) == std::end(kOthers);
  }

  Status test(Node& value) {
    const bool negated = takes("not");
    EDGEWRIGHT_ASSIGN(std::string test, name());
    EDGEWRIGHT_TRY(wrap(value, node(NodeKind::kTest, std::move(test))));
    if (sees("(")) {
      EDGEWRIGHT_TRY(arguments(value));
    } else if (sees_bare_argument()) {
      EDGEWRIGHT_ASSIGN(Node argument, nested(&Parser::primary));
      EDGEWRIGHT_TRY(adopt(value, std::move(argument)));
      value.names.emplace_back();
    }
    if (negated) EDGEWRIGHT_TRY(wrap(value, node(NodeKind::kNot)));
    return {};
  }

  Status subscript(Node& value) {
    take();
    Node parts[3];
    size_t given = 0;
    bool slice = false;
    for (;; ++given) {
      parts[given] = node(NodeKind::kAbsent);
      if (!sees(":") && !sees("]")) {
        EDGEWRIGHT_ASSIGN(parts[given], nested(&Parser::expression));
      }
      if (given == 2 || !takes(":")) break;
      slice = true;
    }
    EDGEWRIGHT_TRY(expect("]"));
    if (!slice && parts[0].kind == NodeKind::kAbsent) return found_instead_of("a place");
    EDGEWRIGHT_TRY(wrap(value, node(slice ? NodeKind::kSlice : NodeKind::kIndex)));
    for (size_t i = 0; i < (slice ? 3 : 1); ++i) {
      if (i > given) parts[i] = node(NodeKind::kAbsent);
      EDGEWRIGHT_TRY(adopt(value, std::move(parts[i])));
    }
    return {};
  }

  Status arguments(Node& call) {
    EDGEWRIGHT_TRY(expect("("));
    while (!sees(")")) {
      std::string key;
      if (now().kind == TokenKind::kName && next().is(TokenKind::kOperator, "=")) {
        key = take().text;
        take();
      }
      EDGEWRIGHT_ASSIGN(Node value, nested(&Parser::expression));
      EDGEWRIGHT_TRY(adopt(call, std::move(value)));
      call.names.push_back(std::move(key));
      if (!takes(",")) break;
    }
    return expect(")");
  }

  Result<Node> primary() {
    const Token& token = now();
    if (token.kind == TokenKind::kString) return text();
    if (token.kind == TokenKind::kNumber) return number();
    if (token.kind == TokenKind::kName) return word();
    if (takes("(")) {
      if (takes(")")) return node(NodeKind::kList);
      EDGEWRIGHT_ASSIGN(Node value, tuple());
      EDGEWRIGHT_TRY(expect(")"));
      return value;
    }
    if (takes("[")) return items(NodeKind::kList, "]");
    if (takes("{")) return items(NodeKind::kDict, "}");
    return found_instead_of("an expression");
  }

  Result<Node> items(NodeKind kind, std::string_view end) {
    Node made = node(kind);
    while (!sees(end)) {
      EDGEWRIGHT_ASSIGN(Node item, nested(&Parser::expression));
      EDGEWRIGHT_TRY(adopt(made, std::move(item)));
      if (kind == NodeKind::kDict) {
        EDGEWRIGHT_TRY(expect(":"));
        EDGEWRIGHT_ASSIGN(Node value, nested(&Parser::expression));
        EDGEWRIGHT_TRY(adopt(made, std::move(value)));
      }
      if (!takes(",")) break;
    }
    EDGEWRIGHT_TRY(expect(end));
    return made;
  }

  Result<Node> text() {
    Node made = node(NodeKind::kLiteral);
    std::string all;
    // Texts side by side are one.
    while (now().kind == TokenKind::kString) all += take().text;
    made.value = std::move(all);
    return made;
  }

  Result<Node> number() {
    Node made = node(NodeKind::kLiteral);
    const std::string text = take().text;
    const char* end = text.data() + text.size();
    if (text.find('.') != std::string::npos) {
      double value = 0;
      std::from_chars(text.data(), end, value);
      made.value = value;
      return made;
    }
    int64_t value = 0;
    const auto [stop, code] = std::from_chars(text.data(), end, value);
    if (code != std::errc() || stop != end) {
      return bad_input("line {}: {} is too large a number", made.line, text.substr(0, 40));
    }
    made.value = value;
    return made;
  }

  Result<Node> word() {
    const std::string text = take().text;
    Node made = node(NodeKind::kLiteral);
    if (text == "true" || text == "True") {
      made.value = true;
    } else if (text == "false" || text == "False") {
      made.value = false;
    } else if (text != "none" && text != "None") {
      made.kind = NodeKind::kName;
      made.name = text;
    }
    return made;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int level_ = 0;
};

}  // namespace

Result<std::vector<Node>> parse(std::string_view source) {
  EDGEWRIGHT_ASSIGN(std::vector<Token> tokens, tokens_of(source));
  return Parser(std::move(tokens)).run();
}

}  // namespace edgewright::chat_template
