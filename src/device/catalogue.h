#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace edgewright {

// The data files of src/device/catalogue, built into the program: devices lie in the folder itself,
// links in links/. `kind` is "devices" or "links".
struct CatalogueFile {
  std::string_view kind, name, text;
};
// Text of a file, or empty when there is none.
std::string_view catalogue_text(std::string_view kind, std::string_view name);
// Names of one kind, sorted.
std::vector<std::string> catalogue_names(std::string_view kind);

}  // namespace edgewright
