#include "api/session_inputs.h"

#include "verify/inputs.h"

namespace edgewright {

Result<std::vector<Datum>> session_inputs(std::span<const Session::Port> ports,
                                          const TensorMap& given, const InferenceOptions& session,
                                          uint64_t seed) {
  Graph graph;
  for (const auto& port : ports) graph.add_input(port.name, port.type);
  InputOptions options;
  options.seed = seed;
  options.shapes = session.shapes;
  for (const auto& [name, range] : session.ranges) options.shapes[name] = range.opt;
  for (const auto& [name, tensor] : given) options.shapes[name] = tensor.dims();
  EDGEWRIGHT_ASSIGN(auto inputs, make_inputs(graph, options));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto it = given.find(ports[i].name);
    if (it != given.end()) inputs[i] = it->second;
  }
  return inputs;
}

}  // namespace edgewright
