#include "api/deploy/page.h"

#include "base/file.h"

namespace edgewright {
namespace {

// Documents of a bundle, in the order in which the page shows them.
struct Part {
  const char* name;
  const char* file;
};
constexpr Part kParts[] = {
    {"proof", "proof/verify.json"},        {"layers", "proof/layers.json"},
    {"cut", "plans/split.json"},           {"power", "plans/power.json"},
    {"this_machine", "measurements.json"},
};

}  // namespace

Json deployment_document(const Bundle& bundle, const Json& manifest) {
  Json document = manifest;
  document["schema"] = "edgewright.deploy/1";
  document["parts"] = Json::object();
  for (const Part& part : kParts) {
    const auto text = read_file(bundle.path(part.file));
    if (!text.ok()) continue;
    Json json = Json::parse(*text, nullptr, false);
    if (json.is_object() && json.contains("schema")) document["parts"][part.name] = std::move(json);
  }
  return document;
}

}  // namespace edgewright
