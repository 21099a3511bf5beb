#!/usr/bin/env bash
# Line coverage of src/ by the unit, conformance and corpus tests of build/asan; fails below the limits.
source "$(dirname "$0")/common.sh"
cd build/coverage
find . -name '*.profraw' -size +0 >profiles
[ -s profiles ] || die "no coverage was recorded: run the asan stage first"
llvm-profdata-19 merge --sparse --input-files=profiles -o all.profdata
objects=()
for program in ../asan/bin/*_test ../asan/bin/*_corpus; do [ -x "$program" ] && objects+=(--object "$program"); done
llvm-cov-19 export --summary-only --instr-profile=all.profdata --ignore-filename-regex='(_test\.cc|\.gen\.|/tests/|/usr/)' \
  "${objects[@]}" >summary.json
/usr/bin/python3 "$ROOT/scripts/check_coverage.py" summary.json
