#include "targets/support.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "graph/node_facts.h"

namespace edgewright {
namespace {

constexpr size_t kColumns = 8;
constexpr std::pair<std::string_view, SupportLevel> kLevels[] = {
    {"native", SupportLevel::kNative}, {"decompose", SupportLevel::kDecompose},
    {"cast", SupportLevel::kCast},     {"custom", SupportLevel::kCustom},
    {"cpu", SupportLevel::kCpu},       {"no", SupportLevel::kNo},
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::vector<std::string> list_of(std::string_view text, char separator = ',') {
  if (text == "-") return {};
  return split(text, separator);
}

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::any_of(list, [&](const std::string& w) { return w == "*" || w == word; });
}

Status read_heading(std::string_view line, SupportTable& table) {
  const auto words = split(line.substr(2), ' ');
  if (words[0] == "framework" && words.size() > 1) {
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return bad_input("expected '# framework NAME: TEXT'");
    table.framework = words[1].substr(0, words[1].size() - 1);
    table.description = line.substr(colon + 2);
  } else if (words[0] == "hardware" && words.size() == 2) {
    table.hardware = split(words[1], ',');
  } else if (words[0] == "fallback" && words.size() == 2) {
    table.has_cpu_fallback = words[1] == "yes";
  } else if (words[0] == "max-opset") {
    for (size_t i = 1; i < words.size(); ++i) {
      const auto pair = split(words[i], ':');
      int opset = 0;
      if (pair.size() == 2) {
        std::from_chars(pair[1].data(), pair[1].data() + pair[1].size(), opset);
        table.max_opsets.emplace_back(pair[0], opset);
      }
    }
  } else {
    return bad_input("'{}' is no heading of a support table", line);
  }
  return {};
}

Result<SupportRow> read_row(std::string_view line) {
  const auto cells = split(line, '\t');
  if (cells.size() != kColumns) {
    return bad_input("{} columns, expected {} between tabs", cells.size(), kColumns);
  }
  SupportRow row;
  row.operators = list_of(cells[0]);
  row.types = list_of(cells[1]);
  row.versions = cells[2];
  row.hardware = list_of(cells[3]);
  const auto level =
      std::ranges::find(kLevels, cells[4], &std::pair<std::string_view, SupportLevel>::first);
  if (level == std::end(kLevels)) return bad_input("'{}' is no level of support", cells[4]);
  row.level = level->second;
  row.restrictions = list_of(cells[5], ' ');
  row.basis = cells[6];
  row.source = cells[7];
  return row;
}

bool fits_version(std::string_view versions, std::string_view version) {
  if (versions == "*") return true;
  if (versions.starts_with(">=")) return compare_versions(version, versions.substr(2)) >= 0;
  if (versions.starts_with("<")) return compare_versions(version, versions.substr(1)) < 0;
  return compare_versions(version, versions) == 0;
}

// The value whose type and rank stand for the operation's.
const Value* main_value(const Node& node) {
  for (const Value* input : node.inputs) {
    if (input != nullptr && is_floating_point(input->type.dtype)) return input;
  }
  for (const Value* input : node.inputs) {
    if (input != nullptr) return input;
  }
  return node.output(0);
}

bool is_static(const Node& node) {
  const auto known = [](const Value* value) {
    return value == nullptr || (value->type.shape && known_dims(*value->type.shape));
  };
  return std::ranges::all_of(node.inputs, known) && std::ranges::all_of(node.outputs, known);
}

int64_t number_after(std::string_view text, size_t from) {
  int64_t number = 0;
  std::from_chars(text.data() + from, text.data() + text.size(), number);
  return number;
}

// "NAME=VALUE": a whole number, or a word. An attribute that is left out is 0, or no word.
bool has_attribute(std::string_view text, const Node& node) {
  const size_t equal = text.find('=');
  const std::string_view name = text.substr(0, equal), value = text.substr(equal + 1);
  if (value.find_first_not_of("-0123456789") == std::string_view::npos) {
    return node.attributes.get_int(name, 0) == number_after(value, 0);
  }
  return node.attributes.get_string(name, "") == value;
}

// A value of which nothing is known is taken for a tensor.
bool may_be_tensor(const Value& value) {
  return value.type.is_tensor() || value.type.kind == ValueType::Kind::kUnknown;
}

// Sequences, optional values and maps are no tensors.
bool is_of_tensors(const Node& node) {
  const auto is_tensor = [](const Value* value) {
    return value == nullptr || may_be_tensor(*value);
  };
  return std::ranges::all_of(node.inputs, is_tensor) &&
         std::ranges::all_of(node.outputs, is_tensor);
}

bool has_unknown_rank(const Node& node) {
  const auto is_unknown = [](const Value* value) {
    return value != nullptr && may_be_tensor(*value) && !value->type.shape;
  };
  return std::ranges::any_of(node.inputs, is_unknown) ||
         std::ranges::any_of(node.outputs, is_unknown);
}

bool is_absent(const Node& node, size_t index) {
  return index >= node.inputs.size() || node.inputs[index] == nullptr;
}

// Of runtimes that leave out the first axis of length 1.
int64_t batchless_rank(const Node& node) {
  const Value* value = main_value(node);
  if (value == nullptr || !value->type.shape) return std::numeric_limits<int64_t>::max();
  const Shape& shape = *value->type.shape;
  const bool has_one = std::ranges::any_of(shape, [](const Dim& dim) { return dim.value == 1; });
  return std::ssize(shape) - (has_one ? 1 : 0);
}

bool is_of_last_axis(const Node& node) {
  const Value* value = main_value(node);
  if (value == nullptr || !value->type.shape) return false;
  const int64_t axis = node.attributes.get_int("axis", -1);
  return axis == -1 || axis == std::ssize(*value->type.shape) - 1;
}

bool holds(std::string_view restriction, const Node& node) {
  if (restriction == "static") return is_static(node);
  if (restriction == "tensors") return is_of_tensors(node);
  if (restriction == "unknown-rank") return has_unknown_rank(node);
  if (restriction == "last-axis") return is_of_last_axis(node);
  if (restriction.starts_with("batchless-rank<=")) {
    return batchless_rank(node) <= number_after(restriction, 16);
  }
  if (restriction.starts_with("rank")) {
    const Value* value = main_value(node);
    if (value == nullptr || !value->type.shape) return false;
    const int64_t rank = std::ssize(*value->type.shape);
    if (restriction.starts_with("rank=")) return rank == number_after(restriction, 5);
    return restriction.starts_with("rank<=") && rank <= number_after(restriction, 6);
  }
  if (restriction.starts_with("constant:")) {
    const auto index = static_cast<size_t>(number_after(restriction, 9));
    return is_absent(node, index) || node.constant_input(index) != nullptr;
  }
  return restriction.starts_with("attribute:") && has_attribute(restriction.substr(10), node);
}

}  // namespace

std::string_view support_level_name(SupportLevel level) {
  return kLevels[static_cast<size_t>(level)].first;
}

std::vector<std::string> framework_names() {
  std::vector<std::string> names;
  for (const SupportFile& file : support_files()) names.emplace_back(file.name);
  std::ranges::sort(names);
  return names;
}

Result<SupportTable> parse_support(std::string_view text, std::string_view file) {
  SupportTable table;
  int number = 0;
  bool in_rows = false;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    const std::string place = fmt::format("{}:{}", file, number);
    if (line.empty()) continue;
    if (line.starts_with("# ")) {
      if (auto read = read_heading(line, table); !read.ok())
        return std::move(read).error().at(place);
    } else if (!in_rows) {
      in_rows = true;  // the heading of the columns
    } else {
      auto row = read_row(line);
      if (!row.ok()) return std::move(row).error().at(place);
      table.rows.push_back(*std::move(row));
    }
  }
  if (table.framework.empty() || table.hardware.empty()) {
    return bad_input("{}: no framework or no hardware is named", file);
  }
  return table;
}

