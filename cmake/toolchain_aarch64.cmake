# Cross compiler, libraries and emulator for 64-bit ARM, as `tools/setup --cross` installs them.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

get_filename_component(edgewright_root ${CMAKE_CURRENT_LIST_DIR} DIRECTORY)
# Without links: the emulator and pkg-config compare paths as text.
get_filename_component(edgewright_deps ${edgewright_root}/.deps REALPATH)
set(CMAKE_SYSROOT ${edgewright_deps}/sysroot-aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# Programs run on the host; libraries, headers and package files are the target's.
set(CMAKE_FIND_ROOT_PATH ${CMAKE_SYSROOT} ${edgewright_deps}/prefix-aarch64)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
  ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)

# Tests run under user-mode emulation, which finds the target's libraries in the sysroot.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-L;${CMAKE_SYSROOT})
