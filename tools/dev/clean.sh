# shellcheck shell=bash
# ./dev clean: what the build made. What penstock itself keeps (images, caches, logs) is its user's.

dev_clean() {
  if [[ -e build ]]; then
    rm -r build
    say "removed build/"
  else
    say "nothing to remove"
  fi
}
