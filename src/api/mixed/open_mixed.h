#pragma once

#include <string_view>

#include "api/open_backend.h"

namespace edgewright {

// What a backend's name begins with that gives the engines of its segments.
inline constexpr std::string_view kMixedPrefix = "mixed:";

// Opens a model in the mix of backends (native, reference, OpenVINO where there is one) that
// measures as the quickest here; one of them alone where no mix is quicker. Dimensions that are
// open become 1. `mix` of the result says what was chosen and what it was chosen from.
//
// The graph is cut into blocks; each is timed in every backend, handing over included. What a joint
// of two blocks in one backend saves is the time of all its blocks less that of the whole, shared
// out. Native and reference kernels share memory, OpenVINO has its own: which block goes where is
// then a placement on two sides, as `targets check` solves it, exactly. The segments of the answer
// are opened and timed again, each in its place behind the one before, and their sum is the
// predicted time.
//
// The backend "mixed:native,openvino,..." runs that many segments of about as many blocks each, in
// these engines, whatever it costs: for seeing what a mix does. kUsage when there are not so many.
Result<OpenedModel> open_mixed(std::unique_ptr<Graph> graph, const InferenceOptions& options);

}  // namespace edgewright
