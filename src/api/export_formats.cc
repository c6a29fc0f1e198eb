#include "api/export_formats.h"

#include <algorithm>
#include <array>

namespace edgewright {
namespace {

constexpr std::array<ExportFormat, 0> kFormats = {};

}  // namespace

std::span<const ExportFormat> export_formats() { return kFormats; }

const ExportFormat* find_export_format(std::string_view name) {
  const auto formats = export_formats();
  const auto it = std::ranges::find(formats, name, &ExportFormat::name);
  return it == formats.end() ? nullptr : &*it;
}

const ExportFormat* find_import_format(std::string_view path) {
  const auto formats = export_formats();
  const auto it = std::ranges::find_if(formats, [&](const ExportFormat& format) {
    return format.read != nullptr && path.ends_with(format.ending);
  });
  return it == formats.end() ? nullptr : &*it;
}

std::vector<std::string> export_format_names() {
  std::vector<std::string> names;
  for (const ExportFormat& format : export_formats()) names.emplace_back(format.name);
  return names;
}

}  // namespace edgewright
