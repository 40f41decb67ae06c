# shellcheck shell=bash
# ./dev setup: what build and tests need from the host. Only what is missing is installed.

dev_setup() {
  phase "system packages" install_packages build
  phase "test tools" unpack_tools
  phase "rust" check_rust
  phase "python tools" make_venv
  phase "pythons for tests" make_test_pythons
  phase "docker engine" check_engine
}

is_debian_like() {
  [[ -r /etc/os-release ]] && have apt-get && grep -qE '^(ID|ID_LIKE)=.*(debian|ubuntu)' /etc/os-release
}

# install_packages SECTION
install_packages() {
  local wanted missing unknown=() name
  mapfile -t wanted < <(package_list "$1")
  if ! is_debian_like; then
    say "    this host has no apt. Penstock's build needs what these Debian packages hold; install them by your own means:"
    say "    ${wanted[*]}"
    return
  fi
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if [[ ${#missing[@]} -eq 0 ]]; then
    say "    all ${#wanted[@]} are installed"
    return
  fi
  say "    installing ${missing[*]}"
  as_root apt-get update -qq
  for name in "${missing[@]}"; do
    apt-cache show "$name" >/dev/null 2>&1 || unknown+=("$name")
  done
  [[ ${#unknown[@]} -eq 0 ]] ||
    die "apt knows no ${unknown[*]}. Debian 12 has all packages; on Ubuntu enable 'universe', for python3.11 use a release or archive that has it." 3
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}"
}

missing_packages() {
  local installed
  # dpkg-query fails when it has never heard of one of them: then it is missing, and that is the answer, no error.
  installed=$({ dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true; } | awk '$1 == "installed" { print $2 }')
  printf '%s\n' "$@" | grep -vxF -f <(printf '%s\n' "$installed") || true
}

# Installing a server's package starts and enables it on hosts with an init system; unpacking does not.
unpack_tools() {
  local name scratch
  mkdir -p build/tools/bin
  for name in $(package_list unpacked); do
    if [[ -x build/tools/bin/$name ]]; then
      say "    $name is there"
      continue
    fi
    is_debian_like || die "put a program called '$name' into build/tools/bin: there is no apt here to take it from" 3
    say "    unpacking $name into build/tools"
    apt-cache show "$name" >/dev/null 2>&1 || as_root apt-get update -qq
    scratch=$(mktemp -d)
    chmod 755 "$scratch"  # apt fetches as its own user
    (cd "$scratch" && apt-get download -qq "$name") || die "apt cannot fetch the package $name" 3
    dpkg-deb -x "$scratch"/"$name"_*.deb "$scratch/root"
    install -m 755 "$scratch/root/usr/bin/$name" build/tools/bin/
    rm -r "$scratch"
  done
}

# The oldest Rust that the bridge's crate compiles with is written in the crate.
check_rust() {
  local needed found advice
  needed=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$CRATE")
  [[ -n $needed ]] || die "$CRATE names no rust-version"
  advice="Install Rust with rustup (rustup.rs describes it; no root is needed), or a distribution's cargo >= $needed; then make sure that 'cargo' is on PATH."
  have cargo || die "cargo is missing; the shared memory bridge is a Rust crate. $advice" 3
  found=$(cargo --version | awk '{ print $2 }')
  at_least "$found" "$needed" || die "cargo $found is too old, $needed is needed. $advice" 3
  say "    cargo $found (needs >= $needed)"
}

at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

make_venv() {
  local host
  if cmp -s tools/requirements.txt "$VENV/requirements.txt"; then
    say "    $VENV is up to date"
    return
  fi
  # The distribution's own first: its headers are the ones that the extension is built with.
  if [[ -x /usr/bin/python3.11 ]]; then host=/usr/bin/python3.11; else host=python3.11; fi
  have "$host" || die "python3.11 is missing; the test tools and the extension's headers need it" 3
  say "    installing tools/requirements.txt into $VENV"
  "$host" -m venv "$VENV"
  "$PYTHON" -m pip install --quiet --disable-pip-version-check -r tools/requirements.txt
  cp tools/requirements.txt "$VENV/requirements.txt"
}

# The SDK is tested with numpy on every Python that it supports and this host has; 3.11 is the tools' own environment.
make_test_pythons() {
  local version interpreter folder
  for version in 3.9 3.10 3.12 3.13; do
    folder=build/test-pythons/versions/$version.numpy
    [[ ! -f $folder/complete ]] || continue
    if ! interpreter=$(host_python "$version"); then
      say "    NOT TESTED: Python $version with numpy, this host has no python$version"
      continue
    fi
    say "    installing numpy for Python $version"
    rm -rf "$folder"
    "$interpreter" -m venv "$folder"
    "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --only-binary=:all: numpy
    touch "$folder/complete"
  done
}

# host_python 3.X: the path of that interpreter, from pyenv or PATH.
host_python() {
  local candidate
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python3 "$(command -v "python$1" || true)"; do
    if [[ -x $candidate ]] && "$candidate" -I -c pass 2>/dev/null; then
      printf '%s' "$candidate"
      return
    fi
  done
  return 1
}

# Penstock itself needs the engine's socket only; the scripts that make base images use the docker command.
check_engine() {
  have docker || die "the docker command is missing. Install it (Debian, Ubuntu: apt install docker.io), and run this again." 3
  local host=${DOCKER_HOST:-unix:///var/run/docker.sock} socket answer
  case $host in
    unix://*) socket=${host#unix://} ;;
    *) die "DOCKER_HOST is $host. Penstock hands file descriptors to containers and needs an engine on this host: a unix:// address." 3 ;;
  esac
  [[ -S $socket ]] ||
    die "no Docker engine: $socket does not exist. Install one (Debian, Ubuntu: apt install docker.io), start it, and run this again." 3
  [[ -r $socket && -w $socket ]] ||
    die "this user may not use the Docker engine at $socket. Add the user to its group (usermod -aG docker $(id -un)), log in again, and run this again." 3
  answer=$("$(command -v "$PYTHON" || command -v python3)" - "$socket" <<'PYTHON'
import http.client, json, socket, sys
engine = http.client.HTTPConnection("localhost", timeout=10)
engine.sock = socket.socket(socket.AF_UNIX)
engine.sock.settimeout(10)
try:
    engine.sock.connect(sys.argv[1])
    engine.request("GET", "/version")
    version = json.load(engine.getresponse())
    print(f"engine {version['Version']}, API {version['ApiVersion']}")
except Exception as error:
    sys.exit(f"    {error}")
PYTHON
  ) || die "the Docker engine at $socket does not answer within 10 s. Look at its log, restart it, and run this again." 3
  say "    $answer"
}
