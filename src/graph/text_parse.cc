#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "graph/text.h"
#include "graph/text_scanner.h"
#include "tensor/element.h"

namespace edgewright {
namespace {

// Nested subgraphs beyond this are refused, so that hostile text cannot exhaust the stack.
constexpr int kMaxDepth = 64;

class Parser {
 public:
  explicit Parser(std::string_view text) : scan_(text) {}

  Result<Model> model() {
    Model model;
    if (scan_.accept_word("model")) EDGEWRIGHT_TRY(model_line(model));
    EDGEWRIGHT_TRY(graph(*model.graph, 0));
    if (!scan_.at_end()) return scan_.error("the end of the text");
    return model;
  }

 private:
  using Scope = std::map<std::string, Value*, std::less<>>;

  Status model_line(Model& model) {
    EDGEWRIGHT_TRY(scan_.expect("{"));
    do {
      EDGEWRIGHT_ASSIGN(const std::string key, scan_.symbol());
      const bool keyed = key == "domain" || key == "metadata";
      std::string sub;
      if (keyed) {
        EDGEWRIGHT_ASSIGN(sub, scan_.string());
      }
      EDGEWRIGHT_TRY(scan_.expect("="));
      if (key == "ir_version" || key == "opset" || key == "domain") {
        EDGEWRIGHT_ASSIGN(const int64_t number, scan_.integer());
        int& field = key == "ir_version" ? model.ir_version
                     : key == "opset"    ? model.source_opset
                                         : model.domain_versions[sub];
        field = static_cast<int>(number);
        continue;
      }
      EDGEWRIGHT_ASSIGN(std::string text, scan_.string());
      if (key == "producer_name")
        model.producer_name = std::move(text);
      else if (key == "producer_version")
        model.producer_version = std::move(text);
      else if (key == "documentation")
        model.documentation = std::move(text);
      else if (key == "metadata")
        model.metadata[sub] = std::move(text);
      else
        return scan_.error("a field of a model");
    } while (scan_.accept(","));
    return scan_.expect("}");
  }

  Status graph(Graph& graph, int depth) {
    if (depth > kMaxDepth) return scan_.error("at most 64 nested subgraphs");
    if (!scan_.accept_word("graph")) return scan_.error("'graph'");
    EDGEWRIGHT_ASSIGN(graph.name, scan_.value_name());
    scopes_.emplace_back();
    EDGEWRIGHT_TRY(scan_.expect("("));
    while (!scan_.accept(")")) {
      EDGEWRIGHT_TRY(graph_input(graph));
      if (!scan_.accept(",")) {
        EDGEWRIGHT_TRY(scan_.expect(")"));
        break;
      }
    }
    EDGEWRIGHT_TRY(scan_.expect("->"));
    EDGEWRIGHT_ASSIGN(const auto outputs, name_list());
    EDGEWRIGHT_TRY(scan_.expect("{"));
    while (!scan_.accept("}")) EDGEWRIGHT_TRY(statement(graph, depth));
    for (const std::string& name : outputs) {
      const auto it = scopes_.back().find(name);
      if (it == scopes_.back().end()) return scan_.error("outputs made in the graph: %" + name);
      graph.add_output(it->second);
    }
    scopes_.pop_back();
    return {};
  }

  Status graph_input(Graph& graph) {
    EDGEWRIGHT_ASSIGN(const std::string name, scan_.value_name());
    EDGEWRIGHT_TRY(scan_.expect(":"));
    EDGEWRIGHT_ASSIGN(const ValueType type, scan_.type());
    EDGEWRIGHT_TRY(check_new(name));
    Value* value = graph.add_input(name, type);
    scopes_.back()[name] = value;
    if (scan_.accept("=")) {
      EDGEWRIGHT_ASSIGN(value->constant, scan_.tensor_elements(type));
    }
    return {};
  }

  // Names in parentheses; with `values` they are looked up at once, so that errors say where.
  Result<std::vector<std::string>> name_list(std::vector<Value*>* values = nullptr) {
    std::vector<std::string> names;
    EDGEWRIGHT_TRY(scan_.expect("("));
    while (!scan_.accept(")")) {
      Value* value = nullptr;
      std::string name;
      if (!scan_.accept_word("_")) {
        EDGEWRIGHT_ASSIGN(name, scan_.value_name());
        if (values != nullptr) {
          EDGEWRIGHT_ASSIGN(value, find(name));
        }
      }
      names.push_back(std::move(name));
      if (values != nullptr) values->push_back(value);
      if (!scan_.accept(",")) {
        EDGEWRIGHT_TRY(scan_.expect(")"));
        break;
      }
    }
    return names;
  }

