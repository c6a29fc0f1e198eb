#include "llm/template/template.h"

#include <algorithm>
#include <map>

#include "llm/template/operations.h"
#include "llm/template/parser.h"

namespace edgewright {
namespace chat_template {
namespace {

// More than any conversation takes; a hostile template ends here.
constexpr size_t kMostSource = size_t{1} << 20;
constexpr int64_t kMostSteps = 1'000'000, kStepsOfATurn = 8;
// Bytes of all values made on the way: so many, and so many times what the conversation takes, of
// which long ones are read again at each turn.
constexpr size_t kMostBytes = size_t{256} << 20, kMostReadings = 4000;
constexpr int kDeepestValue = 24, kDeepestCall = 8;
constexpr int64_t kLongestRange = 100'000;

// Bytes that a value takes, roughly; `deepest`: lists in lists.
size_t weight_of(const Json& value, int depth, int& deepest) {
  deepest = std::max(deepest, depth);
  if (value.is_string()) return 16 + value.get_ref<const std::string&>().size();
  size_t weight = 16;
  if (depth > kDeepestValue) return weight;
  if (value.is_array()) {
    for (const Json& item : value) weight += weight_of(item, depth + 1, deepest);
  }
  if (!value.is_object()) return weight;
  for (const auto& [key, item] : value.items()) {
    weight += key.size() + weight_of(item, depth + 1, deepest);
  }
  return weight;
}

class Renderer {
 public:
  explicit Renderer(const Json& variables) : scopes_(1) {
    int deepest = 0;
    most_bytes_ = kMostBytes + kMostReadings * weight_of(variables, 0, deepest);
    for (const auto& [name, value] : variables.items()) scopes_[0][name] = value;
  }

  Result<std::string> run(const std::vector<Node>& nodes) {
    EDGEWRIGHT_TRY(write(nodes));
    return std::move(out_);
  }

 private:
  enum class Flow : uint8_t { kOn, kBreak, kContinue };
  using Scope = std::map<std::string, Json, std::less<>>;

  Status step(const Node& node, int64_t steps = 1) {
    steps_ += steps;
    if (steps_ <= kMostSteps) return {};
    return bad_input("line {}: the template does not end after {} steps", node.line, kMostSteps);
  }
  Status admit(const Node& node, const Json& value) {
    int deepest = 0;
    bytes_ += weight_of(value, 0, deepest);
    if (bytes_ > most_bytes_ || deepest > kDeepestValue) {
      return bad_input("line {}: values grow without end", node.line);
    }
    return {};
  }
  static Error at_line(const Node& node, Error error) {
    return std::move(error).at("line " + std::to_string(node.line));
  }

  Json* find(std::string_view name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      const auto found = scope->find(name);
      if (found != scope->end()) return &found->second;
    }
    return nullptr;
  }

  // ---- statements ----

  Result<Flow> write(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) {
      EDGEWRIGHT_TRY(step(node));
      EDGEWRIGHT_ASSIGN(const Flow flow, write(node));
      if (flow != Flow::kOn) return flow;
      if (out_.size() > kMostBytes) return bad_input("the template writes without end");
    }
    return Flow::kOn;
  }

  Result<Flow> write(const Node& node) {
    switch (node.kind) {
      case NodeKind::kText: out_ += node.name; break;
      case NodeKind::kOutput: {
        EDGEWRIGHT_ASSIGN(const Json value, value_of(node.children[0]));
        out_ += text_of(value);
        break;
      }
      case NodeKind::kFor: return write_loop(node);
      case NodeKind::kIf: return write_choice(node);
      case NodeKind::kGroup: return write(node.blocks[0]);
      case NodeKind::kSet: EDGEWRIGHT_TRY(set(node)); break;
      case NodeKind::kSetBlock: {
        EDGEWRIGHT_ASSIGN(std::string text, written(node.blocks[0]));
        EDGEWRIGHT_TRY(assign(node, node.names[0], Json(std::move(text))));
        break;
      }
      case NodeKind::kMacro: macros_[node.name] = &node; break;
      case NodeKind::kBreak: return Flow::kBreak;
      case NodeKind::kContinue: return Flow::kContinue;
      default: break;
    }
    return Flow::kOn;
  }

