// Runs the node cases of ONNX's backend test suite on the reference kernels.
//
//   onnx_node_conformance FOLDER REFUSALS [FILTER]
//
// FOLDER holds one folder per case: model.onnx and test_data_set_*/{input,output}_*.pb. A case
// passes when every output agrees, is refused when the error is "not supported", and is wrong
// otherwise. REFUSALS lists the cases that may be refused, "name<TAB>reason" per line. The run
// fails on a wrong case, on a refusal that is not listed, and on a listed case that passes: the
// list only shrinks. With FILTER only cases whose name contains it are run, and only wrong results
// count.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "comparison.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/schema_functions.h"
#include "runtime/interpreter.h"

namespace edgewright {
namespace {

namespace fs = std::filesystem;

// As ONNX's own runner compares (onnx.backend.test.runner).
constexpr Tolerance kTolerance{1e-3, 1e-7};
// What ctest takes as "skipped".
constexpr int kSkipped = 77;
// Of the same 1,765 cases ONNX Runtime 1.32 passes this many, counted by a strict script.
constexpr int kOnnxRuntimePassed = 1513;

// Draws of these operators are free, even with a seed: the suite's expected values come from
// NumPy's global generator, whose state no model holds. Only types and shapes are compared.
constexpr std::string_view kRandomOperators[] = {"Bernoulli", "RandomUniformLike"};

bool draws_freely(const Graph& graph) {
  bool found = false;
  for_each_node(graph, [&](const Node& node) {
    for (const std::string_view op : kRandomOperators) found = found || node.is(op);
  });
  return found;
}

std::vector<fs::path> sorted_entries(const fs::path& folder, const std::string& prefix) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(prefix)) entries.push_back(entry.path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

Result<std::vector<Datum>> load_data(const fs::path& folder, const std::string& prefix,
                                     std::span<Value* const> values) {
  std::vector<Datum> data;
  for (size_t i = 0; i < values.size(); ++i) {
    const fs::path file = folder / fmt::format("{}_{}.pb", prefix, i);
    if (!fs::exists(file)) break;
    EDGEWRIGHT_ASSIGN(Datum datum, load_datum_proto(file.string(), values[i]->type));
    data.push_back(std::move(datum));
  }
  return data;
}

Status run_data_set(const Graph& graph, const fs::path& folder) {
  EDGEWRIGHT_ASSIGN(std::vector<Datum> inputs, load_data(folder, "input", graph.inputs()));
  inputs.resize(graph.inputs().size());
  EDGEWRIGHT_ASSIGN(const auto expected, load_data(folder, "output", graph.outputs()));
  if (expected.size() != graph.outputs().size()) {
    return bad_input("{} expected outputs for {}", expected.size(), graph.outputs().size());
  }
  Interpreter interpreter(expand_function);
  EDGEWRIGHT_ASSIGN(const auto found, interpreter.run(graph, inputs));
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::string text = difference(found[i], expected[i], kTolerance, draws_freely(graph));
    if (!text.empty()) return check_failed("output {}: {}", graph.outputs()[i]->name, text);
  }
  return {};
}

Status run_case(const fs::path& folder) {
  EDGEWRIGHT_ASSIGN(const Model model, import_onnx((folder / "model.onnx").string()));
  const auto sets = sorted_entries(folder, "test_data_set_");
  if (sets.empty()) return bad_input("no test data");
  for (const fs::path& set : sets) EDGEWRIGHT_TRY(run_data_set(*model.graph, set));
  return {};
}

std::map<std::string, std::string> read_refusals(const char* path) {
  std::map<std::string, std::string> refusals;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t tab = line.find('\t');
    if (tab != line.npos && tab > 0 && line[0] != '#') {
      refusals[line.substr(0, tab)] = line.substr(tab + 1);
    }
  }
  return refusals;
}

struct Counts {
  int passed = 0, refused = 0, wrong = 0, unlisted = 0, outdated = 0;
};

void judge(const fs::path& folder, std::map<std::string, std::string>& refusals, Counts& counts) {
  const std::string name = folder.filename().string();
  const Status status = run_case(folder);
  const bool listed = refusals.erase(name) > 0;
  if (status.ok()) {
    ++counts.passed;
    fmt::print("{} {}\n", listed ? "passed, but listed as refused:" : "passed", name);
    counts.outdated += listed;
  } else if (status.error().kind == ErrorKind::kUnsupported) {
    ++counts.refused;
    counts.unlisted += !listed;
    fmt::print("refused{} {}: {}\n", listed ? "" : ", not listed:", name, status.error().message);
  } else {
    ++counts.wrong;
    fmt::print("wrong {}: {}\n", name, status.error().message);
  }
  std::fflush(stdout);
}

int run_all(const fs::path& root, const char* refusals_path, const std::string& filter) {
  if (!fs::is_directory(root)) {
    fmt::print("skipped: the cases of the ONNX backend suite are not at {}\n", root.string());
    return kSkipped;
  }
  auto refusals = read_refusals(refusals_path);
  Counts counts;
  for (const fs::path& folder : sorted_entries(root, "test_")) {
    if (folder.filename().string().find(filter) != std::string::npos) {
      judge(folder, refusals, counts);
    }
  }
  if (filter.empty()) {
    for (const auto& [name, reason] : refusals) {
      fmt::print("listed as refused, but no case: {}\n", name);
      ++counts.outdated;
    }
  }
  fmt::print("{} passed, {} refused, {} wrong of {} (onnxruntime 1.32: {} passed)\n", counts.passed,
             counts.refused, counts.wrong, counts.passed + counts.refused + counts.wrong,
             kOnnxRuntimePassed);
  const bool list_holds = !filter.empty() || counts.unlisted + counts.outdated == 0;
  return counts.wrong == 0 && list_holds ? 0 : 1;
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    fmt::print(stderr, "usage: onnx_node_conformance FOLDER REFUSALS [FILTER]\n");
    return 2;
  }
  return edgewright::run_all(argv[1], argv[2], argc == 4 ? argv[3] : "");
}
