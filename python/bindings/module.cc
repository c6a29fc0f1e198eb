#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "edgewright/result.h"
#include "register.h"

NB_MODULE(_edgewright, module) {
  using namespace edgewright::python;
  module.doc() = "The library behind the package edgewright.";
  module.attr("__version__") = std::string(edgewright::version());
  register_model(module);
  register_session(module);
  register_profile(module);
  register_language_model(module);
  register_device(module);
  register_power(module);
  register_split(module);
  register_targets(module);
}
