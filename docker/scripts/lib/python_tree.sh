# shellcheck shell=bash
# A CPython that is installed on this host, made relocatable to /opt/python, as a reproducible tar.

# Prints the newest prefix with a usable Python $1 ("3.10"): those named by the user first, then where pyenv and uv keep
# theirs. A prefix holds bin/python3.10 and lib/python3.10.
find_python_prefix() {
  local version=$1 candidate named=() found=()
  IFS=: read -r -a named <<<"${PENSTOCK_PYTHON_PREFIXES:-}"
  for candidate in ${kPrefixes[@]+"${kPrefixes[@]}"} ${named[@]+"${named[@]}"}; do
    if is_python_prefix "$candidate" "$version"; then
      readlink -f "$candidate"
      return 0
    fi
  done
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".* "$HOME/.local/share/uv/python/cpython-$version".* \
    "/opt/python/$version"* "/usr/local"; do
    if is_python_prefix "$candidate" "$version"; then found+=("$(readlink -f "$candidate")"); fi
  done
  ((${#found[@]} > 0)) || return 1
  printf '%s\n' "${found[@]}" | sort -V | tail -n 1
}

is_python_prefix() { [[ -x $1/bin/python$2 && -f $1/lib/python$2/os.py ]]; }

# Writes the tree of $1 (a prefix), Python $2, to the tar $3, as opt/python. Fixed owners, times and order: the same tree
# gives the same bytes, hence the same layer.
make_python_tree() {
  local prefix=$1 version=$2 tar=$3 work=$scratch/tree
  local python=$work/opt/python lib=lib/python$2 file parts=()
  rm -rf "$work"
  mkdir -p "$python"
  mapfile -t parts < <(cd "$prefix" && ls -d "bin/python$version" "$lib" "include/python$version"* lib/libpython*.so* 2>/dev/null)
  tar -C "$prefix" -cf - --exclude='__pycache__' --exclude='*.a' --exclude='_tkinter*' --exclude="$lib/config-*" \
    --exclude="$lib/site-packages/*" --exclude="$lib/test" --exclude="$lib/*/test" --exclude="$lib/*/tests" \
    --exclude="$lib/idlelib" --exclude="$lib/tkinter" --exclude="$lib/turtledemo" "${parts[@]}" | tar -C "$python" -xf -
  ln -s "python$version" "$python/bin/python3"
  ln -s python3 "$python/bin/python"
  # Libraries are found from where the file is, wherever the tree lies.
  while IFS= read -r -d '' file; do
    readelf -h "$file" >/dev/null 2>&1 || continue
    chmod u+w "$file"
    strip --strip-unneeded "$file" 2>/dev/null || true
    patchelf --set-rpath "\$ORIGIN/$(realpath --relative-to="$(dirname "$file")" "$python/lib")" "$file"
  done < <(find "$python" -type f \( -name '*.so*' -o -path '*/bin/python*' \) -print0)
  grep -rlI --include='_sysconfigdata*.py' -F "$prefix" "$python/lib" | xargs -r sed -i "s#$prefix#/opt/python#g"
  # Byte code that needs no look at the sources' times: the same everywhere, and quicker to start. A module that does not
  # compile (lib2to3's bad examples) is none that anybody imports.
  env -u PYTHONPATH -u PYTHONHOME PYTHONHASHSEED=0 "$prefix/bin/python$version" -s -S -m compileall -q --invalidation-mode unchecked-hash \
    -s "$work" -p / "$python/$lib" >/dev/null 2>&1 || true
  tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --mode=u+rwX,go+rX,go-w \
    -cf "$tar" opt
  rm -rf "$work"
}
