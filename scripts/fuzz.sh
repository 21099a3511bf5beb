#!/usr/bin/env bash
# fuzz.sh SECONDS: runs each fuzzer of build/asan for so long, as many at once as there are cores, from the
# committed corpus. New inputs go to build/fuzz; a crash leaves its input there and fails the run.
source "$(dirname "$0")/common.sh"
seconds=${1:-15}
out=$ROOT/build/fuzz
mkdir -p "$out"
export ASAN_OPTIONS=detect_leaks=1 LLVM_PROFILE_FILE=/dev/null

run_one() {
  local fuzzer=$1 name=${1##*/} log
  log=$out/$name.log
  mkdir -p "$out/$name"
  if ! "$fuzzer" -max_total_time="$2" -max_len=8192 -rss_limit_mb=3000 -timeout=20 -print_final_stats=1 \
    -artifact_prefix="$out/$name-" "$out/$name" "$ROOT/tests/fuzz/corpus/${name#fuzz_}" >"$log" 2>&1; then
    echo "fuzz: $name failed:"
    tail -n 40 "$log"
    return 1
  fi
  printf 'fuzz: %-24s %9s executions, %6s edges\n' "$name" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 | cut -d' ' -f2)"
}
export -f run_one
export out ROOT
find "$ROOT/build/asan/bin" -maxdepth 1 -name 'fuzz_*' ! -name '*_corpus' -executable | sort |
  xargs -P "$(nproc)" -I{} bash -c 'run_one "$1" "$2"' _ {} "$seconds"
