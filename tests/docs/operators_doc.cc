// Makes docs/operators.md from the schemas of ONNX and the kernel tables.
//
// usage: operators_doc FILE           compares FILE with what it should be
//        operators_doc --write FILE   writes it
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <onnx/defs/schema.h>

#include <cstdio>
#include <map>
#include <set>

#include "base/file.h"
#include "formats/onnx/schema_functions.h"
#include "kernels/kernel.h"
#include "runtime/control_flow.h"

namespace edgewright {
namespace {

constexpr const char* kIntroduction = R"(# Operators

Made by `build/operators_doc --write docs/operators.md`; a test compares it with the tables.

Every operator is imported and exported, whether or not it runs. *Runs as* says how: by a reference
kernel (the specification, every type), by its body (other operators, as ONNX defines it), or as
control flow over nested graphs. *Tuned* are the implementations among which a plan chooses by
measurement. An operator without an entry is refused by name when it is to run; a shared library can
bring it.

)";

std::string runs_as(const Node& node) {
  if (is_control_flow(node.domain, node.op)) return "control flow";
  if (find_reference_kernel(node.domain, node.op) != nullptr) return "reference kernel";
  return has_function_body(node) ? "body" : "";
}

std::string tuned(std::string_view domain, std::string_view op) {
  std::vector<std::string_view> names;
  for (const KernelImplementation* implementation : find_implementations(domain, op)) {
    names.push_back(implementation->name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

// Name -> the opset in which its meaning changed last.
using Operators = std::map<std::string, int>;

std::map<std::string, Operators> standard_operators() {
  std::map<std::string, Operators> domains;
  for (const onnx::OpSchema& schema : onnx::OpSchemaRegistry::get_all_schemas()) {
    if (schema.deprecated()) continue;
    int& since = domains[schema.domain()][schema.Name()];
    since = std::max(since, schema.since_version());
  }
  return domains;
}

std::string standard_table(const std::string& domain, const Operators& operators, int& count) {
  std::string text =
      fmt::format("## {}\n\n| operator | since | runs as | tuned |\n|---|---|---|---|\n",
                  domain.empty() ? "ai.onnx" : domain);
  for (const auto& [op, since] : operators) {
    Node node;
    node.domain = domain;
    node.op = op;
    const std::string how = runs_as(node);
    count += how.empty() ? 0 : 1;
    text += fmt::format("| {} | {} | {} | {} |\n", op, since, how, tuned(domain, op));
  }
  return text + "\n";
}

std::string own_table(const std::string& domain) {
  std::set<std::string> operators;
  for (const ReferenceKernel& kernel : reference_kernels()) {
    if (kernel.domain == domain) operators.insert(std::string(kernel.op));
  }
  std::string text = fmt::format("## {}\n\n| operator | tuned |\n|---|---|\n", domain);
  for (const std::string& op : operators) {
    text += fmt::format("| {} | {} |\n", op, tuned(domain, op));
  }
  return text + "\n";
}

std::string document() {
  std::string text = kIntroduction;
  for (const auto& [domain, operators] : standard_operators()) {
    if (domain.find("training") != std::string::npos) continue;
    int count = 0;
    const std::string table = standard_table(domain, operators, count);
    text += table + fmt::format("{} of {} operators run.\n\n", count, operators.size());
  }
  for (const char* domain : {"com.microsoft", "edgewright"}) text += own_table(domain);
  text.pop_back();
  return text;
}

int compare(const std::string& path) {
  const auto found = read_file(path);
  if (found.ok() && *found == document()) return 0;
  fmt::print("{} is not what the tables say; run operators_doc --write {}\n", path, path);
  return 1;
}

int write(const std::string& path) {
  const Status written = write_file(path, document());
  if (!written.ok()) fmt::print("{}\n", written.error().message);
  return written.ok() ? 0 : 1;
}

}  // namespace
}  // namespace edgewright

int main(int count, char** words) {
  if (count == 2) return edgewright::compare(words[1]);
  if (count == 3 && std::string_view(words[1]) == "--write") return edgewright::write(words[2]);
  fmt::print("usage: operators_doc [--write] FILE\n");
  return 2;
}
