# shellcheck shell=bash
# ./dev fuzz [NAME…] [--seconds N | --runs N]: builds the fuzz targets of src/**/*_fuzz.cpp and runs them. An input that
# breaks one is kept, and printed with the command that shows it again.

dev_fuzz() {
  phase "system packages" install_packages build
  phase "fuzzer" install_packages fuzz
  phase "python tools" make_venv
  phase "build targets" build_fuzz_targets
  "$PYTHON" tools/fuzz.py "$@"
}

build_fuzz_targets() {
  configure fuzz || return
  cmake --build --preset fuzz -- -j "$(nproc)" penstock_fuzz_targets
}

# For ./dev test: long enough to walk through every seed and to notice what breaks easily; always the same choices.
run_fuzz() {
  install_packages fuzz || return
  build_fuzz_targets || return
  "$PYTHON" tools/fuzz.py --seconds 10 --seed 1 --junit "$PWD/$REPORTS/fuzz.xml"
}
