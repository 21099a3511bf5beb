#!/usr/bin/env python3
"""Runs a server that Ctrl-C ends well, below make: serve_in_foreground.py PROGRAM ARGUMENT...

Ctrl-C goes to the terminal's foreground group. Were make in it, it would die of the signal after the server has
drained and ended with 0. So the server gets a group of its own and the terminal; signals to make's group, or from
make, reach it through this process, whose exit code is the server's. Without a terminal there is nothing to hand over.
"""

import os
import signal
import sys
from types import FrameType


def owns_terminal() -> bool:
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # a terminal, but not the controlling one
        return False


def give_terminal_to(group: int) -> None:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, group)
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)


def main() -> int:
    command = sys.argv[1:]
    if not owns_terminal():
        os.execv(command[0], command)
    own_group = os.getpgrp()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        give_terminal_to(os.getpgrp())
        os.execv(command[0], command)

    def pass_on(number: int, _: FrameType | None) -> None:
        os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):  # Ctrl-Z: the whole job stops, and goes on, together
            give_terminal_to(own_group)
            os.killpg(own_group, signal.SIGSTOP)
            give_terminal_to(child)
            os.kill(child, signal.SIGCONT)
            continue
        give_terminal_to(own_group)
        return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main())
