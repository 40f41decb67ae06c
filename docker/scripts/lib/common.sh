# shellcheck shell=bash
# Messages, private scratch space and redaction, for the scripts beside this folder. Source it.

readonly kExitFailed=1       # a step failed
readonly kExitUsage=2        # wrong arguments
readonly kExitEnvironment=3  # this machine lacks something; the message says what

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
  local code=$1
  shift
  warn "$*"
  exit "$code"
}

# What apt and the engine say may name mirrors, and a mirror's address may hold a password: keep the last path part only.
redact() { sed -u -E 's#[a-z][a-z0-9+.-]*://[^[:space:]]*/#[…]/#g'; }

# What only matters when something failed.
readonly kNoise='/^I: running --|tempdir|^.?Reading database|^Chrooting|^\(Reading|^(Preparing to u|U)npack|^Setting up|intermediate container|^ --->|[Ll]egacy builder|BuildKit|environment-variable|^[[:space:]]*$/d'

# Runs a command with its output in $scratch/log, shown line by line behind a prefix; on failure the last lines again.
run_step() {
  local label=$1 step=$2 rc=0
  shift 2
  say "$label: $step"
  "$@" 2>&1 | redact | tee "$scratch/log" | sed -u -E "$kNoise; s/^/$label:   /" || rc=$?
  if ((rc != 0)); then
    warn "$label: failed while $step. Its last lines:"
    tail -n 20 "$scratch/log" | sed 's/^/    /' >&2
  fi
  return "$rc"
}

# Makes $scratch, a private directory that goes with this process however it ends (short of SIGKILL).
make_scratch() {
  scratch=$(umask 077 && mktemp -d "${TMPDIR:-/tmp}/penstock-base.XXXXXXXX")
  trap 'rm -rf --one-file-system -- "$scratch"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

require() {
  local program=$1 why=$2
  command -v "$program" >/dev/null || die "$kExitEnvironment" "$why needs '$program', which is not installed."
}