Result<SupportTable> load_support(std::string_view framework) {
  for (const SupportFile& file : support_files()) {
    if (file.name == framework) return parse_support(file.text, file.name);
  }
  return usage_error("no framework '{}'; known: {}", framework, fmt::join(framework_names(), ", "));
}

int compare_versions(std::string_view a, std::string_view b) {
  const auto left = split(a, '.'), right = split(b, '.');
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    const int64_t l = i < left.size() ? number_after(left[i], 0) : 0;
    const int64_t r = i < right.size() ? number_after(right[i], 0) : 0;
    if (l != r) return l < r ? -1 : 1;
  }
  return 0;
}

Result<Target> find_target(std::string_view name_and_version, std::string_view hardware) {
  const size_t at = name_and_version.find('@');
  if (at == std::string_view::npos || at + 1 == name_and_version.size()) {
    return usage_error("found --target {}, expected NAME@VERSION such as tensorrt@8.6",
                       name_and_version);
  }
  Target target;
  target.version = name_and_version.substr(at + 1);
  if (target.version.find_first_not_of("0123456789.") != std::string::npos) {
    return usage_error("found version '{}' of {}, expected numbers between dots", target.version,
                       name_and_version.substr(0, at));
  }
  EDGEWRIGHT_ASSIGN(target.table, load_support(name_and_version.substr(0, at)));
  target.hardware = hardware.empty() ? target.table.hardware.front() : std::string(hardware);
  if (!contains(target.table.hardware, target.hardware)) {
    return usage_error("{} does not run on '{}'; known: {}", target.table.framework,
                       target.hardware, fmt::join(target.table.hardware, ", "));
  }
  return target;
}

