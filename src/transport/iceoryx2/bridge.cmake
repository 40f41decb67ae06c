# The Rust crate as a static library, built by cargo: penstock_bridge_rust.
find_program(CARGO cargo HINTS $ENV{HOME}/.cargo/bin)
if(NOT CARGO)
  message(FATAL_ERROR "cargo is missing: install Rust 1.89 or newer (https://rustup.rs), or run ./dev setup")
endif()

set(PENSTOCK_CRATE ${CMAKE_CURRENT_LIST_DIR})
# One target directory for all presets saves the minute that the dependencies take, in every further build tree.
if(DEFINED ENV{CARGO_TARGET_DIR})
  set(PENSTOCK_CARGO_TARGET $ENV{CARGO_TARGET_DIR})
else()
  set(PENSTOCK_CARGO_TARGET ${CMAKE_SOURCE_DIR}/build/cargo)
endif()
set(PENSTOCK_BRIDGE ${CMAKE_BINARY_DIR}/lib/libpenstock_bridge.a)
file(GLOB PENSTOCK_CRATE_SOURCES CONFIGURE_DEPENDS ${PENSTOCK_CRATE}/src/*.rs)

# Copied, so that build trees which share a target directory do not rebuild each other's library.
add_custom_command(
  OUTPUT ${PENSTOCK_BRIDGE}
  COMMAND ${CMAKE_COMMAND} -E env CARGO_TARGET_DIR=${PENSTOCK_CARGO_TARGET}
    ${CARGO} build --release --locked --manifest-path ${PENSTOCK_CRATE}/Cargo.toml
  COMMAND ${CMAKE_COMMAND} -E copy ${PENSTOCK_CARGO_TARGET}/release/libpenstock_bridge.a ${PENSTOCK_BRIDGE}
  DEPENDS ${PENSTOCK_CRATE_SOURCES} ${PENSTOCK_CRATE}/Cargo.toml ${PENSTOCK_CRATE}/Cargo.lock
  COMMENT "Building the iceoryx2 bridge with cargo (the first time takes a minute)"
  USES_TERMINAL VERBATIM)
add_custom_target(penstock_bridge_build DEPENDS ${PENSTOCK_BRIDGE})

add_library(penstock_bridge_rust INTERFACE)
add_dependencies(penstock_bridge_rust penstock_bridge_build)
# What `rustc --print native-static-libs` says.
target_link_libraries(penstock_bridge_rust INTERFACE ${PENSTOCK_BRIDGE} gcc_s util rt pthread m dl)
