#include "split/profile_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

#include "base/file.h"

namespace edgewright {
namespace {

constexpr size_t kMostBytes = size_t{16} << 20;
constexpr std::string_view kRequired[] = {"layer", "edge_s", "cloud_s", "out_MB"};
constexpr std::string_view kOptional[] = {"weight_MB", "edge_mJ"};

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const size_t comma = line.find(',');
    std::string_view cell = line.substr(0, comma);
    while (!cell.empty() && cell.front() == ' ') cell.remove_prefix(1);
    while (!cell.empty() && cell.back() == ' ') cell.remove_suffix(1);
    cells.push_back(cell);
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

using Columns = std::map<std::string_view, size_t>;

Result<Columns> read_heading(std::string_view line) {
  Columns columns;
  const auto cells = cells_of(line);
  for (size_t i = 0; i < cells.size(); ++i) {
    if (std::ranges::find(kRequired, cells[i]) == std::end(kRequired) &&
        std::ranges::find(kOptional, cells[i]) == std::end(kOptional)) {
      return bad_input("found column '{}', expected {} and perhaps {}", cells[i],
                       fmt::join(kRequired, ","), fmt::join(kOptional, ","));
    }
    columns[cells[i]] = i;
  }
  for (const std::string_view name : kRequired) {
    if (!columns.contains(name)) {
      return bad_input("found no column '{}' in the heading, expected {}", name,
                       fmt::join(kRequired, ","));
    }
  }
  return columns;
}

Result<double> read_amount(std::string_view text, std::string_view column) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || !(value >= 0) ||
      !std::isfinite(value)) {
    return bad_input("found '{}' in column {}, expected a number of at least 0", text, column);
  }
  return value;
}

Status read_row(std::string_view line, const Columns& columns, SplitProblem& problem) {
  const auto cells = cells_of(line);
  if (cells.size() != columns.size()) {
    return bad_input("found {} columns, the heading has {}", cells.size(), columns.size());
  }
  std::map<std::string_view, double> amounts;
  for (const auto& [name, index] : columns) {
    if (name == "layer") continue;
    EDGEWRIGHT_ASSIGN(amounts[name], read_amount(cells[index], name));
  }
  SplitLayer layer;
  layer.name = cells[columns.at("layer")];
  if (problem.layers.empty() != (layer.name == "input")) {
    return bad_input("found layer '{}', expected `input` as the first layer and only there",
                     layer.name);
  }
  layer.time_us = {amounts["edge_s"] * 1e6, amounts["cloud_s"] * 1e6};
  layer.weight_bytes = amounts["weight_MB"] * 1e6;
  layer.energy_mj = amounts["edge_mJ"];
  const size_t index = problem.layers.size();
  if (index > 0) problem.tensors.back().consumers = {index};
  problem.tensors.push_back({layer.name, index, {}, std::round(amounts["out_MB"] * 1e6)});
  problem.layers.push_back(std::move(layer));
  return {};
}

}  // namespace

Result<SplitProblem> read_profile_file(const std::string& path) {
  EDGEWRIGHT_ASSIGN(const std::string text, read_file(path, kMostBytes));
  SplitProblem problem;
  problem.hops.resize(1);
  Columns columns;
  std::string_view rest = text;
  for (size_t number = 1; !rest.empty(); ++number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    Status status;
    if (columns.empty()) {
      auto heading = read_heading(line);
      if (heading.ok())
        columns = *std::move(heading);
      else
        status = std::move(heading).error();
    } else {
      status = read_row(line, columns, problem);
    }
    if (!status.ok()) return std::move(status).error().at(fmt::format("{}:{}", path, number));
  }
  if (problem.layers.size() < 2) {
    return bad_input("{}: found {} layers, expected `input` and at least one more", path,
                     problem.layers.size());
  }
  // What the last layer makes is the answer, and stays where it is made.
  problem.tensors.pop_back();
  return problem;
}

}  // namespace edgewright