  // What a body writes, kept apart.
  Result<std::string> written(const std::vector<Node>& body) {
    std::string outer;
    outer.swap(out_);
    auto flow = write(body);
    outer.swap(out_);
    if (!flow.ok()) return std::move(flow).error();
    return outer;
  }

  Result<Flow> write_choice(const Node& node) {
    for (size_t i = 0; i < node.children.size(); ++i) {
      EDGEWRIGHT_ASSIGN(const Json holds, value_of(node.children[i]));
      if (is_true(holds)) return write(node.blocks[i]);
    }
    if (node.blocks.size() > node.children.size()) return write(node.blocks.back());
    return Flow::kOn;
  }

  Status bind(const Node& node, const Json& item) {
    const std::vector<std::string>& names = node.names;
    if (names.size() == 1) {
      scopes_.back()[names[0]] = item;
      return {};
    }
    if (!item.is_array() || item.size() != names.size()) {
      return bad_input("line {}: expected {} values to take apart", node.line, names.size());
    }
    for (size_t i = 0; i < names.size(); ++i) scopes_.back()[names[i]] = item[i];
    return {};
  }

  // The items for which a loop's condition holds.
  Result<std::vector<Json>> loop_items(const Node& node) {
    EDGEWRIGHT_ASSIGN(const Json list, value_of(node.children[0]));
    auto items = items_of(list);
    if (!items.ok()) return at_line(node, std::move(items).error());
    if (node.children.size() < 2) return items;
    std::vector<Json> kept;
    for (Json& item : *items) {
      EDGEWRIGHT_TRY(bind(node, item));
      EDGEWRIGHT_ASSIGN(const Json holds, value_of(node.children[1]));
      if (is_true(holds)) kept.push_back(std::move(item));
    }
    return kept;
  }

  static Json loop_variable(const std::vector<Json>& items, size_t i) {
    const size_t count = items.size();
    return {{"index", i + 1},
            {"index0", i},
            {"revindex", count - i},
            {"revindex0", count - i - 1},
            {"first", i == 0},
            {"last", i + 1 == count},
            {"length", count},
            {"previtem", i > 0 ? items[i - 1] : undefined()},
            {"nextitem", i + 1 < count ? items[i + 1] : undefined()}};
  }

  Result<Flow> write_loop(const Node& node) {
    scopes_.emplace_back();
    auto flow = write_items(node);
    scopes_.pop_back();
    return flow;
  }
  Result<Flow> write_items(const Node& node) {
    EDGEWRIGHT_ASSIGN(const std::vector<Json> items, loop_items(node));
    for (size_t i = 0; i < items.size(); ++i) {
      EDGEWRIGHT_TRY(step(node, kStepsOfATurn));
      // Every turn begins without what the one before set.
      scopes_.back().clear();
      scopes_.back()["loop"] = loop_variable(items, i);
      EDGEWRIGHT_TRY(bind(node, items[i]));
      EDGEWRIGHT_ASSIGN(const Flow flow, write(node.blocks[0]));
      if (flow == Flow::kBreak) return Flow::kOn;
    }
    if (items.empty() && node.blocks.size() > 1) {
      scopes_.back().clear();
      return write(node.blocks[1]);
    }
    return Flow::kOn;
  }

  Status set(const Node& node) {
    EDGEWRIGHT_ASSIGN(Json value, value_of(node.children[0]));
    if (node.names.size() == 1) return assign(node, node.names[0], std::move(value));
    return bind(node, value);
  }
  // Of an attribute ("set ns.found = true"): that of the variable that is seen from here.
  Status assign(const Node& node, const std::string& name, Json value) {
    if (node.name.empty()) {
      scopes_.back()[name] = std::move(value);
      return {};
    }
    Json* object = find(name);
    if (object == nullptr || !object->is_object()) {
      return bad_input("line {}: '{}' is no namespace", node.line, name);
    }
    (*object)[node.name] = std::move(value);
    return {};
  }

  // ---- expressions ----

  // Where the value of names and attributes is kept; nullptr: it has to be made.
  const Json* place_of(const Node& node) {
    if (node.kind == NodeKind::kName) return find(node.name);
    if (node.kind != NodeKind::kAttribute) return nullptr;
    const Json* whole = place_of(node.children[0]);
    if (whole == nullptr || !whole->is_object()) return nullptr;
    const auto found = whole->find(node.name);
    return found == whole->end() ? nullptr : &*found;
  }

