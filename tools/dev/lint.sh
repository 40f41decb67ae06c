# shellcheck shell=bash
# ./dev lint [--all]: every checker, each on what changed against main (or on everything); all run, then the verdict.

dev_lint() {
  local scope=${1:-}
  [[ -z $scope || $scope == --all ]] || die "lint takes no argument but --all" 2
  phase "lint tools" install_packages lint
  phase "python tools" make_venv
  phase "configure" configure release
  : >build/lint-failures
  phase "clang-format" check lint_format "$scope"
  phase "clang-tidy" check lint_tidy "$scope"
  phase "ruff" check lint_ruff "$scope"
  phase "mypy" check lint_mypy
  phase "shellcheck" check lint_shell "$scope"
  phase "cargo" check lint_rust
  if [[ -s build/lint-failures ]]; then
    die "lint found something: $(paste -sd' ' build/lint-failures). './dev fmt' mends formatting."
  fi
  say "lint is clean"
}

# check FUNCTION ARGUMENTS…: notes a failure and goes on.
check() {
  "$@" || printf '%s\n' "${1#lint_}" >>build/lint-failures
}

lint_format() {
  local files
  mapfile -t files < <(changed_files "$1" '*.h' '*.cpp' '*.c')
  [[ ${#files[@]} -gt 0 ]] || { say "    nothing changed" && return; }
  clang-format-19 --dry-run --Werror "${files[@]}"
}

# clang-tidy reads translation units: a changed header is checked through its own .cpp, or through one that includes it.
lint_tidy() {
  local file units
  mapfile -t units < <(
    changed_files "$1" 'src/*.cpp' 'python/*.cpp'
    changed_files "$1" 'src/*.h' | while read -r file; do
      if [[ -f ${file%.h}.cpp ]]; then
        printf '%s\n' "${file%.h}.cpp"
      else
        git grep -l --untracked --fixed-strings "#include \"${file#src/}\"" -- 'src/*.cpp' | head -n 1
      fi
    done
  )
  mapfile -t units < <(printf '%s\n' "${units[@]}" | sort -u | compiled_units)
  [[ ${#units[@]} -gt 0 ]] || { say "    nothing changed" && return; }
  say "    ${#units[@]} translation units"
  # -Wno-…: gcc's options that clang reads differently; warnings are gcc's business, clang-tidy has its own checks.
  printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy-19 -p build --quiet --extra-arg=-Wno-everything 2> >(
    grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter' >&2
  )
}

# Keeps the names on standard input that the build compiles.
compiled_units() {
  grep -xF -f <("$PYTHON" -c "
import json, os
for entry in json.load(open('build/compile_commands.json')):
    print(os.path.relpath(entry['file']))")
}

lint_ruff() {
  local files
  mapfile -t files < <(changed_files "$1" '*.py' '*.pyi')
  [[ ${#files[@]} -gt 0 ]] || { say "    nothing changed" && return; }
  "$VENV/bin/ruff" check "${files[@]}" && "$VENV/bin/ruff" format --check --quiet "${files[@]}"
}

# Types reach across files: always everything.
lint_mypy() {
  local packages=(tools/*.py tests/house/*.py)
  [[ ! -d python/penstock ]] || packages+=(python/penstock)
  "$VENV/bin/mypy" "${packages[@]}"
}

lint_shell() {
  local files
  mapfile -t files < <(changed_files "$1" | while read -r file; do
    if [[ $file == *.sh ]] || head -c 40 "$file" | head -n 1 | grep -qaE '^#!.*\b(bash|sh)$'; then printf '%s\n' "$file"; fi
  done)
  [[ ${#files[@]} -gt 0 ]] || { say "    nothing changed" && return; }
  shellcheck -x "${files[@]}"
}

lint_rust() {
  [[ -f $CRATE ]] || { say "    no crate in this tree" && return; }
  cargo fmt --check --manifest-path "$CRATE" &&
    cargo clippy --quiet --locked --manifest-path "$CRATE" --all-targets -- -D warnings
}
