#include "edgewright/tensor.h"

#include <filesystem>

#include "formats/npy/npy.h"

namespace edgewright {

Result<Tensor> load_npy(const std::string& path) { return read_npy(path); }

Result<std::map<std::string, Tensor>> load_data(const std::string& path) { return read_data(path); }

Result<std::string> save_output(const std::string& folder, const std::string& name,
                                const Tensor& tensor) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return usage_error("cannot make the folder {}: {}", folder, error.message());
  std::string file = name;
  for (char& c : file) {
    if (c == '/' || c == '\\' || c == ':' || c == '\0') c = '_';
  }
  const std::string path = (std::filesystem::path(folder) / (file + ".npy")).string();
  EDGEWRIGHT_TRY(write_npy(path, tensor));
  return path;
}

}  // namespace edgewright
