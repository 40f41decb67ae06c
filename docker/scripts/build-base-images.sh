#!/bin/bash
# Makes the base images penstock/base:3.X, from an image registry or, without one, from what this host has.
# Does nothing for images that are there. Run with --help for the options.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib/common.sh
source "$here/lib/common.sh"
# shellcheck source=lib/debian_root.sh
source "$here/lib/debian_root.sh"
# shellcheck source=lib/python_tree.sh
source "$here/lib/python_tree.sh"

readonly kDockerfiles=$here/../base-images
# Raised when an image made by an older version must be made again. A label of each image; Penstock compares it.
kRecipe=$(<"$kDockerfiles/recipe-version")
# The time stamp of everything in the images, so that the same packages give the same layers. Any fixed time would do.
export SOURCE_DATE_EPOCH=1704067200
export LC_ALL=C.UTF-8

usage() {
  cat <<'USAGE'
usage: build-base-images.sh [--from auto|registry|local] [--python 3.X]... [--registry PREFIX] [--prefix DIR]...
                            [--repository NAME] [--force]

  --from auto       (default) registry when the registry's name resolves, else local; no connection is tried before that
  --from registry   python:3.X-slim-bookworm from an image registry
  --from local      no registry: Debian bookworm from this host's apt mirrors gives 3.11; other versions are that image
                    with a Python of this host (pyenv, uv, --prefix). --offline is the same.
  --python 3.X      which version; may be repeated. Default: 3.9, 3.10, 3.11
  --registry PREFIX where the python images are: "mirror.example.com/library". Default: the engine's own registry
  --prefix DIR      where a Python for --from local is: DIR/bin/python3.X; may be repeated.
                    Also $PENSTOCK_PYTHON_PREFIXES, separated by colons
  --repository NAME name of the images. Default: penstock/base, where Penstock looks for them
  --force           make them although they are there

$PENSTOCK_BASE_FROM and $PENSTOCK_BASE_REGISTRY are the defaults of --from and --registry.
Needs: docker; for --from local also mmdebstrap, patchelf and binutils.
Exit codes: 0 all there, 1 a step failed, 2 usage, 3 this machine lacks something.
USAGE
}

from=${PENSTOCK_BASE_FROM:-auto} registry=${PENSTOCK_BASE_REGISTRY:-} repository=penstock/base force=no versions=() kPrefixes=()
while (($# > 0)); do
  case $1 in
    --offline) from=local && shift && continue ;;
    --force) force=yes && shift && continue ;;
    -h | --help) usage && exit 0 ;;
  esac
  (($# >= 2)) || { usage >&2 && die "$kExitUsage" "build-base-images.sh: '$1' is unknown or lacks its value."; }
  case $1 in
    --from) from=$2 ;;
    --python) versions+=("$2") ;;
    --registry) registry=${2%/} ;;
    --prefix) kPrefixes+=("$2") ;;
    --repository) repository=$2 ;;
    *) usage >&2 && die "$kExitUsage" "build-base-images.sh: unknown option '$1'." ;;
  esac
  shift 2
