# shellcheck shell=bash
# ./dev chaos [--seed S] [--minutes N] [--rounds N] [--containers] [--engine] [--report FILE] …: random pipelines under
# random faults, against what their nodes must see. A violated prediction prints the seed that makes the same pipeline and
# the same faults again. `--help` lists the faults, and the features of pipelines.

dev_chaos() {
  dev_setup
  dev_build
  phase "base images" base_images
  export PATH=$PWD/build/bin:$PATH
  "$PYTHON" tests/chaos/chaos.py "$@"
}
