# The step `tools/setup --cross`, sourced by tools/setup_steps.sh: compiler and emulator from the
# distribution, and the target's libraries unpacked beside the project. Adding the foreign
# architecture to the system instead would replace its own protobuf compiler.

cross_packages=(g++-aarch64-linux-gnu qemu-user)
# The target's libraries: those that the host's build needs.
sysroot_packages=(libc6-dev libstdc++6)
for package in "${build_packages[@]}"; do
  if [[ $package == *-dev ]]; then sysroot_packages+=("$package"); fi
done

install_cross_toolchain() {
  command -v apt-get >/dev/null || fail "the cross build needs apt-get for the target's libraries"
  install_packages "${cross_packages[@]}"
}

# apt-get on package lists and a package state of its own, for the target.
target_apt() {
  local state=$deps/work/apt
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  echo 'APT::Architectures { "arm64"; };' >"$state/apt.conf"
  APT_CONFIG=$state/apt.conf apt-get -qq -o APT::Architecture=arm64 -o APT::Sandbox::User=root \
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Debug::NoLocking=1 \
    -o Dir::Cache="$state" -o Dir::Cache::archives="$state/archives" -o Dir::Log="$state" \
    -o Dir::State::extended_states="$state/extended_states" -o Dir::State::lists="$state/lists" \
    -o Dir::State::status=/dev/null "$@" >&2
}

unpack_sysroot() {
  local sysroot=$1 package
  rm -rf "$sysroot" "$deps/work/apt"
  target_apt update
  target_apt install -y --download-only --no-install-recommends "${sysroot_packages[@]}"
  mkdir -p "$sysroot"
  for package in "$deps"/work/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$sysroot"
  done
  rm -rf "$deps/work/apt"
  # Absolute links are meant for a root file system; here they would lead to the host's files.
  local link target
  while read -r link; do
    target=$(readlink "$link")
    if [[ $target == /* ]]; then
      ln -sfnr "$sysroot$target" "$link"
    fi
  done < <(find "$sysroot" -type l)
}

install_cross_libraries() {
  # Python generates the .proto files and protoc the sources: both are the host's.
  build_onnx "$deps/prefix-aarch64" \
    -DCMAKE_TOOLCHAIN_FILE="$root/cmake/toolchain_aarch64.cmake" \
    -DONNX_CUSTOM_PROTOC_EXECUTABLE="$(command -v protoc)" \
    -DProtobuf_PROTOC_EXECUTABLE="$(command -v protoc)"
}
