#!/usr/bin/env bash
# Serves the default model in the foreground and shows a first answer, so that one sees it work.
source "$(dirname "$0")/common.sh"
serve=("$BIN" serve --first-prompt "Name the three primary colors.")
[ -t 0 ] || exec "${serve[@]}"
# Ctrl-C goes to the terminal's foreground group: make, if it were in it, would die of the signal after the server
# had drained and ended well, and `make run` would report a failure.
exec /usr/bin/python3 -c '
import os, signal, sys
os.setpgid(0, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.tcsetpgrp(0, os.getpgrp())
signal.signal(signal.SIGTTOU, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "${serve[@]}"
