#pragma once

#include "edgewright/session.h"
#include "keywords.h"

namespace edgewright::python {

// How a model is opened; `place` gives the InferenceOptions of a function's own options.
template <class Options, class Place>
Keywords<Options> session_keywords(Place place) {
  return {
      keyword<Options>(
          "backend", [place](Options& o) -> std::string& { return place(o).backend; },
          "\"native\", \"reference\", \"openvino\", \"mixed\" or \"mixed:ENGINE,...\""),
      keyword<Options>(
          "openvino_library",
          [place](Options& o) -> std::string& { return place(o).openvino_library; },
          "OpenVINO's C library, for the backends openvino and mixed"),
      keyword<Options>(
          "threads", [place](Options& o) -> int& { return place(o).threads; },
          "threads of the engine"),
      keyword<Options>(
          "shapes", [place](Options& o) -> InputShapes& { return place(o).shapes; },
          "input -> dimensions that fix symbolic ones"),
      keyword<Options>(
          "optimise", [place](Options& o) -> bool& { return place(o).optimise; },
          "run the passes on an ONNX model first"),
      keyword<Options>(
          "tune", [place](Options& o) -> bool& { return place(o).tune; },
          "measure the kernels of every layer and take the quickest"),
      keyword<Options>(
          "timing_cache", [place](Options& o) -> std::string& { return place(o).timing_cache; },
          "file that keeps measured times between runs"),
  };
}

}  // namespace edgewright::python
