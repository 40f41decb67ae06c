#!/bin/sh
# First half of an environment: downloads everything into the cache, in a container with network that is thrown away.
#
# /mnt  what to get and how this host gets it (read-only; see src/image/host_config.h)
# /srv  the download cache: apt/, pip/, pip-home/ and sources/ are shared by all environments; builds/$BUILD_ID belongs
#       to this one, and tells the host in hashes-* which files the packages came in
#
# With a lock the lists name exact versions, and what arrives must have the hashes that the lock says: pip checks its
# own, /mnt/debs.lock has those of the system packages.
set -eu
# shellcheck source=/dev/null
. /mnt/build # BUILD_ID, PYTHON, PYTHON_VERSION, CACHE_UID, CACHE_GID
# shellcheck source=/dev/null
. /mnt/mirrors
# shellcheck source=/dev/null
. /mnt/env
ID=unknown VERSION_CODENAME=
# shellcheck source=/dev/null
[ ! -r /etc/os-release ] || . /etc/os-release
platform=$ID-${VERSION_CODENAME:-${VERSION_ID:-0}}-$(uname -m)
apt=/srv/apt/$platform
build=/srv/builds/$BUILD_ID
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/tmp
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
export PIP_CACHE_DIR="/srv/pip/$platform"

step() { echo "::step $*"; }

# The cache belongs to the user on the host, who must be able to remove it.
own_directory() {
  mkdir -p "$@"
  chown "$CACHE_UID:$CACHE_GID" "$@"
}

# Packages' own build code runs in here: not as root, where that can be had.
as_owner() {
  if [ "$CACHE_UID" = 0 ] || ! command -v setpriv >/dev/null; then
    "$@"
  else
    setpriv --reuid="$CACHE_UID" --regid="$CACHE_GID" --clear-groups "$@"
  fi
}

# One container at a time uses apt's part of the cache.
lock_apt() {
  own_directory /srv/apt "$apt" "$apt/archives" "$apt/archives/partial" "$apt/lists" "$apt/lists/partial" "$apt/lists/auxfiles"
  exec 9>"$apt/lock"
  flock 9
}
unlock_apt() { exec 9>&-; }

prepare_apt() {
  export APT_CONFIG=/tmp/penstock-apt.conf
  cat /mnt/apt.conf - >$APT_CONFIG <<CONF
Dir::Cache "$apt";
Dir::State::lists "$apt/lists";
APT::Sandbox::User "root";
APT::Keep-Downloaded-Packages "true";
Binary::apt-get::APT::Keep-Downloaded-Packages "true";
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
Acquire::Languages "none";
CONF
  # The host's mirror when both are Debian, else the image's own sources.
  if [ "$ID" = debian ] && [ -n "${DEBIAN_MAIN:-}" ]; then
    {
      echo "deb $DEBIAN_MAIN $VERSION_CODENAME $DEBIAN_COMPONENTS"
      echo "deb $DEBIAN_MAIN $VERSION_CODENAME-updates $DEBIAN_COMPONENTS"
      [ -z "$DEBIAN_SECURITY" ] || echo "deb $DEBIAN_SECURITY $VERSION_CODENAME-security $DEBIAN_COMPONENTS"
    } >/tmp/penstock-sources.list
    printf 'Dir::Etc::sourcelist "/tmp/penstock-sources.list";\nDir::Etc::sourceparts "/tmp/none";\n' >>$APT_CONFIG
  fi
  lock_apt
  # Lists of the last hour are new enough; when one of them turns out to be old, with_lists has it renewed.
  lists_fresh=yes
  sources=$(cat "$APT_CONFIG" /tmp/penstock-sources.list 2>/dev/null | sha256sum)
  if [ -z "$(find "$apt/updated" -mmin -60 2>/dev/null)" ] || [ "$(cat "$apt/updated")" != "$sources" ]; then update_lists; fi
}

update_lists() {
  rm -f "$apt/updated"
  apt-get update -q
  echo "$sources" >"$apt/updated"
  lists_fresh=no
}

# Runs a command; when it fails with lists that were not renewed just now, renews them and tries again.
with_lists() {
  "$@" && return
  [ "$lists_fresh" = yes ] || return 1
  echo 'trying again with new package lists'
  update_lists
  "$@"
}

apt_get() { apt-get -q -y "$@" -o Dpkg::Options::=--force-unsafe-io; }

fetch_system() {
  [ -s /mnt/system ] || return 0
  step 'downloading system packages'
  command -v apt-get >/dev/null || {
    echo "E: this base image has no apt-get; system packages need a Debian or Ubuntu image" >&2
    exit 1
  }
  prepare_apt
  # What would be fetched into an empty cache is what has to be installed.
  mkdir -p /tmp/empty/partial
  with_lists download_system
  sed -n "s/^'[^']*' \([^ ]*\) .*/$platform\/archives\/\1/p" /tmp/uris >"$build/debs"
  hash_debs
  unlock_apt
}