int max_opset(const Target& target) {
  int opset = 0;
  for (const auto& [since, newest] : target.table.max_opsets) {
    if (compare_versions(target.version, since) >= 0) opset = newest;
  }
  return opset;
}

DType main_dtype(const Node& node) {
  const Value* value = main_value(node);
  return value == nullptr ? DType::kUndefined : value->type.dtype;
}

const SupportRow* find_support(const Target& target, const Node& node) {
  return find_support(target, node, main_dtype(node));
}

const SupportRow* find_support(const Target& target, const Node& node, DType as) {
  const std::string op = full_operator_name(node.domain, node.op);
  const std::string_view type = dtype_name(as);
  for (const SupportRow& row : target.table.rows) {
    // "*" speaks of the standard's operators only: nobody knows what others mean.
    const bool named = node.domain.empty()
                           ? contains(row.operators, op)
                           : std::ranges::find(row.operators, op) != row.operators.end();
    if (!named || !contains(row.types, type) || !contains(row.hardware, target.hardware) ||
        !fits_version(row.versions, target.version)) {
      continue;
    }
    const bool fits = std::ranges::all_of(
        row.restrictions, [&](const std::string& restriction) { return holds(restriction, node); });
    if (fits) return &row;
  }
  return nullptr;
}

std::optional<DType> type_that_runs(const Target& target, const Node& node) {
  const DType dtype = main_dtype(node);
  const bool is_other_float =
      dtype == DType::kFloat64 || dtype == DType::kFloat16 || dtype == DType::kBfloat16;
  if (!is_other_float || node.is("Cast")) return std::nullopt;
  const SupportRow* row = find_support(target, node);
  if (row != nullptr && (row->level == SupportLevel::kNative || row->level == SupportLevel::kCast ||
                         row->level == SupportLevel::kDecompose)) {
    return std::nullopt;
  }
  const SupportRow* there = find_support(target, node, DType::kFloat32);
  if (there == nullptr || there->level != SupportLevel::kNative) return std::nullopt;
  return DType::kFloat32;
}

}  // namespace edgewright
