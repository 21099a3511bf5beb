"""A server under mixed load for a long time: answers stay the same, memory stays bounded, a killed worker returns.

LLAMAGPU_SOAK_SECONDS (default 600) is how long; LLAMAGPU_BIN the program. Not part of `make test`: `make test-long`.
"""

import contextlib
import http.client
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("LLAMAGPU_BIN", str(ROOT / "build/release/bin/llama-gpu"))
SECONDS = float(os.environ.get("LLAMAGPU_SOAK_SECONDS", "600"))
MODEL = "smollm2-135m-instruct"
CANARY = {"model": MODEL, "prompt": "The capital of France is", "max_tokens": 24, "temperature": 0}
CLIENTS = 8
# Growth of resident memory from the first quarter of the run to its end.
MAX_GROWTH_BYTES = 64 << 20


@dataclass
class Server:
    port: int
    pid: int

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def workers(self) -> list[dict[str, Any]]:
        status, body = self.request("GET", "/admin/workers")
        assert status == 200
        workers: list[dict[str, Any]] = json.loads(body)["workers"]
        return workers

    def resident_bytes(self) -> int:
        pids = [self.pid, *(worker["pid"] for worker in self.workers())]
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
        return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Tally:
    answers: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    process = subprocess.Popen([PROGRAM, "serve", "--port", "0"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if match := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
            break
    else:
        raise AssertionError("the server ended before it listened")
    drain = threading.Thread(target=process.stderr.read, daemon=True)
    drain.start()
    running = Server(int(match[1]), process.pid)
    wait_until_ready(running)
    yield running
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def wait_until_ready(server: Server, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if server.request("GET", "/readyz")[0] == 200:
            return
        time.sleep(0.1)
    raise AssertionError("the server did not become ready")


def one_request(server: Server, rng: random.Random, expected: str, tally: Tally) -> None:
    kind = rng.random()
    if kind < 0.2:
        status, body = server.request("POST", "/v1/completions", CANARY)
        if status == 200:
            text = json.loads(body)["choices"][0]["text"]
            if text != expected:
                tally.wrong.append(text)
    elif kind < 0.4:  # a client that leaves in the middle
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        with contextlib.closing(connection):
            request = {"model": MODEL, "prompt": "word " * rng.randint(1, 400), "max_tokens": 200, "stream": True}
            connection.request("POST", "/v1/completions", json.dumps(request), {"Content-Type": "application/json"})
            connection.getresponse().read(rng.randint(1, 2000))
        status = 200
    elif kind < 0.5:
        status, _ = server.request("POST", "/v1/completions", {"model": MODEL, "prompt": "x", "max_tokens": -1})
        assert status == 400
    else:
        request = {
            "model": MODEL,
            "prompt": "word " * rng.randint(1, 1500),
            "max_tokens": rng.randint(1, 64),
            "temperature": 0.8,
            "n": rng.randint(1, 3),
        }
        status, _ = server.request("POST", "/v1/completions", request)
    if status == 503:
        tally.refused += 1
    else:
        assert status in (200, 400), status
        tally.answers += 1


def test_mixed_load_changes_no_answer_and_leaks_no_memory(server: Server) -> None:
    expected = json.loads(server.request("POST", "/v1/completions", CANARY)[1])["choices"][0]["text"]
    tally, deadline = Tally(), time.monotonic() + SECONDS
    failures: list[BaseException] = []

    def client(seed: int) -> None:
        rng = random.Random(seed)
        while time.monotonic() < deadline and not failures:
            try:
                one_request(server, rng, expected, tally)
            except BaseException as error:  # noqa: BLE001 - reported by the main thread
                failures.append(error)

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(SECONDS / 4)
    early = server.resident_bytes()
    for thread in threads:
        thread.join()

    assert not failures, failures[0]
    assert not tally.wrong, f"{len(tally.wrong)} canaries differ: {tally.wrong[0]!r}, expected {expected!r}"
    growth = server.resident_bytes() - early
    print(f"{tally.answers} answers, {tally.refused} refused, memory grew by {growth >> 20} MiB")
    assert growth < MAX_GROWTH_BYTES


def test_a_killed_worker_comes_back_every_time(server: Server) -> None:
    expected = server.request("POST", "/v1/completions", CANARY)[1]
    text = json.loads(expected)["choices"][0]["text"]
    for _ in range(3):
        os.kill(server.workers()[0]["pid"], signal.SIGKILL)
        time.sleep(0.5)
        wait_until_ready(server)
        answer = json.loads(server.request("POST", "/v1/completions", CANARY)[1])
        assert answer["choices"][0]["text"] == text
