#!/bin/sh
# Checks that nodes can run in an image: validate-custom-image.sh IMAGE [--python 3.X|PATH] [--json]
# The same as `penstock check-image`, which does the work; PENSTOCK names another program than the one beside this script.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${PENSTOCK:-}" ]; then
  PENSTOCK=penstock
  for place in "$here/../../../bin" "$here/../../build/bin"; do
    if [ -x "$place/penstock" ]; then
      PENSTOCK=$place/penstock
      break
    fi
  done
fi
exec "$PENSTOCK" check-image "$@"
