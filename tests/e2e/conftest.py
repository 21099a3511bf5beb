# SPDX-License-Identifier: Apache-2.0
"""Starts the real program on the real default model."""

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_ID = "smollm2-135m-instruct"
START_SECONDS = 120


def program() -> Path:
    path = Path(os.environ.get("LLAMAGPU_BIN", ROOT / "build/release/bin/llama-gpu"))
    assert path.exists(), f"{path} is missing: build it, or set LLAMAGPU_BIN"
    return path


def model_path() -> Path:
    if named := os.environ.get("LLAMAGPU_TEST_MODEL"):
        path = Path(named)
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
        path = Path(os.environ.get("LLAMAGPU_MODELS") or data / "llama-gpu/models") / MODEL_FILE
    assert path.exists(), f"{path} is missing: run scripts/fetch_model.sh, or set LLAMAGPU_TEST_MODEL"
    return path


def has_vectors() -> bool:
    """Whether the server computes with AVX2 or AVX-512. The plain loops round otherwise, and this small model then
    answers otherwise, too."""
    return os.environ.get("LLAMAGPU_FORCE_ISA") != "scalar" and "avx2" in Path("/proc/cpuinfo").read_text()


class Server:
    """A running `llama-gpu serve`."""

    def __init__(self, *args: str, port: int = 0, environment: dict[str, str] | None = None) -> None:
        command = [str(program()), "serve", str(model_path()), "--port", str(port), *args]
        # Of its own, and none of the user's plugins.
        self.store = tempfile.TemporaryDirectory(prefix="llama-gpu-plugins-")
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "LLAMAGPU_PLUGINS": self.store.name, **(environment or {})},
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read_lines, daemon=True)
        self._reader.start()
        self.port = self._wait_for_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def _read_lines(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def _wait_for_port(self) -> int:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for line in self.lines:
                if found := re.search(r"listening on http://[^\s:]+:(\d+)", line):
                    return int(found[1])
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError("serve did not listen:\n" + "".join(self.lines))

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        wait_until(lambda: httpx.get(self.url + "/readyz").status_code == 200, seconds)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = httpx.get(self.url + "/metrics").text
        values = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        assert values, f"{name} is not exposed"
        return sum(map(float, values))

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def wait_until(is_true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One for all tests that leave it as it was."""
    running = Server()
    running.wait_until_ready()
    yield running
    assert running.stop() == 0


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """For tests that need their own."""
    started: list[Server] = []

    def start(*args: str, environment: dict[str, str] | None = None) -> Server:
        running = Server(*args, environment=environment)
        started.append(running)
        running.wait_until_ready()
        return running

    yield start
    for running in started:
        running.stop()