done
((${#versions[@]} > 0)) || versions=(3.9 3.10 3.11)
[[ $from =~ ^(auto|registry|local)$ ]] || die "$kExitUsage" "--from takes auto, registry or local, not '$from'."
for version in "${versions[@]}"; do
  [[ $version =~ ^3\.(9|1[0-3])$ ]] || die "$kExitUsage" "--python takes 3.9 to 3.13, not '$version'."
done


main() {
  local present version missing=() failed=0 rc
  require docker 'Making images'
  present=$(docker image ls --filter "label=penstock.base.recipe=$kRecipe" --format '{{.Tag}}' "$repository" 2>&1) ||
    die "$kExitEnvironment" "The Docker engine does not answer: $(redact <<<"$present" | head -n 1)"
  for version in "${versions[@]}"; do
    if [[ $force = no ]] && grep -qxF "$version" <<<"$present"; then
      say "base $version: $repository:$version is there"
    else
      missing+=("$version")
    fi
  done
  ((${#missing[@]} > 0)) || return 0

  make_scratch
  choose_source
  for version in "${missing[@]}"; do
    rc=0
    make_one "$version" || rc=$?
    ((rc == 0)) || failed=$rc
  done
  return "$failed"
}

# Turns `auto` into one of the other two, and says why.
choose_source() {
  local host=registry-1.docker.io
  # The first part of an image name is a host when it looks like one.
  if [[ ${registry%%/*} =~ [.:] || ${registry%%/*} = localhost ]]; then host=${registry%%/*} host=${host%:*}; fi
  fall_back=no
  case $from in
    auto)
      if timeout 5 getent hosts "$host" >/dev/null; then
        from=registry fall_back=yes
        say "base images: from the registry ($host resolves; --from local builds without one)"
      else
        from=local
        say "base images: built from this host's packages and interpreters ($host does not resolve; --from registry insists)"
      fi
      ;;
    registry) say 'base images: from the registry, as asked' ;;
    local) say "base images: built from this host's packages and interpreters, as asked" ;;
  esac
}

# Makes $repository:$1 unless somebody else has, meanwhile. One process at a time per image name.
make_one() {
  local version=$1 locks lock waited=no rc=0
  locks=${XDG_STATE_HOME:-$HOME/.local/state}/penstock/locks
  (umask 077 && mkdir -p "$locks")
  # The lock files stay: deleting one would let two processes lock two files of the same name.
  exec {lock}>"$locks/base-${repository//\//_}-$version"
  if ! flock --nonblock "$lock"; then
    say "base $version: somebody else is making it; waiting"
    flock "$lock"
    waited=yes
  fi
  if [[ $force = no || $waited = yes ]] && is_present "$version"; then
    say "base $version: $repository:$version is there now"
    exec {lock}>&-
    return 0
  fi
  if [[ $from = registry ]]; then
    if ! from_registry "$version"; then
      rc=$kExitFailed
      if [[ $fall_back = yes ]]; then
        say "base $version: the registry did not deliver; building it here instead"
        rc=0
        from_host "$version" || rc=$?
      fi
    fi
  else
    from_host "$version" || rc=$?
  fi
  exec {lock}>&-
  return "$rc"
}

is_present() {
  [[ -n $(docker image ls -q --filter "label=penstock.base.recipe=$kRecipe" "$repository:$1") ]]
}

from_registry() {
  local version=$1 prefix=${registry:+$registry/} label options=()
  for label in $(labels "$version" registry); do options+=(--label "$label"); done
  mkdir -p "$scratch/empty"
  run_step "base $version" "building on python:$version-slim-bookworm" build_image \
    --build-arg "REGISTRY=$prefix" "${options[@]}" -f "$kDockerfiles/python${version/./}.Dockerfile" "$scratch/empty" ||
    return "$kExitFailed"
  publish "$version"
}

from_host() {
  if [[ $1 = 3.11 ]]; then from_debian "$1"; else from_tree "$1"; fi
}

from_debian() {
  local version=$1
  require mmdebstrap "A base image without a registry"
  debian_sources >/dev/null || {
    warn "base $version: this host's apt has no Debian mirror to take $kSuite from. Run 'apt-get update' on a Debian host," \
      "set PENSTOCK_DEBIAN_MIRROR, or use --from registry."
    return "$kExitEnvironment"
  }
  may_unpack || {
    warn "base $version: unpacking Debian needs root, or the package 'uidmap' and ranges for $(id -un) in /etc/subuid and" \
      "/etc/subgid. Make this one image as root (sudo $0 --offline --python 3.11), or use --from registry."
    return "$kExitEnvironment"
  }
  run_step "base $version" "unpacking Debian $kSuite (about a minute)" make_debian_root "$scratch/root.tar" &&
    run_step "base $version" 'importing' import_root "$version" && publish "$version" || return "$kExitFailed"
}

# Only root, or a user with sub-ids of its own, can give files to the owners that they must have.
may_unpack() {
  ((EUID == 0)) || { command -v newuidmap >/dev/null && grep -qs "^$(id -un):" /etc/subuid && unshare --user true 2>/dev/null; }
}

import_root() {
  docker import --change 'CMD ["python3"]' --change 'USER 1000:1000' \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change "LABEL $(labels "$1" local /usr/bin/python3)" \
    "$scratch/root.tar" >"$scratch/id" && rm "$scratch/root.tar"
}

# Debian's image with this host's Python $1 in /opt/python.
from_tree() {
  local version=$1 prefix
  prefix=$(find_python_prefix "$version") || {
    warn "base $version: no Python $version on this host to build the image from. Install one ('pyenv install $version'" \
      "or 'uv python install $version'), name one with --prefix, or use --from registry."
    return "$kExitEnvironment"
  }
  require patchelf "A base image with this host's Python"
  require strip "A base image with this host's Python"
  is_present 3.11 || make_one 3.11 || return
  mkdir -p "$scratch/context"
  cat >"$scratch/context/Dockerfile" <<DOCKERFILE
FROM $repository:3.11
ADD python.tar /
ENV PATH=/opt/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LABEL $(labels "$version" local /opt/python/bin/python3)
DOCKERFILE
  run_step "base $version" "copying the host's Python $version" make_python_tree "$prefix" "$version" "$scratch/context/python.tar" &&
    run_step "base $version" 'building' build_image "$scratch/context" &&
    rm -r "$scratch/context" && publish "$version" || return "$kExitFailed"
}

# What tells an image of this script from others, and where its Python is (absent: Penstock looks). No spaces in values.
labels() {
  local version=$1 source=$2 interpreter=${3:-}
  echo "penstock.base=$version penstock.base.recipe=$kRecipe penstock.base.from=$source${interpreter:+ penstock.interpreter=$interpreter}"
}

# docker build, without a tag: nobody may find the image before it has been tried.
build_image() {
  # Without the buildx plug-in, docker's command line would only warn and then use the classic builder.
  docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
  docker build --force-rm --iidfile "$scratch/id" "$@"
}

# Gives the new image its name once it has been seen to work; else removes it.
publish() {
  local version=$1 id
  id=$(<"$scratch/id")
  if ! run_step "base $version" 'trying it' docker run --rm --network none --read-only "$id" python3 -c "
import sys, os
import asyncio, bz2, ctypes, curses, decimal, hashlib, lzma, multiprocessing, readline, sqlite3, ssl, uuid, venv, zlib
assert sys.version_info[:2] == (${version/./, }), sys.version
assert os.getuid() == 1000"; then
    docker image rm "$id" >/dev/null 2>&1 || true
    return 1
  fi
  docker tag "$id" "$repository:$version"
  say "base $version: $repository:$version is ready"
}

main
