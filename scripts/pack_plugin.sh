#!/usr/bin/env bash
# Makes an installable folder of a plugin of this repository: its files without tests, and a copy of the Python SDK.
# pack_plugin.sh plugins/NAME OUT
[ $# -eq 2 ] || {
  echo "usage: pack_plugin.sh plugins/NAME OUT" >&2
  exit 2
}
out=$(realpath -m "$2")
source "$(dirname "$0")/common.sh"
[ -f "$1/plugin.toml" ] || die "there is no plugin in '$1'"
[ ! -e "$out" ] || die "'$out' is there already"
mkdir -p "$out/llama_gpu_plugin"
tar -C "$1" --exclude=./tests --exclude=__pycache__ -cf - . | tar -C "$out" -xf -
cp sdk/python/llama_gpu_plugin/__init__.py sdk/python/llama_gpu_plugin/py.typed "$out/llama_gpu_plugin/"
