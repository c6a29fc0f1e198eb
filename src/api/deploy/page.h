#pragma once

#include "api/deploy/bundle.h"
#include "base/json.h"

namespace edgewright {

// What the bundle's report.html shows: the manifest, and below it, under `parts`, the documents of
// the bundle's files that are there.
Json deployment_document(const Bundle& bundle, const Json& manifest);

}  // namespace edgewright
