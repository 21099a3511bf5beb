"""A plugin that tries what plugins must not do, and what they may; says on stderr, as JSON, what worked.

sandbox_probe.py FACTS: what the test made for it to reach for, as JSON.
"""

import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

FACTS: dict[str, Any] = json.loads(sys.argv[1])
LIBC = ctypes.CDLL(None, use_errno=True)
PACKAGE = Path.cwd()
DATA = Path(os.environ["HOME"])
# By number, as the C library has no functions for them: x86-64 first, then the numbers that all newer machines share.
NUMBERS = {
    "x86_64": {
        "add_key": 248,
        "bpf": 321,
        "ptrace": 101,
        "unshare": 272,
        "perf_event_open": 298,
        "io_uring_setup": 425,
    },
    "aarch64": {
        "add_key": 217,
        "bpf": 280,
        "ptrace": 117,
        "unshare": 97,
        "perf_event_open": 241,
        "io_uring_setup": 425,
    },
}[os.uname().machine]


def check(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def system_call(name: str, *arguments: Any) -> None:
    check(LIBC.syscall(NUMBERS[name], *arguments))


def read(path: str) -> None:
    with open(path, "rb") as file:
        file.read(1)


def write(path: str | Path, size: int = 1) -> None:
    with open(path, "wb") as file:
        file.write(bytes(size))


def connect_tcp() -> None:
    with socket.create_connection(("127.0.0.1", FACTS["tcp_port"]), timeout=5):
        pass


def listen_tcp() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))


def connect_unix() -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(FACTS["unix_socket"])


def send_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", FACTS["tcp_port"]))


def mount() -> None:
    check(LIBC.mount(b"none", str(DATA).encode(), b"tmpfs", 0, None))


def map_memory() -> None:
    mmap.mmap(-1, FACTS["memory_bytes"])


def open_files() -> None:
    opened = []
    try:
        for _ in range(FACTS["open_files"]):
            opened.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        for fd in opened:
            os.close(fd)


def fork_children() -> None:
    """As many as the limit: with this process they are one more than it."""
    alive, end = os.pipe()
    children = []
    try:
        for _ in range(FACTS["processes"]):
            child = os.fork()
            if child == 0:
                os.close(end)
                os.read(alive, 1)
                os._exit(0)
            children.append(child)
    finally:
        os.close(end)
        for child in children:
            os.waitpid(child, 0)
        os.close(alive)


def raise_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY:
        return
    resource.setrlimit(resource.RLIMIT_AS, (hard + 1, hard + 1))


# The next two change nothing where they work: the host is the test.
def limit_host() -> None:
    host = os.getppid()
    resource.prlimit(host, resource.RLIMIT_NOFILE, resource.prlimit(host, resource.RLIMIT_NOFILE))


def slow_host_down() -> None:
    host = os.getppid()
    os.setpriority(os.PRIO_PROCESS, host, os.getpriority(os.PRIO_PROCESS, host))


def become_root() -> None:
    os.setuid(0)
    read("/etc/shadow")


def see_host() -> None:
    with open(f"/proc/{os.getppid()}/environ", "rb") as file:
        file.read()


def stop_child() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:  # leaving it ends `cat`, killed or not
        child.kill()


def in_child(act: Callable[[], Any]) -> Callable[[], None]:
    """The act in a process that can be spoiled: a traced one stops at its next signal."""

    def run() -> None:
        child = os.fork()
        if child == 0:
            os._exit(1 if outcome(act) else 0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            raise OSError("it failed in the child")

    return run


def run_thread() -> None:
    done = []
    thread = threading.Thread(target=lambda: done.append(1))
    thread.start()
    thread.join()
    assert done


FORBIDDEN: dict[str, Callable[[], Any]] = {
    "read_shadow": lambda: read("/etc/shadow"),
    "read_host_file": lambda: read(FACTS["host_file"]),
    "read_other_data": lambda: read(FACTS["other_data"] + "/secret"),
    "list_root_folder": lambda: os.listdir(FACTS["host_folder"]),
    "write_host_folder": lambda: write(FACTS["host_folder"] + "/new"),
    "write_package": lambda: write(PACKAGE / "new"),
    "write_tmp": lambda: write("/tmp/llama-gpu-sandbox-probe"),
    "read_host_environment": see_host,
    "write_what_is_granted_to_read": lambda: write(FACTS["granted_read"]),
    "connect_tcp": connect_tcp,
    "listen_tcp": listen_tcp,
    "send_udp": send_udp,
    "connect_unix": connect_unix,
    "ptrace_host": lambda: system_call("ptrace", 16, os.getppid(), 0, 0),
    "trace_itself": in_child(lambda: system_call("ptrace", 0, 0, 0, 0)),
    "mount": mount,
    "new_user_namespace": lambda: system_call("unshare", 0x10000000),
    "bpf": lambda: system_call("bpf", 5, ctypes.create_string_buffer(128), 128),
    "perf_events": lambda: system_call("perf_event_open", ctypes.create_string_buffer(b"\1", 128), 0, -1, -1, 0),
    "io_uring": lambda: system_call("io_uring_setup", 4, ctypes.create_string_buffer(120)),
    "add_key": lambda: system_call("add_key", b"user", b"probe", b"x", 1, -2),
    "own_session": in_child(os.setsid),
    "outlive_host": in_child(lambda: check(LIBC.prctl(1, 0))),
    "signal_host": lambda: os.kill(os.getppid(), signal.SIGURG),
    "slow_host_down": slow_host_down,
    "limit_host": limit_host,
    "become_root": become_root,
    "raise_limit": raise_limit,
    "write_large_file": lambda: write(DATA / "large", FACTS["file_size_bytes"] + 1),
    "open_many_files": open_files,
    "fork_many": fork_children,
    "map_much_memory": map_memory,
}
ALLOWED: dict[str, Callable[[], Any]] = {
    "write_data": lambda: write(DATA / "mine", 1024),
    "make_folder": lambda: os.makedirs(DATA / "a" / "b", exist_ok=True),
    "temporary_file": lambda: tempfile.TemporaryFile().close(),
    "read_package": lambda: read("sandbox_probe.py"),
    "read_granted": lambda: read(FACTS["granted_read"]),
    "write_granted": lambda: write(FACTS["granted_write"] + "/new"),
    "random": lambda: read("/dev/urandom"),
    "run_program": lambda: subprocess.run(["true"], check=True),
    "run_thread": run_thread,
    "socket_pair": socket.socketpair,
    "signal_itself": lambda: os.kill(os.getpid(), 0),
    "stop_child": stop_child,
}


def outcome(act: Callable[[], Any]) -> str:
    """Empty where it worked."""
    try:
        act()
    except (OSError, ValueError, MemoryError, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    said = {
        "open": [fd for fd in range(64) if is_open(fd)],  # first: what is not forbidden may open more
        "allowed": {name: outcome(act) for name, act in ALLOWED.items()},
        "forbidden": {name: outcome(act) for name, act in FORBIDDEN.items()},
        "environment": sorted(os.environ),
        "user": os.getuid(),
    }
    print(json.dumps(said), file=sys.stderr)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


main()
