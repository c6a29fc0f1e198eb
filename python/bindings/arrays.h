#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "edgewright/session.h"

namespace edgewright::python {

// An array (or anything that numpy.asarray takes) as a tensor. A contiguous array is not copied:
// the tensor keeps it. `place` is put in front of errors. Needs the interpreter's lock.
Tensor to_tensor(nanobind::handle value, const std::string& place);
TensorMap to_tensors(nanobind::handle feed);

// A NumPy array over the tensor's own memory, which lives as long as the array. Strings become an
// array of objects; types that NumPy lacks are those of the package ml_dtypes.
nanobind::object to_array(const Tensor& tensor);

}  // namespace edgewright::python
