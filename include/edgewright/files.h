#pragma once

#include <map>
#include <string>

#include "edgewright/tensor.h"

namespace edgewright {

// One array of a .npy file.
Result<Tensor> load_npy(const std::string& path);
// The arrays of a .npz archive or of a folder of .npy files, by name.
Result<std::map<std::string, Tensor>> load_data(const std::string& path);
// Writes FOLDER/NAME.npy, making the folder; characters that a file name cannot have become '_'.
// Returns the file's path.
Result<std::string> save_output(const std::string& folder, const std::string& name,
                                const Tensor& tensor);

}  // namespace edgewright
