#include "runtime/backends/openvino_library.h"

#include <dlfcn.h>

namespace edgewright {
namespace {

constexpr const char* kUsualName = "libopenvino_c.so";

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

// The first function that the library lacks; null when it has all.
const char* find_all(void* library, OpenvinoFunctions& f) {
  const char* missing = nullptr;
  const auto take = [&](const char* name, auto& function) {
    if (!find(library, name, function) && missing == nullptr) missing = name;
  };
  take("ov_core_create", f.core_create);
  take("ov_core_free", f.core_free);
  take("ov_core_read_model", f.core_read_model);
  take("ov_core_compile_model", f.core_compile_model);
  take("ov_compiled_model_create_infer_request", f.compiled_model_create_infer_request);
  take("ov_infer_request_get_tensor", f.infer_request_get_tensor);
  take("ov_infer_request_infer", f.infer_request_infer);
  take("ov_tensor_data", f.tensor_data);
  take("ov_tensor_get_byte_size", f.tensor_get_byte_size);
  take("ov_tensor_free", f.tensor_free);
  take("ov_infer_request_free", f.infer_request_free);
  take("ov_compiled_model_free", f.compiled_model_free);
  take("ov_model_free", f.model_free);
  take("ov_get_last_err_msg", f.get_last_err_msg);
  return missing;
}

Result<void*> open_library(const std::string& path) {
  if (!path.empty()) {
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      return bad_input("cannot load {} as OpenVINO's C library: {}", path, ::dlerror());
    }
    return library;
  }
  if (void* library = ::dlopen(kUsualName, RTLD_NOW | RTLD_LOCAL)) return library;
  return unsupported(
      "no OpenVINO on this machine: {} is not where the system looks; name the file (the command "
      "line takes it from EDGEWRIGHT_OPENVINO)",
      kUsualName);
}

}  // namespace

Result<std::shared_ptr<const OpenvinoLibrary>> OpenvinoLibrary::load(const std::string& path) {
  EDGEWRIGHT_ASSIGN(void* library, open_library(path));
  std::shared_ptr<OpenvinoLibrary> loaded(new OpenvinoLibrary);
  if (const char* missing = find_all(library, loaded->functions_)) {
    ::dlclose(library);
    return bad_input("{} has no {}: it is not OpenVINO's C library, or older than 2022.1",
                     path.empty() ? kUsualName : path, missing);
  }
  EDGEWRIGHT_TRY(loaded->check(loaded->functions_.core_create(&loaded->core_), "start OpenVINO"));
  return std::shared_ptr<const OpenvinoLibrary>(std::move(loaded));
}

OpenvinoLibrary::~OpenvinoLibrary() {
  if (core_ != nullptr) functions_.core_free(core_);
}

Status OpenvinoLibrary::check(int status, const char* what) const {
  if (status == 0) return {};
  const char* message = functions_.get_last_err_msg();
  return unsupported("OpenVINO cannot {}: {} (status {})", what,
                     message == nullptr ? "no reason given" : message, status);
}

}  // namespace edgewright
