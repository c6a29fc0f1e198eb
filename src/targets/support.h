#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace edgewright {

// What a framework does with an operator.
enum class SupportLevel : uint8_t {
  kNative,     // one operation of its own
  kDecompose,  // several of its own operations
  kCast,       // its own operation on another type
  kCustom,     // a plugin that somebody has to write or install
  kCpu,        // handed back to the CPU by the framework
  kNo,         // refused
};
std::string_view support_level_name(SupportLevel level);

// One line of a support table. The first line that fits an operation decides.
struct SupportRow {
  std::vector<std::string> operators;  // "*": any
  std::vector<std::string> types;      // of the first data input; "*": any
  std::string versions;                // "*", ">=8.6", "<2", "1.2"
  std::vector<std::string> hardware;   // "*": any
  SupportLevel level = SupportLevel::kNo;
  // All must hold for the line to fit: "static" (all shapes known), "rank<=4", "rank=4" (of the
  // first input), "batchless-rank<=4" (less one where an axis has length 1), "constant:1" (input 1
  // is a constant or left out), "tensors" (nothing goes in or out but tensors), "unknown-rank" (of
  // some value), "last-axis", "attribute:NAME=VALUE".
  std::vector<std::string> restrictions;
  std::string basis;   // "measured", "documented" or "inferred"
  std::string source;  // document and version, or the script that measured
};

// What one framework runs, on each of its kinds of hardware.
struct SupportTable {
  std::string framework, description;
  std::vector<std::string> hardware;
  bool has_cpu_fallback = false;  // hands operations back to the CPU by itself
  // (version, opset) in rising order: the newest opset that its importer reads since this version;
  // 0: it has its own format and no opset.
  std::vector<std::pair<std::string, int>> max_opsets;
  std::vector<SupportRow> rows;
};

// The text files of src/targets/support, built into the program.
struct SupportFile {
  std::string_view name, text;
};
std::span<const SupportFile> support_files();
std::vector<std::string> framework_names();

// Reads a table: lines `# framework NAME: DESCRIPTION`, `# hardware A,B`, `# fallback yes|no`,
// `# max-opset VERSION:OPSET ...`, a heading, then rows of eight columns between tabs. kBadInput
// with the line's number.
Result<SupportTable> parse_support(std::string_view text, std::string_view file);
// kUsage naming the known frameworks when there is none of this name.
Result<SupportTable> load_support(std::string_view framework);

// "8.6" against "8.10": numbers between dots, missing ones are 0.
int compare_versions(std::string_view a, std::string_view b);

// NAME@VERSION on a kind of hardware.
struct Target {
  SupportTable table;
  std::string version, hardware;
};
// "tensorrt@8.6"; without hardware the table's first. kUsage where either is unknown.
Result<Target> find_target(std::string_view name_and_version, std::string_view hardware);
// The newest opset that the target's importer reads; 0: any.
int max_opset(const Target& target);

// The row that decides on a node; null when the table has none for it.
const SupportRow* find_support(const Target& target, const Node& node);
// The same if the node computed on another type.
const SupportRow* find_support(const Target& target, const Node& node, DType as);

// The type that stands for a node's: that of its first data input.
DType main_dtype(const Node& node);
// The type that holds all numbers of the node's own and in which the target has the node, where it
// has it not, nor casts it by itself, in that one. float64 is computed in float32 there: what that
// loses is the comparison's to judge.
std::optional<DType> type_that_runs(const Target& target, const Node& node);

}  // namespace edgewright
