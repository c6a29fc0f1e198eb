#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace edgewright {

// The functions of OpenVINO's C interface that we call, found in its shared library at run time:
// nothing is linked, and who has no OpenVINO loses nothing. Names and signatures: "OpenVINO C API"
// in its documentation, the same since 2022.1. Element types are left out: their numbers have
// changed between versions.
struct OpenvinoFunctions {
  int (*core_create)(void** core) = nullptr;
  void (*core_free)(void* core) = nullptr;
  int (*core_read_model)(const void* core, const char* model, const char* weights,
                         void** result) = nullptr;
  int (*core_compile_model)(const void* core, const void* model, const char* device,
                            size_t property_words, void** result, ...) = nullptr;
  int (*compiled_model_create_infer_request)(const void* compiled, void** request) = nullptr;
  int (*infer_request_get_tensor)(const void* request, const char* name, void** tensor) = nullptr;
  int (*infer_request_infer)(void* request) = nullptr;
  int (*tensor_data)(const void* tensor, void** data) = nullptr;
  int (*tensor_get_byte_size)(const void* tensor, size_t* bytes) = nullptr;
  void (*tensor_free)(void* tensor) = nullptr;
  void (*infer_request_free)(void* request) = nullptr;
  void (*compiled_model_free)(void* compiled) = nullptr;
  void (*model_free)(void* model) = nullptr;
  const char* (*get_last_err_msg)() = nullptr;
};

// A loaded library with one core. Never unloaded: its threads may outlive every model.
class OpenvinoLibrary {
 public:
  // `path`: of libopenvino_c.so; empty: as the system finds it. kUnsupported when there is none,
  // kBadInput when the file is no such library.
  static Result<std::shared_ptr<const OpenvinoLibrary>> load(const std::string& path);
  ~OpenvinoLibrary();
  OpenvinoLibrary(const OpenvinoLibrary&) = delete;
  OpenvinoLibrary& operator=(const OpenvinoLibrary&) = delete;

  const OpenvinoFunctions& call() const { return functions_; }
  const void* core() const { return core_; }
  // What the library says about a status that is not 0.
  Status check(int status, const char* what) const;

 private:
  OpenvinoLibrary() = default;
  OpenvinoFunctions functions_;
  void* core_ = nullptr;
};

}  // namespace edgewright
