# shellcheck shell=bash
# ./dev fmt [--all]: formats what changed against main, or everything, in place.

dev_fmt() {
  local files
  phase "format tools" install_packages lint
  phase "python tools" make_venv
  mapfile -t files < <(changed_files "${1:-}" '*.h' '*.cpp' '*.c')
  if [[ ${#files[@]} -gt 0 ]]; then phase "clang-format, ${#files[@]} files" clang-format-19 -i "${files[@]}"; fi
  mapfile -t files < <(changed_files "${1:-}" '*.py' '*.pyi')
  if [[ ${#files[@]} -gt 0 ]]; then
    phase "ruff, ${#files[@]} files" ruff_fix "${files[@]}"
  fi
  if [[ -f $CRATE ]]; then phase "cargo fmt" cargo fmt --manifest-path "$CRATE"; fi
}

ruff_fix() {
  "$VENV/bin/ruff" check --quiet --fix-only "$@"
  "$VENV/bin/ruff" format --quiet "$@"
}