  Result<Json> value_of(const Node& node) {
    EDGEWRIGHT_TRY(step(node));
    Result<Json> value = make_value(node);
    if (!value.ok()) {
      const bool placed =
          value.error().message.starts_with("line ") || value.error().kind == ErrorKind::kUsage;
      if (placed) return value;
      return at_line(node, std::move(value).error());
    }
    EDGEWRIGHT_TRY(admit(node, *value));
    return value;
  }

  Result<Json> make_value(const Node& node) {
    const std::vector<Node>& children = node.children;
    switch (node.kind) {
      case NodeKind::kLiteral: return node.value;
      case NodeKind::kName:
      case NodeKind::kAttribute: return named_value(node);
      case NodeKind::kIndex: {
        EDGEWRIGHT_ASSIGN(const Json whole, value_of(children[0]));
        EDGEWRIGHT_ASSIGN(const Json place, value_of(children[1]));
        return part_of(whole, place);
      }
      case NodeKind::kSlice: return slice(node);
      case NodeKind::kCall: return call(node);
      case NodeKind::kFilter:
      case NodeKind::kTest: {
        EDGEWRIGHT_ASSIGN(const Json subject, value_of(children[0]));
        EDGEWRIGHT_ASSIGN(const Arguments arguments, arguments_of(node));
        return node.kind == NodeKind::kFilter ? apply_filter(node.name, subject, arguments)
                                              : apply_test(node.name, subject, arguments);
      }
      case NodeKind::kNot: {
        EDGEWRIGHT_ASSIGN(const Json value, value_of(children[0]));
        return Json(!is_true(value));
      }
      case NodeKind::kNegative: {
        EDGEWRIGHT_ASSIGN(const Json value, value_of(children[0]));
        return apply_operator("-", Json(0), value);
      }
      case NodeKind::kBinary: return binary(node);
      case NodeKind::kCondition: {
        EDGEWRIGHT_ASSIGN(const Json holds, value_of(children[1]));
        if (is_true(holds)) return value_of(children[0]);
        if (children.size() < 3) return undefined();
        return value_of(children[2]);
      }
      case NodeKind::kList:
      case NodeKind::kDict: return structure(node);
      default: return undefined();
    }
  }

  static Result<Json> part_of(const Json& whole, const Json& place) {
    if (!whole.is_discarded()) return item_of(whole, place);
    return bad_input("'{}' of what is not defined", text_of(place));
  }

  Result<Json> named_value(const Node& node) {
    if (const Json* place = place_of(node)) return *place;
    if (node.kind == NodeKind::kName) return undefined();
    EDGEWRIGHT_ASSIGN(const Json whole, value_of(node.children[0]));
    return part_of(whole, Json(node.name));
  }

  Result<Json> slice(const Node& node) {
    Json parts[4];
    for (size_t i = 0; i < 4; ++i) {
      EDGEWRIGHT_ASSIGN(parts[i], value_of(node.children[i]));
    }
    return slice_of(parts[0], parts[1], parts[2], parts[3]);
  }

  Result<Json> binary(const Node& node) {
    EDGEWRIGHT_ASSIGN(Json left, value_of(node.children[0]));
    // The operand that decides is the value, as in Python.
    if (node.name == "and" && !is_true(left)) return left;
    if (node.name == "or" && is_true(left)) return left;
    EDGEWRIGHT_ASSIGN(Json right, value_of(node.children[1]));
    if (node.name == "and" || node.name == "or") return right;
    return apply_operator(node.name, left, right);
  }

  Result<Json> structure(const Node& node) {
    Json made = node.kind == NodeKind::kList ? Json::array() : Json::object();
    for (size_t i = 0; i < node.children.size(); ++i) {
      EDGEWRIGHT_ASSIGN(Json item, value_of(node.children[i]));
      if (node.kind == NodeKind::kList) {
        made.push_back(std::move(item));
        continue;
      }
      EDGEWRIGHT_ASSIGN(Json value, value_of(node.children[++i]));
      made[text_of(item)] = std::move(value);
    }
    return made;
  }

