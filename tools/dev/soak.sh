# shellcheck shell=bash
# ./dev soak: tests labelled `soak` (ctest) or marked so (pytest), which run for minutes to hours: `--minutes N` is the
# length of those that have one (an hour of video, ten minutes of concurrent sessions). What they have sampled is in
# build/soak; `--only SUITE`, as often as wanted, takes only those of tests/SUITE.

dev_soak() {
  local only=()
  while [[ $# -gt 0 ]]; do
    case $1 in
      --minutes)
        [[ ${2:-} =~ ^[0-9]+([.][0-9]+)?$ ]] || die "--minutes takes a number of minutes" 2
        export PENSTOCK_SOAK_MINUTES=$2
        ;;
      --only)
        [[ -d tests/${2:-} && -n ${2:-} ]] || die "--only takes the name of a folder below tests/" 2
        only+=("tests/$2")
        ;;
      *) die "./dev soak takes --minutes N and --only SUITE, not '$1'" 2 ;;
    esac
    shift 2
  done
  dev_setup
  dev_build
  phase "base images" base_images
  rm -rf "$REPORTS"
  mkdir -p "$REPORTS"
  export PATH=$PWD/build/bin:$PWD/build/tools/bin:$PATH
  local unit suites=() suite
  unit=$(ctest --test-dir build -N -L '^soak$' | awk '/^  Test +#/ { print $3 }')
  if [[ ${#only[@]} -gt 0 ]]; then unit=; fi
  for suite in $(if [[ ${#only[@]} -gt 0 ]]; then printf '%s\n' "${only[@]}"; else pytest_suites; fi); do
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
