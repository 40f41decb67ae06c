# shellcheck shell=bash
# ./dev test: everything that a release must pass. Each runner leaves a JUnit file; tools/test_summary.py adds them up and
# counts a runner that left none, or an empty one, as a failure.

# Modules that own memory by hand, or read what others wrote: their unit tests run under AddressSanitizer and UBSan too.
readonly ASAN_MODULES=(base message transport manifest plan docker worker observe)
# Modules whose objects several threads use: theirs run under ThreadSanitizer. Processes that share memory are not seen by
# it, so what counts in transport are the tests with both ends in one process.
readonly TSAN_MODULES=(base transport docker nodes observe)

dev_test() {
  dev_setup
  dev_build
  phase "base images" base_images
  rm -rf "$REPORTS"
  mkdir -p "$REPORTS"
  export PATH=$PWD/build/bin:$PWD/build/tools/bin:$PATH
  export PENSTOCK_TEST_PYTHON_ROOT=$PWD/build/test-pythons
  phase "unit tests" runner unit run_ctest build "$PWD/$REPORTS/unit.xml" -LE '^soak$'
  phase "unit tests, asan" runner asan run_sanitized asan "${ASAN_MODULES[@]}"
  phase "unit tests, tsan" runner tsan run_sanitized tsan "${TSAN_MODULES[@]}"
  phase "fuzz targets" runner fuzz run_fuzz
  local suite
  for suite in $(pytest_suites); do
    run_pytest "$suite" "not soak"
  done
  phase "requirements" runner requirements "$PYTHON" tools/check_requirements.py --reports "$REPORTS"
  "$PYTHON" tools/test_summary.py "$REPORTS"
}

# runner NAME COMMAND…: goes on when COMMAND fails; the summary learns its exit code.
runner() {
  local name=$1 status=0
  shift
  "$@" || status=$?
  printf '%s\t%d\n' "$name" "$status" >>"$REPORTS/runners.tsv"
}

# run_pytest SUITE MARKERS OPTION…
run_pytest() {
  local suite=$1 markers=$2 name=pytest-${1//\//-}
  shift 2
  phase "pytest $suite" runner "$name" "$PYTHON" -m pytest "$suite" -m "$markers" --junitxml "$REPORTS/$name.xml" "$@"
}

run_ctest() {
  local directory=$1 report=$2
  shift 2
  ctest --test-dir "$directory" -j 2 --output-on-failure --progress --no-tests=error --output-junit "$report" "$@"
}

# run_sanitized PRESET MODULE…: the unit tests of some modules, built with a sanitizer.
run_sanitized() {
  local preset=$1 module targets=() pattern
  shift
  configure "$preset" || return
  for module in "$@"; do
    # A module without unit tests has no such target.
    if ninja -C "build/$preset" -t query "${module}_test" >/dev/null 2>&1; then targets+=("${module}_test"); fi
  done
  cmake --build --preset "$preset" -- -j "$(nproc)" "${targets[@]}" || return
  pattern=$(IFS='|'; printf '%s' "${targets[*]%_test}")
  run_ctest "build/$preset" "$PWD/$REPORTS/$preset.xml" -R "^($pattern)\." -LE '^(engine|slow|soak)$'
}

# One process a folder, so that suites cannot lean on each other's imports.
pytest_suites() {
  git ls-files --cached --others --exclude-standard -- 'tests/*/test_*.py' 'python/*/test_*.py' 'docker/*/test_*.py' 'examples/*/test_*.py' |
    awk -F/ '{ print ($1 == "tests") ? $1 "/" $2 : $1 }' | sort -u
}

# The script does nothing when the images exist, and says so.
base_images() { docker/scripts/build-base-images.sh; }