  Result<Arguments> arguments_of(const Node& node) {
    Arguments made;
    for (size_t i = 1; i < node.children.size(); ++i) {
      EDGEWRIGHT_ASSIGN(Json value, value_of(node.children[i]));
      const std::string& name = node.names[i - 1];
      if (name.empty()) {
        made.positional.push_back(std::move(value));
      } else {
        made.named.emplace_back(name, std::move(value));
      }
    }
    return made;
  }

  Result<Json> call(const Node& node) {
    const Node& called = node.children[0];
    EDGEWRIGHT_ASSIGN(const Arguments arguments, arguments_of(node));
    if (called.kind == NodeKind::kAttribute) {
      EDGEWRIGHT_ASSIGN(const Json object, value_of(called.children[0]));
      return apply_method(called.name, object, arguments);
    }
    if (called.kind != NodeKind::kName) return bad_input("what is called has no name");
    if (const auto macro = macros_.find(called.name); macro != macros_.end()) {
      return call_macro(*macro->second, arguments);
    }
    if (called.name == "raise_exception") {
      const Json* message = arguments.find(0, "message");
      return usage_error("the model's chat template says: {}",
                         message == nullptr ? "" : text_of(*message));
    }
    if (called.name == "namespace" || called.name == "dict") {
      Json made = Json::object();
      for (const auto& [name, value] : arguments.named) made[name] = value;
      return made;
    }
    if (called.name == "range") return range(arguments);
    return unsupported("the function '{}' is not supported", called.name);
  }

  static Result<Json> range(const Arguments& arguments) {
    int64_t numbers[3] = {0, 0, 1};
    const size_t given = arguments.positional.size();
    for (size_t i = 0; i < std::min<size_t>(given, 3); ++i) {
      const Json& value = arguments.positional[i];
      if (!value.is_number_integer()) return bad_input("range wants whole numbers");
      numbers[given == 1 ? 1 : i] =
          std::clamp<int64_t>(value.get<int64_t>(), -kLongestRange, kLongestRange);
    }
    const auto [begin, end, stride] = numbers;
    if (given == 0 || stride == 0) return bad_input("range wants an end, and a step that is not 0");
    Json made = Json::array();
    for (int64_t i = begin; stride > 0 ? i < end : i > end; i += stride) made.push_back(i);
    return made;
  }

  // A macro sees its parameters and what the template has set outside of loops.
  Result<Json> call_macro(const Node& macro, const Arguments& arguments) {
    if (calls_ >= kDeepestCall) return bad_input("macros call each other without end");
    Scope scope;
    const size_t count = macro.names.size(), first_default = count - macro.children.size();
    for (size_t i = 0; i < count; ++i) {
      const Json* given = arguments.find(i, macro.names[i]);
      Json& value = scope[macro.names[i]] = given == nullptr ? undefined() : *given;
      if (given != nullptr || i < first_default) continue;
      EDGEWRIGHT_ASSIGN(value, value_of(macro.children[i - first_default]));
    }
    std::vector<Scope> inner(scopes_.begin() + 1, scopes_.end());
    scopes_.resize(1);
    scopes_.push_back(std::move(scope));
    ++calls_;
    auto text = written(macro.blocks[0]);
    --calls_;
    scopes_.resize(1);
    scopes_.insert(scopes_.end(), inner.begin(), inner.end());
    if (!text.ok()) return std::move(text).error();
    return Json(*std::move(text));
  }

  std::vector<Scope> scopes_;  // the template's own first
  std::map<std::string, const Node*, std::less<>> macros_;
  std::string out_;
  int64_t steps_ = 0;
  size_t bytes_ = 0, most_bytes_ = 0;
  int calls_ = 0;
};

}  // namespace
}  // namespace chat_template

Result<std::string> render_template(std::string_view source, const Json& variables) {
  const auto run = [&]() -> Result<std::string> {
    if (source.size() > chat_template::kMostSource) return bad_input("more than a million bytes");
    EDGEWRIGHT_ASSIGN(const std::vector<chat_template::Node> nodes, chat_template::parse(source));
    return chat_template::Renderer(variables).run(nodes);
  };
  Result<std::string> text = run();
  if (text.ok() || text.error().kind == ErrorKind::kUsage) return text;
  return std::move(text).error().at("chat template");
}

}  // namespace edgewright