  Status check_new(const std::string& name) {
    for (const Scope& scope : scopes_) {
      if (scope.contains(name)) return scan_.error_before("a name not taken yet");
    }
    return name.empty() ? Status(scan_.error("a name")) : Status();
  }

  Result<Value*> find(const std::string& name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const auto it = scope->find(name); it != scope->end()) return it->second;
    }
    return scan_.error_before("a value made before this");
  }

  // A constant, or a node with its outputs in front.
  Status statement(Graph& graph, int depth) {
    std::vector<std::pair<std::string, ValueType>> outputs;
    while (!scan_.accept("=")) {
      std::pair<std::string, ValueType> output;
      if (!scan_.accept_word("_")) {
        EDGEWRIGHT_ASSIGN(output.first, scan_.value_name());
        EDGEWRIGHT_TRY(check_new(output.first));
        EDGEWRIGHT_TRY(scan_.expect(":"));
        EDGEWRIGHT_ASSIGN(output.second, scan_.type());
      }
      outputs.push_back(std::move(output));
      if (scan_.accept(",")) continue;
      EDGEWRIGHT_TRY(scan_.expect("="));
      break;
    }
    if (outputs.size() == 1 && scan_.at_tensor_elements()) {
      EDGEWRIGHT_ASSIGN(Tensor tensor, scan_.tensor_elements(outputs[0].second));
      scopes_.back()[outputs[0].first] = graph.add_constant(outputs[0].first, std::move(tensor));
      return {};
    }
    return node(graph, depth, outputs);
  }

  Status node(Graph& graph, int depth,
              const std::vector<std::pair<std::string, ValueType>>& outputs) {
    EDGEWRIGHT_ASSIGN(std::string op, scan_.symbol());
    std::string domain, overload;
    if (scan_.accept("::")) {
      domain = std::move(op);
      EDGEWRIGHT_ASSIGN(op, scan_.symbol());
    }
    if (scan_.accept(":")) {
      EDGEWRIGHT_ASSIGN(overload, scan_.symbol());
    }
    std::vector<Value*> inputs;
    EDGEWRIGHT_TRY(name_list(&inputs));
    Node* node = graph.add_node(op, std::move(inputs), {}, {}, domain);
    node->overload = overload;
    if (scan_.accept("{")) EDGEWRIGHT_TRY(attributes(graph, *node, depth));
    if (scan_.at_string()) {
      EDGEWRIGHT_ASSIGN(node->name, scan_.string());
    }
    for (const auto& [name, type] : outputs) {
      if (name.empty()) {
        node->outputs.push_back(nullptr);
        continue;
      }
      Value* value = graph.add_node_output(node, name);
      value->type = type;
      scopes_.back()[name] = value;
    }
    return {};
  }

  Status attributes(Graph& graph, Node& node, int depth) {
    do {
      EDGEWRIGHT_ASSIGN(const std::string name, scan_.symbol());
      EDGEWRIGHT_TRY(scan_.expect("="));
      if (node.attributes.contains(name) || node.subgraph(name) != nullptr) {
        return scan_.error("each attribute once");
      }
      if (scan_.at_word("graph")) {
        EDGEWRIGHT_TRY(this->graph(*graph.add_subgraph(&node, name), depth + 1));
      } else {
        EDGEWRIGHT_ASSIGN(AttributeValue value, scan_.attribute());
        node.attributes.set(name, std::move(value));
      }
    } while (scan_.accept(","));
    return scan_.expect("}");
  }

  TextScanner scan_;
  std::vector<Scope> scopes_;
};

}  // namespace

Result<Model> parse_model(std::string_view text) { return Parser(text).model(); }

Result<std::unique_ptr<Graph>> parse_graph(std::string_view text) {
  EDGEWRIGHT_ASSIGN(Model model, parse_model(text));
  return std::move(model.graph);
}

}  // namespace edgewright
