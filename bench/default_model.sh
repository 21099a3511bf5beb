#!/usr/bin/env bash
# The default model beside this machine's read bandwidth: one stream on 1 thread and on all, then many streams.
source "$(dirname "$0")/../scripts/common.sh"
measure() {
  printf '%s\n' "bench smollm2-135m-instruct $*" >&2
  "$BIN" bench smollm2-135m-instruct --json "$@"
}
measure --threads 1 --prompt 512 --generate 64 --repeat 5
measure --threads "$(nproc)" --prompt 512 --generate 64 --repeat 5
for streams in 4 8 16 32; do
  measure --threads "$(nproc)" --prompt 64 --generate 64 --streams "$streams" --repeat 3
done
