# One function each for the compiler settings, the dependencies, the rooms of src/ and their tests.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Hot loops are vectorised by hand (Highway), so more than -O2 only costs build time.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
# Release keeps its checks: EDGEWRIGHT_CHECK does not depend on NDEBUG.
set(EDGEWRIGHT_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize=")

# Mold links the tests several times quicker; everything works without it.
find_program(EDGEWRIGHT_MOLD mold)
if(EDGEWRIGHT_MOLD AND NOT CMAKE_CROSSCOMPILING)
  add_link_options(-fuse-ld=mold)
endif()

# A program needs the libraries that it calls, not all those that its rooms could call: gRPC's take
# longer to load than most commands run.
add_link_options(-Wl,--as-needed)

function(edgewright_settings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Werror -Wno-missing-field-initializers
    # GCC 12 warns of overlapping copies in its own std::string (GCC bug 105651).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
  if(EDGEWRIGHT_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${EDGEWRIGHT_SANITIZE}
      -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${EDGEWRIGHT_SANITIZE})
    if(EDGEWRIGHT_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # The instrumented code hides from GCC which optionals have a value.
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
  endif()
endfunction()

macro(edgewright_dependencies)
  find_package(Threads REQUIRED)
  find_package(fmt REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(simdjson REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(Protobuf REQUIRED)
  find_package(ONNX CONFIG REQUIRED)
  find_package(SQLite3 REQUIRED)
  find_package(pugixml REQUIRED)
  find_program(EDGEWRIGHT_FLATC flatc REQUIRED)
  find_package(PkgConfig REQUIRED)
  find_package(Boost REQUIRED)
  find_package(OpenSSL REQUIRED)
  pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
  pkg_check_modules(CAPSTONE REQUIRED IMPORTED_TARGET capstone)
  pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc)
  pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
  pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
  pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
  option(EDGEWRIGHT_ONEDNN "use oneDNN kernels where the library is found" ON)
  set(EDGEWRIGHT_HAVE_ONEDNN OFF)
  if(EDGEWRIGHT_ONEDNN)
    find_package(dnnl 3 QUIET)
    if(dnnl_FOUND)
      set(EDGEWRIGHT_HAVE_ONEDNN ON)
    endif()
  endif()
  message(STATUS "oneDNN kernels: ${EDGEWRIGHT_HAVE_ONEDNN}")
  edgewright_server_dependencies()
endmacro()

# What the inference server needs beside everything else; without it there is no server.
macro(edgewright_server_dependencies)
  option(EDGEWRIGHT_SERVER "build the inference server where its libraries are found" ON)
  set(EDGEWRIGHT_HAVE_SERVER OFF)
  if(EDGEWRIGHT_SERVER)
    pkg_check_modules(GRPC QUIET IMPORTED_TARGET grpc++)
    pkg_check_modules(PROMETHEUS QUIET IMPORTED_TARGET prometheus-cpp-core)
    find_program(EDGEWRIGHT_GRPC_PLUGIN grpc_cpp_plugin)
    find_path(EDGEWRIGHT_BEAST boost/beast/http/parser.hpp)
    if(GRPC_FOUND AND PROMETHEUS_FOUND AND EDGEWRIGHT_GRPC_PLUGIN AND
       EDGEWRIGHT_BEAST)
      set(EDGEWRIGHT_HAVE_SERVER ON)
    endif()
  endif()
  message(STATUS "inference server: ${EDGEWRIGHT_HAVE_SERVER}")
endmacro()

# Drops the sources, and the tests, that need libraries which are not there.
function(edgewright_drop_absent variable)
  set(kept ${${variable}})
  if(NOT EDGEWRIGHT_HAVE_ONEDNN)
    list(FILTER kept EXCLUDE REGEX "_onednn\\.cc$")
  endif()
  if(NOT EDGEWRIGHT_HAVE_SERVER)
    list(FILTER kept EXCLUDE REGEX "/src/(serve/(http|grpc)|api/serve)/")
  endif()
  set(${variable} ${kept} PARENT_SCOPE)
endfunction()

# The messages and the service of gRPC, compiled from their description.
function(edgewright_grpc_messages target)
  set(folder ${PROJECT_SOURCE_DIR}/src/serve/grpc)
  set(made ${CMAKE_BINARY_DIR}/grpc)
  file(MAKE_DIRECTORY ${made})
  set(sources ${made}/inference.pb.cc ${made}/inference.grpc.pb.cc)
  add_custom_command(OUTPUT ${sources} ${made}/inference.pb.h ${made}/inference.grpc.pb.h
    COMMAND protobuf::protoc --proto_path=${folder} --cpp_out=${made} --grpc_out=${made}
      --plugin=protoc-gen-grpc=${EDGEWRIGHT_GRPC_PLUGIN} ${folder}/inference.proto
    DEPENDS ${folder}/inference.proto VERBATIM)
  # What is generated is not ours to warn about.
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS -w)
  target_sources(${target} PRIVATE ${sources})
  # Private: rooms that see the server must not be compiled anew for it.
  target_include_directories(${target} SYSTEM PRIVATE ${made})
  target_link_libraries(${target} PRIVATE PkgConfig::GRPC PkgConfig::PROMETHEUS
    protobuf::libprotobuf)
endfunction()

# Third-party libraries that a room may see; every other room goes without.
set(edgewright_external_base fmt::fmt nlohmann_json::nlohmann_json sodium Threads::Threads)
set(edgewright_external_tensor ${CMAKE_DL_LIBS})
set(edgewright_external_formats ONNX::onnx ONNX::onnx_proto PkgConfig::LIBZIP pugixml::pugixml)
set(edgewright_external_verify Boost::headers)
set(edgewright_external_llm PkgConfig::PCRE2 PkgConfig::UTF8PROC)
set(edgewright_external_runtime simdjson::simdjson)
set(edgewright_external_kernels PkgConfig::HWY)
set(edgewright_external_profile SQLite::SQLite3 PkgConfig::CAPSTONE)
set(edgewright_external_device fdt PkgConfig::HWLOC)
set(edgewright_external_split blosc sodium)
set(edgewright_external_serve Boost::headers OpenSSL::SSL)

# The data files of src/device/catalogue as one source: they are found by name without any folder.
function(edgewright_catalogue output)
  set(folder ${PROJECT_SOURCE_DIR}/src/device/catalogue)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.toml ${folder}/links/*.toml)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(rows "")
  foreach(path ${files})
    get_filename_component(name ${path} NAME_WLE)
    set(kind devices)
    if(path MATCHES "/links/[^/]*$")
      set(kind links)
    endif()
    file(READ ${path} text)
    # A string literal may hold 64 KiB by the standard; longer files go in pieces.
    string(LENGTH "${text}" length)
    set(literals "")
    set(from 0)
    while(from LESS length)
      string(SUBSTRING "${text}" ${from} 16000 piece)
      string(APPEND literals "R\"toml(${piece})toml\"\n")
      math(EXPR from "${from} + 16000")
    endwhile()
    string(APPEND rows "  {\"${kind}\", \"${name}\",\n${literals}},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT "// Generated from src/device/catalogue.
#include <span>

#include \"device/catalogue.h\"

namespace edgewright {

std::span<const CatalogueFile> catalogue_files();
std::span<const CatalogueFile> catalogue_files() {
  static const CatalogueFile kFiles[] = {
@rows@  };
  return kFiles;
}

}  // namespace edgewright
")
endfunction()

# The support tables of src/targets/support as one source.
function(edgewright_support_tables output)
  file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/targets/support/*.tsv)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(rows "")
  foreach(path ${files})
    get_filename_component(name ${path} NAME_WLE)
    file(READ ${path} text)
    string(LENGTH "${text}" length)
    set(literals "")
    set(from 0)
    while(from LESS length)
      string(SUBSTRING "${text}" ${from} 16000 piece)
      string(APPEND literals "R\"tsv(${piece})tsv\"\n")
      math(EXPR from "${from} + 16000")
    endwhile()
    string(APPEND rows "  {\"${name}\",\n${literals}},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT "// Generated from src/targets/support.
#include \"targets/support.h\"

namespace edgewright {

std::span<const SupportFile> support_files() {
  static const SupportFile kFiles[] = {
@rows@  };
  return kFiles;
}

}  // namespace edgewright
")
endfunction()

# The classes of a FlatBuffers schema, included as its path with "_generated.h".
function(edgewright_flatbuffers target schema)
  get_filename_component(folder ${schema} DIRECTORY)
  set(output ${CMAKE_BINARY_DIR}/generated/${folder})
  get_filename_component(name ${schema} NAME_WE)
  add_custom_command(OUTPUT ${output}/${name}_generated.h
    COMMAND ${EDGEWRIGHT_FLATC} --cpp --gen-object-api --scoped-enums -o ${output}
      ${PROJECT_SOURCE_DIR}/src/${schema}
    DEPENDS ${PROJECT_SOURCE_DIR}/src/${schema})
  target_sources(${target} PRIVATE ${output}/${name}_generated.h)
  target_include_directories(${target} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/generated)
endfunction()

# The page of --report: web/ and the plot library as one file, and that as one source. `sources` is
# set to it. Without the bundler the source holds an empty page, and --report says why.
function(edgewright_report_page sources)
  set(web ${PROJECT_SOURCE_DIR}/.deps/web)
  set(work ${CMAKE_BINARY_DIR}/report_page)
  set(embed ${PROJECT_SOURCE_DIR}/cmake/embed_report_page.cmake)
  file(GLOB_RECURSE modules CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/web/*.js
    ${PROJECT_SOURCE_DIR}/web/*.css)
  set(page ${PROJECT_SOURCE_DIR}/web/page.html)
  set(style ${PROJECT_SOURCE_DIR}/web/style.css)
  find_program(EDGEWRIGHT_ESBUILD esbuild PATHS ${web}/bin NO_DEFAULT_PATH
    NO_CMAKE_FIND_ROOT_PATH)
  set(bundle "")
  if(EDGEWRIGHT_ESBUILD)
    set(bundle COMMAND ${CMAKE_COMMAND} -E env NODE_PATH=${web}/node_modules ${EDGEWRIGHT_ESBUILD}
      ${PROJECT_SOURCE_DIR}/web/src/main.js ${style} --bundle --minify --format=iife
      --target=es2022 --charset=utf8 --log-level=warning --outdir=${work} --entry-names=[name])
  endif()
  message(STATUS "report page: ${EDGEWRIGHT_ESBUILD}")
  add_custom_command(OUTPUT ${work}/report_page.cc ${bundle}
    COMMAND ${CMAKE_COMMAND} -DPAGE=${page} -DBUNDLED=${EDGEWRIGHT_ESBUILD} -DFOLDER=${work}
      -P ${embed}
    DEPENDS ${modules} ${page} ${embed} ${PROJECT_SOURCE_DIR}/web/package-lock.json
    COMMENT "Bundling the report page" VERBATIM)
  set(${sources} ${work}/report_page.cc PARENT_SCOPE)
endfunction()

# Every room is one static library edgewright::<room>, linked as src/layers.txt says.
function(edgewright_rooms layers_file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${layers_file})
  file(STRINGS ${layers_file} lines REGEX "^[a-z]+:")
  foreach(line ${lines})
    string(REGEX REPLACE ":.*" "" room ${line})
    string(REGEX REPLACE "^[a-z]+: *" "" dependencies "${line}")
    separate_arguments(dependencies)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*.cc)
    list(FILTER sources EXCLUDE REGEX "_(test|bench)\\.cc$")
    edgewright_drop_absent(sources)
    if(NOT sources)
      continue()
    endif()
    if(room STREQUAL device)
      edgewright_catalogue(${CMAKE_BINARY_DIR}/catalogue.cc)
      list(APPEND sources ${CMAKE_BINARY_DIR}/catalogue.cc)
    endif()
    if(room STREQUAL "targets")
      edgewright_support_tables(${CMAKE_BINARY_DIR}/support_tables.cc)
      list(APPEND sources ${CMAKE_BINARY_DIR}/support_tables.cc)
    endif()
    if(room STREQUAL report)
      edgewright_report_page(page_source)
      list(APPEND sources ${page_source})
    endif()
    add_library(edgewright_${room} STATIC ${sources})
    add_library(edgewright::${room} ALIAS edgewright_${room})
    edgewright_settings(edgewright_${room})
    target_include_directories(edgewright_${room} PUBLIC ${PROJECT_SOURCE_DIR}/src
      ${PROJECT_SOURCE_DIR}/include)
    foreach(dependency ${dependencies})
      if(TARGET edgewright_${dependency})
        target_link_libraries(edgewright_${room} PUBLIC edgewright_${dependency})
      endif()
    endforeach()
    if(edgewright_external_${room})
      target_link_libraries(edgewright_${room} PUBLIC ${edgewright_external_${room}})
    endif()
    if(room STREQUAL formats)
      edgewright_flatbuffers(edgewright_formats formats/tflite/schema.fbs)
    endif()
    if(room STREQUAL serve AND EDGEWRIGHT_HAVE_SERVER)
      edgewright_grpc_messages(edgewright_serve)
      if(EDGEWRIGHT_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # Boost.Asio's fences mean nothing to the sanitizer, which sees its locks.
        set_source_files_properties(src/serve/http_connection.cc
          PROPERTIES COMPILE_OPTIONS -Wno-tsan)
      endif()
    endif()
    set_property(GLOBAL APPEND PROPERTY EDGEWRIGHT_ROOMS ${room})
  endforeach()
  if(TARGET edgewright_kernels AND EDGEWRIGHT_HAVE_ONEDNN)
    # GNU OpenMP is the library's own; kernels keep its teams to one thread.
    target_link_libraries(edgewright_kernels PUBLIC DNNL::dnnl gomp)
    target_compile_definitions(edgewright_kernels PUBLIC EDGEWRIGHT_HAVE_ONEDNN=1)
  endif()
  target_compile_definitions(edgewright_base PRIVATE EDGEWRIGHT_VERSION="${PROJECT_VERSION}")
endfunction()

# The x_test.cc files beside a room's sources become one test program per room.
function(edgewright_room_tests)
  find_package(GTest REQUIRED)
  get_property(rooms GLOBAL PROPERTY EDGEWRIGHT_ROOMS)
  foreach(room ${rooms})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${room}/*_test.cc)
    edgewright_drop_absent(sources)
    if(sources)
      edgewright_test(${room}_test SOURCES ${sources} ROOMS ${room})
    endif()
  endforeach()
endfunction()

# edgewright_test(NAME SOURCES ... ROOMS ... [LABELS ...]): a GoogleTest program, run as one ctest
# per case.
function(edgewright_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;ROOMS;LABELS" ${ARGN})
  find_package(GTest REQUIRED)
  if(NOT TARGET edgewright_test_main)
    add_library(edgewright_test_main STATIC ${PROJECT_SOURCE_DIR}/tests/support/test_main.cc)
    edgewright_settings(edgewright_test_main)
    target_link_libraries(edgewright_test_main PUBLIC GTest::gtest GTest::gmock)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  edgewright_settings(${name})
  list(TRANSFORM ARG_ROOMS PREPEND edgewright::)
  target_link_libraries(${name} PRIVATE ${ARG_ROOMS} edgewright_test_main)
  # Tests are compiled far more often than run: what they call is optimised, they are not.
  target_compile_options(${name} PRIVATE -O0)
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120
    PROPERTIES LABELS "${ARG_LABELS}")
endfunction()
