# What the presets say and tools/setup prepares, for a build that pip starts.
include(${PROJECT_SOURCE_DIR}/cmake/compiler_cache.cmake)
set(setup ${PROJECT_SOURCE_DIR}/tools/setup)
if(NOT EXISTS ${PROJECT_SOURCE_DIR}/.deps/prefix/lib/cmake/ONNX)
  # pip shows its build environment to every Python beneath it; setup makes its own.
  execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=PYTHONPATH ${setup}
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "tools/setup could not prepare the build; run it by hand to see why")
  endif()
endif()
list(PREPEND CMAKE_PREFIX_PATH ${PROJECT_SOURCE_DIR}/.deps/prefix)
