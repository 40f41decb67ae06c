# shellcheck shell=bash
# ./dev build [TARGET…]: the release preset, into build/.

dev_build() {
  phase "configure" configure release
  phase "build" cmake --build --preset release -- -j "$(nproc)" "$@"
}

# configure PRESET: cmake's own output only when it fails.
configure() {
  local log
  log=$(mktemp)
  if ! cmake --preset "$1" >"$log" 2>&1; then
    cat "$log" >&2
    rm "$log"
    die "cmake cannot configure preset '$1'; './dev setup' installs what the build needs"
  fi
  rm "$log"
}
