#pragma once

#include <nanobind/nanobind.h>

namespace edgewright::python {

void register_device(nanobind::module_& module);
void register_language_model(nanobind::module_& module);
void register_model(nanobind::module_& module);
void register_power(nanobind::module_& module);
void register_profile(nanobind::module_& module);
void register_session(nanobind::module_& module);
void register_split(nanobind::module_& module);
void register_targets(nanobind::module_& module);

}  // namespace edgewright::python
