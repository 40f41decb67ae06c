# shellcheck shell=bash
# ./dev bench [NAME…]: runs bench/NAME.py, all of them by default; CONTRIBUTING.md says what such a script writes.

dev_bench() {
  dev_setup
  dev_build
  phase "base images" base_images
  export PATH=$PWD/build/bin:$PATH
  "$PYTHON" tools/bench.py "$@"
}
