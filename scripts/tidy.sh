#!/usr/bin/env bash
# clang-tidy over src/: one translation unit for each layer, so that Boost and the standard library are read once a
# layer and not once a file. Two file-local helpers of one name in one layer are an error here: share or rename them.
source "$(dirname "$0")/common.sh"
out=build/tidy
mkdir -p "$out"
/usr/bin/python3 scripts/generate/main.py --api api --out "$out/generated"

# One file that includes every source of the layer, its tests and other translation units' own settings aside.
units=()
for layer in $(git ls-files 'src/*/*.cc' 'src/*/*/*.cc' | cut -d/ -f2 | sort -u); do
  git ls-files -co --exclude-standard -- "src/$layer/*.cc" | grep -vE '_test\.cc$|/isa/|_impl\.cc$' |
    sed -E 's|(.*)|#include "../../\1"|' >"$out/$layer.cc"
  units+=("$layer")
done

printf '#include "../../src/backends/cpu/isa/avx512.cc"\n' >"$out/kernels.cc"
units+=(kernels)

tidy() {
  local unit=$1 flags=(-std=c++20 -Wno-everything -Isrc -Iinclude -Ibuild/tidy/generated '-DLLAMAGPU_VERSION="0"')
  if [ "$unit" = kernels ]; then
    flags+=(-mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni)
  fi
  clang-tidy-19 --quiet "build/tidy/$unit.cc" -- "${flags[@]}" >"build/tidy/$unit.log" 2>&1 && return
  cat "build/tidy/$unit.log"
  return 1
}
export -f tidy
printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -I{} bash -c 'tidy "$1"' _ {}
