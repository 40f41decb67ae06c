#!/bin/sh
# Second half of an environment: installs from the cache, in the container that becomes the image. No network, and
# nothing of the host's configuration.
#
# /mnt  what to install    /srv  the download cache, both read-only    /tmp  a tmpfs, so that it stays out of the image
set -eu
# shellcheck source=/dev/null
. /mnt/build # BUILD_ID, PYTHON
build=/srv/builds/$BUILD_ID
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/tmp
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
export PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1 PIP_NO_WARN_SCRIPT_LOCATION=1

step() { echo "::step $*"; }

# Lines "NAME VERSION".
packages() {
  native=$(dpkg --print-architecture)
  # shellcheck disable=SC2016
  dpkg-query -W -f '${db:Status-Status} ${Package} ${Version} ${Architecture}\n' |
    while read -r status name version architecture; do
      [ "$status" = installed ] || continue
      case $architecture in all | "$native") ;; *) name=$name:$architecture ;; esac
      echo "$name $version"
    done | sort
}

if [ -s "$build/debs" ]; then
  step 'installing system packages'
  mkdir -p /tmp/apt/none /tmp/apt/lists/partial /tmp/apt/archives/partial
  : >/tmp/apt/sources.list
  cat >/tmp/apt/conf <<'CONF'
Dir::Etc::sourcelist "/tmp/apt/sources.list";
Dir::Etc::sourceparts "/tmp/apt/none";
Dir::State::lists "/tmp/apt/lists";
Dir::Cache::archives "/tmp/apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
CONF
  # The packages of the list need nothing beyond it, so files are all that apt has to know.
  packages >/tmp/packages-before
  # shellcheck disable=SC2046
  APT_CONFIG=/tmp/apt/conf apt-get -q -y install -o Dpkg::Options::=--force-unsafe-io \
    $(sed 's#^#/srv/apt/#' "$build/debs")
  packages >/tmp/packages-after
  comm -13 /tmp/packages-before /tmp/packages-after | sed 's/^/::installed apt /'
  rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old \
    /var/lib/dpkg/*-old
fi

step 'installing Python packages'
"$PYTHON" -m venv --without-pip --system-site-packages /opt/venv
pip_install() { PYTHONPATH=$(cat "$build/pip") /opt/venv/bin/python3 -m pip install --no-index "$@"; }
if [ -s /mnt/requirements.txt ]; then
  pip_install --find-links "$build/wheels" -r /mnt/requirements.txt
fi
if [ -s /mnt/requirements-no-deps.txt ]; then
  pip_install --find-links "$build/wheels-no-deps" --no-deps -r /mnt/requirements-no-deps.txt
fi

# What is there now, for those who ask or lock it: "::installed KIND NAME VERSION".
/opt/venv/bin/python3 -B - <<'PYTHON'
import importlib.metadata
import sysconfig

for package in importlib.metadata.distributions(path=[sysconfig.get_path("purelib")]):
    print("::installed pip", package.metadata["Name"], package.version)
PYTHON
