#!/usr/bin/env bash
# The large counts: each fuzzer for LLAMAGPU_FUZZ_SECONDS (default an hour), then a soak of LLAMAGPU_SOAK_SECONDS
# (default ten minutes) against the release program.
source "$(dirname "$0")/common.sh"
scripts/setup.sh test
scripts/fetch_model.sh
scripts/build_web.sh
scripts/build.sh release
scripts/build.sh asan
scripts/fuzz.sh "${LLAMAGPU_FUZZ_SECONDS:-3600}"
"$VENV/bin/python3" -m pytest -q -s -p no:cacheprovider tests/soak