# Lines "HASH NAME VERSION".
hash_debs() {
  native=$(dpkg --print-architecture)
  : >"$build/hashes-apt"
  while read -r deb; do
    hash=$(sha256sum "/srv/apt/$deb")
    # shellcheck disable=SC2016
    dpkg-deb -W --showformat '${Package} ${Version} ${Architecture}\n' "/srv/apt/$deb" >/tmp/deb
    read -r name version architecture </tmp/deb
    case $architecture in all | "$native") ;; *) name=$name:$architecture ;; esac
    echo "${hash%% *} $name $version" >>"$build/hashes-apt"
  done <"$build/debs"
  [ -e /mnt/debs.lock ] || return 0
  # Fewer than locked is right: the base may have some of them.
  grep -vxFf /mnt/debs.lock "$build/hashes-apt" >/tmp/unlocked || return 0
  while read -r hash name version; do echo "E: not as locked: system package $name $version" >&2; done </tmp/unlocked
  exit 1
}

download_system() {
  # shellcheck disable=SC2046
  apt-get install -q -y --print-uris -o Dir::Cache::archives=/tmp/empty $(cat /mnt/system) >/tmp/uris &&
    apt_get install --download-only $(cat /mnt/system)
}

# pip never enters the image: one that suits this Python is run from the cache, unpacked and compiled.
find_pip() {
  pip_home=/srv/pip-home/$ID-$PYTHON_VERSION
  [ ! -d "$pip_home" ] || return 0
  mkdir -p /tmp/pip
  bundled=$("$PYTHON" -c 'import ensurepip, os; print(os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"))' 2>/dev/null || true)
  if [ -n "$bundled" ] && find "$bundled" -name 'pip-*.whl' 2>/dev/null | grep -q .; then
    cp "$bundled"/pip-*.whl /tmp/pip/
  elif "$PYTHON" -m pip --version >/dev/null 2>&1; then
    "$PYTHON" -m pip download --no-deps -d /tmp/pip pip
  elif command -v apt-get >/dev/null; then
    [ -n "${APT_CONFIG:-}" ] || prepare_apt
    lock_apt
    cd /tmp/pip
    with_lists apt-get download -q python3-pip-whl
    unlock_apt
    dpkg-deb -x python3-pip-whl_*.deb .
    mv usr/share/python-wheels/pip-*.whl .
    cd /
  else
    echo "this base image has neither pip nor a way to get it" >&2
    exit 1
  fi
  own_directory /srv/pip-home "$pip_home.$BUILD_ID"
  as_owner "$PYTHON" -m zipfile -e /tmp/pip/pip-*.whl "$pip_home.$BUILD_ID"
  as_owner "$PYTHON" -m compileall -q --invalidation-mode unchecked-hash "$pip_home.$BUILD_ID"
  # Complete under its final name, or not there; somebody else's is as good.
  mv -T "$pip_home.$BUILD_ID" "$pip_home" 2>/dev/null || rm -rf "$pip_home.$BUILD_ID"
}

pip() { as_owner env PYTHONPATH="$pip_home" "$PYTHON" -m pip "$@"; }

# download_into KIND OPTIONS…: archives as the index has them, so that they are known by their hashes; what is no wheel
# becomes one. Lines "HASH WHEEL" go to hashes-KIND.
download_into() {
  kind=$1
  shift
  rm -rf "$build/archives" "$build/hashes-$kind"
  pip download --dest "$build/archives" "$@" || return
  for archive in "$build/archives"/*; do
    hash=$(sha256sum "$archive")
    hash=${hash%% *}
    made=$archive
    case $archive in
      *.whl) ;;
      *) wheel_of "$archive" "$hash" || return ;;
    esac
    as_owner mv "$made" "$build/$kind/"
    echo "$hash ${made##*/}" >>"$build/hashes-$kind"
  done
}

# Sources stay where their content says: by that place pip finds the wheel that it made of them before.
wheel_of() {
  own_directory /srv/sources "/srv/sources/$2"
  as_owner mv "$1" "/srv/sources/$2/"
  rm -rf "$build/made"
  pip wheel --no-deps --wheel-dir "$build/made" "/srv/sources/$2/${1##*/}" || return
  made=$(echo "$build/made"/*.whl)
}

wheels() {
  if [ -s /mnt/requirements.txt ]; then download_into wheels -r /mnt/requirements.txt || return; fi
  if [ -s /mnt/requirements-no-deps.txt ]; then download_into wheels-no-deps --no-deps -r /mnt/requirements-no-deps.txt || return; fi
}

fetch_python() {
  [ -s /mnt/requirements.txt ] || [ -s /mnt/requirements-no-deps.txt ] || return 0
  step 'downloading Python packages'
  find_pip
  own_directory /srv/pip "$PIP_CACHE_DIR"
  echo "$pip_home" >"$build/pip"
  run_wheels && return 0
  # A package that has to be built may need the system packages, which so far are only downloaded.
  [ -s /mnt/system ] || exit 1
  ! grep -qE 'No matching distribution|ResolutionImpossible' /tmp/pip.log || exit 1
  step 'building Python packages'
  lock_apt
  # shellcheck disable=SC2046
  apt_get install --no-download $(cat /mnt/system)
  unlock_apt
  run_wheels
}

run_wheels() {
  { wheels && echo ok >/tmp/wheels-done; } 2>&1 | tee /tmp/pip.log
  [ -e /tmp/wheels-done ]
}

fetch_system
fetch_python
