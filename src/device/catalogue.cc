#include "device/catalogue.h"

#include <algorithm>
#include <span>

namespace edgewright {

// Generated at build time from src/device/catalogue (cmake/edgewright_build.cmake).
std::span<const CatalogueFile> catalogue_files();

std::string_view catalogue_text(std::string_view kind, std::string_view name) {
  for (const CatalogueFile& file : catalogue_files()) {
    if (file.kind == kind && file.name == name) return file.text;
  }
  return {};
}

std::vector<std::string> catalogue_names(std::string_view kind) {
  std::vector<std::string> names;
  for (const CatalogueFile& file : catalogue_files()) {
    if (file.kind == kind) names.emplace_back(file.name);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace edgewright
