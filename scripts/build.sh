#!/usr/bin/env bash
# build.sh PRESET [TARGET...]: configures once, then builds. Quiet unless something is to be done or fails.
source "$(dirname "$0")/common.sh"
preset=$1
shift
log=build/$preset.log
mkdir -p build
if [ ! -f "build/$preset/build.ninja" ]; then
  say "configuring build/$preset"
  read -ra arguments <<<"${LLAMAGPU_CMAKE_ARGS:-}"
  cmake --preset "$preset" "${arguments[@]}" >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    die "cmake failed, see $log"
  }
fi
# A dry run lists the look for new files as a step too.
planned=$(ninja -C "build/$preset" -n "${@:-all}" 2>/dev/null || true)
if grep -qE "Building|Linking" <<<"$planned"; then
  say "building build/$preset ($(nproc) cores): see $log"
fi
ninja -C "build/$preset" "${@:-all}" >>"$log" 2>&1 || {
  grep -E -A12 "FAILED|error:" "$log" | tail -n 60 >&2
  die "the build failed, see $log"
}
