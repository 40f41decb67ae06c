# shellcheck shell=bash
# ./dev demo [ARGS…]: from a fresh clone to captions on the terminal. ARGS go to `penstock run`.

dev_demo() {
  local example=examples/speech-captions argument images=true
  for argument in "$@"; do
    # Without containers no image is needed.
    if [[ $argument == process || $argument == --placement=process ]]; then images=false; fi
  done
  dev_setup
  dev_build
  export PATH=$PWD/build/bin:$PATH
  if $images; then phase "base images" base_images; fi
  phase "audio" "$example/fetch_audio.py"
  say "==> penstock run $example/captions.yaml $*"
  penstock run "$example/captions.yaml" "$@"
}
