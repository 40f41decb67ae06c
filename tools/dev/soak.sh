# shellcheck shell=bash
# ./dev soak: tests labelled `soak` (ctest) or marked so (pytest), which run for minutes to hours.

dev_soak() {
  dev_setup
  dev_build
  phase "base images" base_images
  rm -rf "$REPORTS"
  mkdir -p "$REPORTS"
  export PATH=$PWD/build/bin:$PWD/build/tools/bin:$PATH
  local unit suites=() suite
  unit=$(ctest --test-dir build -N -L '^soak$' | awk '/^  Test +#/ { print $3 }')
  for suite in $(pytest_suites); do
    # pytest's exit code 5: nothing selected.
    if "$PYTHON" -m pytest "$suite" -m soak --collect-only -q >/dev/null 2>&1; then suites+=("$suite"); fi
  done
  [[ -n $unit || ${#suites[@]} -gt 0 ]] || die "no test is labelled soak, so nothing was soaked"
  say "    soak tests: ${unit//$'\n'/ } ${suites[*]}"
  if [[ -n $unit ]]; then phase "soak" runner soak run_ctest build "$PWD/$REPORTS/soak.xml" -L '^soak$' --timeout 14400; fi
  for suite in "${suites[@]}"; do
    run_pytest "$suite" soak -o timeout=14400
  done
  "$PYTHON" tools/test_summary.py "$REPORTS"
}
