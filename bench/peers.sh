#!/usr/bin/env bash
# The default model in llama-gpu and in llama.cpp, in turn: what the README of this folder says of ratios.
source "$(dirname "$0")/../scripts/common.sh"
npm_install bench/peers
model=$(models_dir)/$DEFAULT_MODEL_FILE
exec python3 bench/peers/compare.py "$BIN" bench/peers/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64 "$model" "$@"
