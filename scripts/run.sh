#!/usr/bin/env bash
# Serves the default model in the foreground and shows a first answer, so that one sees it work.
source "$(dirname "$0")/common.sh"
exec /usr/bin/python3 scripts/serve_in_foreground.py "$BIN" serve --first-prompt "Name the three primary colors."
