#include "api/destination.h"

#include <algorithm>
#include <charconv>

#include "api/export_formats.h"

namespace edgewright {
namespace {

// The format that an output's ending names; empty when none. Two formats share .onnx: the plain one
// unless `preferred` is the other.
std::string format_by_ending(const std::string& output, std::string_view preferred) {
  const ExportFormat* own = find_export_format(preferred);
  if (own != nullptr && output.ends_with(own->ending)) return std::string(own->name);
  if (output.ends_with(".ewplan")) return "plan";
  if (output.ends_with(".onnx")) return "onnx";
  for (const ExportFormat& format : export_formats()) {
    if (output.ends_with(format.ending)) return std::string(format.name);
  }
  return "";
}

Error unknown_destination(const std::string& output, const ConvertOptions& options) {
  std::string names = "onnx, plan", endings = ".onnx, .ewplan";
  for (const ExportFormat& format : export_formats()) {
    names += fmt::format(", {}", format.name);
    if (format.ending != ".onnx") endings += fmt::format(", {}", format.ending);
  }
  return usage_error(
      "found output '{}'{}, expected an ending of {}, or --to with one of {}, or NAME@VERSION of a "
      "runtime that targets check knows",
      output, options.to.empty() ? "" : " and --to " + options.to, endings, names);
}

Result<TargetOptions> target_options(const ConvertOptions& options) {
  TargetOptions result;
  result.data = options.calibrate;
  std::string_view rest = options.to;
  const size_t comma = rest.find(',');
  result.target = rest.substr(0, comma);
  rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest = item.size() == rest.size() ? "" : rest.substr(item.size() + 1);
    const size_t equal = item.find('=');
    const std::string_view key = item.substr(0, equal);
    const std::string_view value = equal == std::string_view::npos ? "" : item.substr(equal + 1);
    if (key == "hardware") {
      result.hardware = value;
    } else if (key == "gelu-error") {
      const auto [end, code] =
          std::from_chars(value.data(), value.data() + value.size(), result.gelu_max_error);
      if (code != std::errc() || end != value.data() + value.size() || result.gelu_max_error < 0) {
        return usage_error("found gelu-error={}, expected a number of 0 or more", value);
      }
    } else {
      return usage_error("found '{}' in --to {}, expected hardware=H or gelu-error=E", item,
                         options.to);
    }
  }
  return result;
}

}  // namespace

Result<Destination> destination_of(const std::string& output, const ConvertOptions& options) {
  Destination destination;
  if (options.to.find('@') == std::string::npos) {
    destination.format = options.to.empty() ? format_by_ending(output, "") : options.to;
  } else {
    EDGEWRIGHT_ASSIGN(const TargetOptions target, target_options(options));
    EDGEWRIGHT_ASSIGN(destination.planner, TargetPlanner::create(target));
    destination.format = format_by_ending(output, destination.planner->target().table.framework);
  }
  const std::string& format = destination.format;
  if (format == "onnx" || format == "plan" || find_export_format(format) != nullptr) {
    return destination;
  }
  return unknown_destination(output, options);
}

Status choose_target_opset(const Model& original, Destination& destination, ConvertOptions& options,
                           ConvertReport& report) {
  // Operators that came with the opsets of normalisation and GELU, or of Attention.
  constexpr int kOpsetOfGelu = 20, kOpsetOfAttention = 23;
  const TargetPlanner& planner = *destination.planner;
  EDGEWRIGHT_ASSIGN(destination.fusing_opset, planner.fusing_opset(original));
  const std::string name =
      fmt::format("{} {}", planner.target().table.framework, planner.target().version);
  const int newest = max_opset(planner.target());
  if (newest > 0 && options.opset > newest) {
    return usage_error("found --opset {}, {} reads {} at most", options.opset, name, newest);
  }
  if (options.opset > 0) return {};
  const int least =
      destination.fusing_opset >= kOpsetOfAttention ? kOpsetOfAttention : kOpsetOfGelu;
  options.opset = newest > 0 ? newest : std::max(original.source_opset, least);
  if (options.opset != original.source_opset) {
    report.choices.push_back({"opset", fmt::format("{}", options.opset),
                              fmt::format("{}", original.source_opset),
                              newest > 0 ? fmt::format("the newest that {} reads", name)
                                         : fmt::format("has what {} has as one operation", name)});
  }
  return {};
}

}  // namespace edgewright
