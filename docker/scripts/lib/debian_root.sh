# shellcheck shell=bash
# A minimal Debian bookworm with its Python 3.11 as a reproducible tar, from the mirrors that this host uses itself.

readonly kSuite=bookworm

# Prints the apt source lines. They may hold credentials: to be piped, never shown or stored.
debian_sources() {
  local targets main security
  if [[ -n ${PENSTOCK_DEBIAN_MIRROR:-} ]]; then
    main=$PENSTOCK_DEBIAN_MIRROR security=${PENSTOCK_DEBIAN_SECURITY_MIRROR:-}
  else
    # shellcheck disable=SC2016  # these are apt's own placeholders
    targets=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(ORIGIN)' 'Created-By: Packages' | sort -u)
    main=$(awk '$3 == "Debian" && $2 !~ /-/ {print $1; exit}' <<<"$targets")
    security=$(awk '$3 == "Debian" && $2 ~ /-security$/ {print $1; exit}' <<<"$targets")
  fi
  [[ -n $main ]] || return 1
  printf 'deb %s %s main\ndeb %s %s-updates main\n' "$main" "$kSuite" "$main" "$kSuite"
  [[ -z $security ]] || printf 'deb %s %s-security main\n' "$security" "$kSuite"
}

# Runs a command without the descriptors that this process has inherited. mmdebstrap hands one of its own to `sh` by
# number, and dash knows numbers of one digit only. To be called in a subshell, a part of a pipeline for instance.
without_descriptors() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    # 255 is bash's own, for this script.
    if ((fd > 2 && fd != 255)); then exec {fd}>&-; fi
  done
  "$@"
}

# Writes the root file system to $1.
make_debian_root() {
  local tar=$1 option
  local -a options=()
  # How this host's apt reaches its mirrors: proxies, private CAs, clock checks. Used from outside, removed inside.
  while IFS= read -r option; do options+=("--aptopt=$option"); done < <(
    apt-config dump | grep -E '^Acquire::(Check-Valid-Until|Check-Date|Retries|https?::)[^"]* "[^"]+";' || true)

  # What the hooks do, in this order: lend the host's mirror passwords; add the user; remove everything that tells where
  # and when this was built.
  # shellcheck disable=SC2016  # $1 is the hook's
  debian_sources | without_descriptors mmdebstrap --variant=essential --architectures="$(dpkg --print-architecture)" \
    --include=usr-is-merged,apt,python3,ca-certificates --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    ${options[@]+"${options[@]}"} \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --aptopt='Dir::Cache::pkgcache ""' --aptopt='Dir::Cache::srcpkgcache ""' --aptopt='APT::Update::Error-Mode "any"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --setup-hook='mkdir -p "$1/etc/apt"; for f in /etc/apt/auth.conf /etc/apt/auth.conf.d; do [ ! -r "$f" ] || cp -rL "$f" "$1/etc/apt/"; done' \
    --customize-hook='echo "penstock:x:1000:" >>"$1/etc/group"; echo "penstock:!::" >>"$1/etc/gshadow"' \
    --customize-hook='echo "penstock:x:1000:1000::/home/penstock:/bin/sh" >>"$1/etc/passwd"' \
    --customize-hook='echo "penstock:!:19700:0:99999:7:::" >>"$1/etc/shadow"; install -d -o 1000 -g 1000 "$1/home/penstock"' \
    --customize-hook='rm -rf "$1"/etc/apt/auth.conf "$1"/etc/apt/auth.conf.d/* "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*' \
    --customize-hook='rm -rf "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/machine-id' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/cache/apt/archives/*.deb "$1"/var/cache/ldconfig/aux-cache "$1"/var/log/*' \
    "$kSuite" "$tar" -
}
