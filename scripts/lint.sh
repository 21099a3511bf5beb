#!/usr/bin/env bash
# Formatters and linters over everything tracked. `lint.sh --fix` rewrites what formatters can.
source "$(dirname "$0")/common.sh"
fix=${1:-}
failed=0
check() {
  local name=$1 begun=$SECONDS
  shift
  if ! "$@"; then
    say "lint: $name failed"
    failed=1
  fi
  say "lint: $name, $((SECONDS - begun)) s"
}
files() { git ls-files -z -- "$@"; }

format_cpp() { files '*.cc' '*.h' | xargs -0 -r clang-format-19 "${1:---dry-run}" --Werror; }
format_python() { if [ "$fix" = --fix ]; then ruff check --fix -q . && ruff format -q .; else ruff check -q . && ruff format --check -q .; fi; }
types_python() { files '*.py' | xargs -0 -r mypy --strict --no-error-summary --scripts-are-modules; }
shell_scripts() { files '*.sh' .ci/run | xargs -0 shellcheck -x && files '*.sh' | xargs -0 shfmt -i 2 -ci -d; }
yaml_files() { files '*.yaml' '*.yml' | xargs -0 -r yamllint -s; }
spelling() { files '*.md' '*.h' '*.cc' '*.py' '*.ts' '*.tsx' '*.yaml' '*.sh' | grep -zvE '^tests/|_test\.' | xargs -0 codespell --ignore-words scripts/codespell.words; }
web_sources() {
  scripts/build_web.sh # the types of the client are made with it
  (cd web && node node_modules/prettier/bin/prettier.cjs --check --log-level warn . &&
    node node_modules/eslint/bin/eslint.js --max-warnings 0 . &&
    node node_modules/typescript/bin/tsc --noEmit)
}
# No path of one machine, no host of a package registry in anything that is committed.
no_local_paths() { ! git grep -nIE 'https?://[a-z0-9.-]*(pypi|npmjs|debian)\.(org|net)|registry\.npm' -- . ':!scripts/lint.sh'; }

if [ "$fix" = --fix ]; then format_cpp -i; fi
check clang-format format_cpp
check clang-tidy scripts/tidy.sh
check layers /usr/bin/python3 scripts/check_layers.py
check budgets /usr/bin/python3 scripts/check_budgets.py
check documented /usr/bin/python3 scripts/check_docs.py
check ruff format_python
check mypy types_python
check shell shell_scripts
check yaml yaml_files
check spelling spelling
check paths no_local_paths
if [ -f web/package.json ]; then check web web_sources; fi
exit $failed
