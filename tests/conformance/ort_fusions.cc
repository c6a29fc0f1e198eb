// Runs every row of the fusion expectations through the whole pipeline in the ort dialect and
// compares operator counts. A row holds when, for each of its models, every operator has the count
// that the row states last. Usage: ort_fusions EXPECTATIONS MODELS_FOLDER EXCEPTIONS.
// The exceptions file explains, one row a line, each row that does not hold; a row listed there
// that holds is an error too, so that the list only shrinks. Exit codes: 0 as listed, 1 otherwise,
// 77 when the expectations or the models are absent.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "formats/onnx/onnx.h"
#include "formats/onnx/type_inference.h"
#include "graph/text.h"
#include "passes/pipeline.h"
#include "runtime/interpreter.h"

namespace edgewright {
namespace {

using Counts = std::map<std::string, long>;

struct Row {
  std::string test;
  std::vector<std::string> models;
  Counts expected;
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    if (!part.empty() || separator == '\t') parts.push_back(part);
  }
  return parts;
}

std::vector<Row> read_rows(const std::string& path) {
  std::vector<Row> rows;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the heading
  while (std::getline(file, line)) {
    const auto columns = split(line, '\t');
    if (columns.size() < 4) continue;
    Row row{columns[0], split(columns[2], ' '), {}};
    for (const std::string& count : split(columns[3], ' ')) {
      const size_t equals = count.rfind('=');
      // The count after the optimisation stands behind the one before it.
      row.expected[count.substr(0, equals)] = std::stol(count.substr(equals + 1));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// Test name -> why the row does not hold.
std::map<std::string, std::string> read_exceptions(const std::string& path) {
  std::map<std::string, std::string> exceptions;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) exceptions[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return exceptions;
}

Counts count_operators(const Graph& graph) {
  Counts counts;
  for_each_node(graph, [&](const Node& node) {
    ++counts[node.domain.empty() ? node.op : node.domain + "." + node.op];
  });
  return counts;
}

// What differs from the expectation after the pipeline; empty: nothing.
std::string difference(const Row& row, const std::string& path, bool print_graph) {
  auto model = import_onnx(path);
  if (!model.ok()) return model.error().message;
  PipelineOptions options;
  options.pass.dialect = Dialect::kOrt;
  options.pass.target_opset = model->source_opset;
  if (const auto typed = onnx_type_inferer().infer(*model->graph); !typed.ok()) {
    return typed.error().message;
  }
  Interpreter evaluator;
  const auto report = optimise(*model, options, onnx_type_inferer(), evaluator);
  if (!report.ok()) return report.error().message;
  if (print_graph) std::printf("%s", print(*model->graph, {.elide_large_constants = true}).c_str());
  Counts counts = count_operators(*model->graph);
  std::string text;
  for (const auto& [op, expected] : row.expected) {
    if (counts[op] != expected) text += fmt::format(" {} is {}, not {};", op, counts[op], expected);
  }
  return text;
}

int check_rows(const std::string& expectations, const std::filesystem::path& models,
               const std::string& exceptions_path, const std::string& only) {
  const auto rows = read_rows(expectations);
  if (rows.empty() || !std::filesystem::exists(models)) {
    std::printf("skipped: %s or %s is absent\n", expectations.c_str(), models.c_str());
    return 77;
  }
  const auto exceptions = read_exceptions(exceptions_path);
  size_t held = 0, surprises = 0;
  for (const Row& row : rows) {
    if (!only.empty() && row.test != only) continue;
    std::string failures;
    for (const std::string& model : row.models) {
      failures += difference(row, models / model, !only.empty());
    }
    const auto exception = exceptions.find(row.test);
    const bool explained = exception != exceptions.end();
    const bool holds = failures.empty();
    held += holds;
    surprises += holds == explained;
    std::printf("%s %s%s\n", holds ? "held  " : "failed", row.test.c_str(), failures.c_str());
    if (!holds) std::printf("       %s\n", explained ? exception->second.c_str() : "UNEXPLAINED");
    if (holds && explained) std::printf("       holds now: take it off the list of exceptions\n");
  }
  std::printf("%zu of %zu rows hold, %zu not as listed\n", held, rows.size(), surprises);
  return surprises == 0 ? 0 : 1;
}

}  // namespace
}  // namespace edgewright

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: ort_fusions EXPECTATIONS MODELS_FOLDER EXCEPTIONS [TEST]\n");
    return 2;
  }
  return edgewright::check_rows(argv[1], argv[2], argv[3], argc > 4 ? argv[4] : "");
}
