# Compiles through ccache where it is installed. Presets name this file; they cannot ask themselves
# whether a program exists.
find_program(EDGEWRIGHT_CCACHE ccache)
if(EDGEWRIGHT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${EDGEWRIGHT_CCACHE})
endif()
