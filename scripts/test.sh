#!/usr/bin/env bash
# Everything CI runs, stage by stage, with the seconds each takes. Stops at the first stage that fails; ends with
# the summaries of the test runners. `test.sh STAGE...` runs only these stages.
source "$(dirname "$0")/common.sh"

export PYTHONDONTWRITEBYTECODE=1 CI=${CI:-true}
export LLAMAGPU_CMAKE_ARGS="-DLLAMAGPU_WARNINGS_AS_ERRORS=ON"
LOGS=$ROOT/build/logs
SUMMARY=$LOGS/summary
STARTED=$SECONDS
JOBS=$(nproc)
mkdir -p "$LOGS"
: >"$SUMMARY"

# stage NAME COMMAND...: its output goes to build/logs/NAME.log, the end of it to the terminal when it fails.
stage() {
  local name=$1 begun=$SECONDS log
  shift
  log=$LOGS/$name.log
  if [[ " ${ONLY[*]} " != *" $name "* ]]; then return; fi
  printf '%-16s ' "$name"
  if "$@" >"$log" 2>&1; then
    printf 'ok      %4d s\n' $((SECONDS - begun))
  else
    printf 'FAILED  %4d s\n' $((SECONDS - begun))
    tail -n "${LLAMAGPU_TAIL:-80}" "$log"
    printf '\nstage %s failed; its whole output is in %s\n' "$name" "build/logs/$name.log"
    exit 1
  fi
  grep -hE '^[0-9]+ passed|^\[  PASSED  \]|^(100% tests passed|[0-9]+% tests passed)|^=+ .*(passed|failed).* =+$|^(# |ℹ )(pass|fail) |^coverage:|^fuzz:|Tests +[0-9]+ (passed|failed)' "$log" |
    sed "s/^\($name: \)\?/$name: /" >>"$SUMMARY" || true
}

run_ctest() {
  local preset=$1
  shift
  ctest --test-dir "build/$preset" --output-on-failure --parallel "$JOBS" --no-tests=error "$@"
}

# Optimised: the program, and the tests that run kernels and whole models. Unit tests run under the sanitizers.
RELEASE_TARGETS=(llama-gpu backends_test conformance_test invariance_test step_allocation_test
  golden_text_test golden_engine_test make-tiny-model render-template tokenize-file)
build_release() { scripts/build_web.sh && scripts/build.sh release "${RELEASE_TARGETS[@]}"; }
test_release() { run_ctest release -L 'conformance|golden|kernels'; }

sanitizer_environment() {
  export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=0
  export UBSAN_OPTIONS=print_stacktrace=1
  export TSAN_OPTIONS=halt_on_error=1:suppressions=$ROOT/scripts/tsan.supp
}
build_asan() { scripts/build.sh asan; }
test_asan() {
  sanitizer_environment
  rm -rf build/coverage && mkdir -p build/coverage
  LLVM_PROFILE_FILE=$ROOT/build/coverage/%p-%m.profraw run_ctest asan -L 'unit|kernels|conformance|fuzz'
}
# What has threads: the engine, the processes, plugins, the server, and the pool under the kernels.
TSAN_TESTS=(engine_test supervisor_test plugins_test server_test backends_test)
build_tsan() { scripts/build.sh tsan "${TSAN_TESTS[@]}"; }
test_tsan() {
  sanitizer_environment
  local program
  # One thread alone walks the crashes of the plugin store and the sandbox.
  for program in "${TSAN_TESTS[@]}"; do
    "build/tsan/bin/$program" --gtest_brief=1 --gtest_filter=-'StoreCrash*:*/StoreCrash*:Sandbox*:*/Sandbox*'
  done
}
test_oracles() {
  npm_install tests/oracles
  scripts/fetch_oracles.sh
  "$VENV/bin/python3" -m pytest -q -p no:cacheprovider tests/oracles
}
# What runs inside plugins: the Python SDK, its documentation, and the plugins made with it.
test_plugins() {
  PYTHONPATH=$ROOT/sdk/python "$VENV/bin/python3" -m pytest -q -p no:cacheprovider sdk/python/tests plugins
}
test_e2e() { "$VENV/bin/python3" -m pytest -q -p no:cacheprovider -x tests/e2e --ignore=tests/e2e/node; }
test_node() { npm_install tests/e2e/node && (cd tests/e2e/node && node --test); }
test_web() {
  npm_install web
  (cd web && node node_modules/vitest/vitest.mjs run)
  (cd web && node --test --test-concurrency=1 "e2e/*.test.mjs") # each has a server and a browser
}

SANITIZER_STAGES=(build-asan asan fuzz coverage build-tsan tsan)
ALL_STAGES=(setup model lint build-release release oracles plugins e2e node web "${SANITIZER_STAGES[@]}")
case "${1:-}" in
  "") ONLY=("${ALL_STAGES[@]}") ;;
  --sanitizers) ONLY=(setup model "${SANITIZER_STAGES[@]}") ;;
  *) ONLY=("$@") ;;
esac
stage setup scripts/setup.sh test
stage model scripts/fetch_model.sh
stage lint scripts/lint.sh
stage build-release build_release
stage release test_release
stage oracles test_oracles
stage plugins test_plugins
stage e2e test_e2e
stage node test_node
stage web test_web
stage build-asan build_asan
stage asan test_asan
stage fuzz scripts/fuzz.sh 15
stage coverage scripts/coverage.sh
stage build-tsan build_tsan
stage tsan test_tsan

printf '\nall stages passed in %d s\n' $((SECONDS - STARTED))
cat "$SUMMARY"
