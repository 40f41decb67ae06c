# shellcheck shell=bash disable=SC2034
# Shared by the files beside this one; sourced by ./dev, whose working directory is the repository.

readonly VENV=build/venv
readonly REPORTS=build/reports
readonly CRATE=src/transport/iceoryx2/Cargo.toml
# A venv's python is a link: PATH need not be changed to use it.
readonly PYTHON=$VENV/bin/python

export CCACHE_BASEDIR=$PWD
export CCACHE_NOHASHDIR=1

say() { printf '%s\n' "$*"; }

# The second argument is the exit code: 1 it failed, 2 usage, 3 the host lacks something.
die() {
  printf 'dev: %s\n' "$1" >&2
  exit "${2:-1}"
}

# phase NAME COMMAND…: says what starts and how long it took. Its exit code is the command's.
# Not to be used in a condition where COMMAND relies on errexit.
phase() {
  local name=$1 started=$EPOCHREALTIME
  shift
  say "==> $name"
  "$@"
  say "    $name: $(seconds_since "$started") s"
}

seconds_since() {
  local elapsed=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
  printf '%d.%d' $((elapsed / 1000000)) $((elapsed / 100000 % 10))
}

# package_list SECTION: the names in tools/apt-packages.txt.
package_list() {
  awk -v section="[$1]" '/^\[/ { inside = ($0 == section); next } inside && !/^#/ && NF { print $1 }' tools/apt-packages.txt
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "needs root for: $*. Install sudo, or run './dev setup' once as root." 3
  fi
}

# Branch that changes are compared against; empty when there is none.
main_ref() {
  local ref
  for ref in origin/main main; do
    if git rev-parse --verify --quiet "$ref" >/dev/null; then
      printf '%s' "$ref"
      return
    fi
  done
}

# changed_files PATTERN…: tracked files that differ from main, and new ones. --all in $1: every tracked file.
changed_files() {
  local base
  if [[ ${1:-} == --all ]]; then
    shift
    git ls-files --cached --others --exclude-standard -- "$@"
    return
  fi
  base=$(git merge-base HEAD "$(main_ref)" 2>/dev/null || true)
  {
    if [[ -n $base ]]; then git diff --name-only --diff-filter=d "$base" -- "$@"; else git ls-files -- "$@"; fi
    git ls-files --others --exclude-standard -- "$@"
  } | sort -u
}
