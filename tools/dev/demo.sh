# shellcheck shell=bash
# ./dev demo [ARGS…]: from a fresh clone to captions on the terminal. ARGS go to `penstock run`.

# What `penstock run` of the example needs: no unit tests, no benchmarks.
readonly DEMO_TARGETS=(penstock penstock-agent penstock-native penstock-cleaner penstock-decode penstock_media penstock_python
  penstock_share_docker)

dev_demo() {
  local example=examples/speech-captions argument images=true
  for argument in "$@"; do
    # Without containers no image is needed.
    if [[ $argument == process || $argument == --placement=process ]]; then images=false; fi
  done
  # What only tests need is left to setup: their tools, and further Pythons.
  phase "system packages" install_packages build
  phase "rust" check_rust
  if $images; then
    phase "docker engine" check_engine
  fi
  dev_build "${DEMO_TARGETS[@]}"
  export PATH=$PWD/build/bin:$PATH
  if $images; then phase "base images" base_images; fi
  phase "audio" "$example/fetch_audio.py"
  say "==> penstock run $example/captions.yaml $*"
  penstock run "$example/captions.yaml" "$@"
}
