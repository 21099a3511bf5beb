# SPDX-License-Identifier: Apache-2.0
"""Worker processes of the real program: killed, stopped, orphaned; and the server that stays."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import MODEL_ID, Server, model_path, program, wait_until

QUESTION = [{"role": "user", "content": "Write a very long story about the sea."}]


def worker_of(server: Server) -> dict[str, Any]:
    worker: dict[str, Any] = httpx.get(server.url + "/admin/workers").json()["workers"][0]
    return worker


def is_ready(server: Server) -> bool:
    return httpx.get(server.url + "/readyz").status_code == 200


def chat(**more: Any) -> dict[str, Any]:
    return {"model": MODEL_ID, "messages": QUESTION, "temperature": 0, **more}


def answer(server: Server, max_tokens: int = 24) -> str:
    reply = httpx.post(server.url + "/v1/chat/completions", json=chat(max_tokens=max_tokens), timeout=60)
    assert reply.status_code == 200, reply.text
    text: str = reply.json()["choices"][0]["message"]["content"]
    return text


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Stream(threading.Thread):
    """One streamed chat on a thread of its own. `events` is all it heard; `is_whole`: the body ended as it should."""

    def __init__(self, server: Server, **more: Any) -> None:
        super().__init__(daemon=True)
        self.url = server.url + "/v1/chat/completions"
        self.body = chat(stream=True, **more)
        self.status = 0
        self.headers: httpx.Headers = httpx.Headers()
        self.events: list[str] = []
        self.has_text = threading.Event()
        self.is_whole = False
        self.start()

    def run(self) -> None:
        with httpx.stream("POST", self.url, json=self.body, timeout=120) as response:
            self.status, self.headers = response.status_code, response.headers
            # A body that ends without its last chunk raises here, and is_whole stays false.
            for line in response.iter_lines():
                if line.startswith("data: "):
                    self.events.append(line[len("data: ") :])
                elif line:
                    self.events.append(line)
                if '"content":"' in line and '"content":""' not in line:
                    self.has_text.set()
        self.is_whole = True

    def text(self) -> str:
        deltas = [json.loads(event)["choices"][0]["delta"] for event in self.events if event.startswith('{"id"')]
        return "".join(delta.get("content") or "" for delta in deltas)


@pytest.fixture
def own(start_server: Callable[..., Server]) -> Iterator[Server]:
    server = start_server()
    server_pid = server.process.pid
    yield server
    # Whatever happened to its worker, it was the same server all along.
    assert server.process.pid == server_pid
    assert server.process.poll() is None
    assert httpx.get(server.url + "/livez").status_code == 200


def test_workers_are_listed_with_every_field(own: Server) -> None:
    worker = worker_of(own)
    assert {"id", "model", "pid", "state", "since", "restarts", "last_exit"} <= worker.keys()
    assert worker["model"] == MODEL_ID
    assert worker["state"] == "ready"
    assert worker["restarts"] == 0
    assert worker["last_exit"] is None
    assert worker["pid"] != own.process.pid
    assert abs(time.time() - worker["since"]) < 300
    os.kill(worker["pid"], signal.SIGKILL)
    wait_until(lambda: worker_of(own)["restarts"] == 1)
    assert {"kind", "signal", "log_tail"} <= worker_of(own)["last_exit"].keys()


def test_eight_begun_streams_end_with_an_error_and_the_model_comes_back(own: Server) -> None:
    expected = answer(own)
    streams = [Stream(own, ignore_eos=True) for _ in range(8)]
    for stream in streams:
        assert stream.has_text.wait(60)
    killed = worker_of(own)

    os.kill(killed["pid"], signal.SIGKILL)
    wait_until(lambda: not is_ready(own), seconds=2)

    for stream in streams:
        stream.join(60)
        assert stream.is_whole, "the last chunk is missing"
        assert stream.status == 200
        assert stream.events[-1] == "[DONE]"
        error = json.loads(stream.events[-2])["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert error["code"] == "worker_failed"
    wait_until(lambda: is_ready(own))
    back = worker_of(own)
    assert back["pid"] != killed["pid"] and back["restarts"] == 1 and back["state"] == "ready"
    assert back["last_exit"]["kind"] == "crashed" and back["last_exit"]["signal"] == signal.SIGKILL
    assert answer(own) == expected


def test_what_had_not_begun_waits_for_the_new_worker(own: Server) -> None:
    expected = answer(own, max_tokens=8)
    pid = worker_of(own)["pid"]
    os.kill(pid, signal.SIGSTOP)
    streams = [Stream(own, max_tokens=8) for _ in range(8)]
    time.sleep(0.3)  # so that most have reached the worker, which will never answer

    os.kill(pid, signal.SIGKILL)

    for stream in streams:
        stream.join(60)
        assert stream.is_whole
        if stream.status == 200:
            assert stream.text() == expected
            assert stream.events[-1] == "[DONE]"
        else:
            assert stream.status == 503
            assert int(stream.headers["retry-after"]) > 0
    assert any(stream.status == 200 for stream in streams)


def test_requests_during_a_restart_are_answered(own: Server) -> None:
    expected = answer(own, max_tokens=8)
    os.kill(worker_of(own)["pid"], signal.SIGKILL)
    assert answer(own, max_tokens=8) == expected


def test_a_worker_may_be_killed_again_and_again(own: Server) -> None:
    for restarts in range(1, 7):
        os.kill(worker_of(own)["pid"], signal.SIGKILL)
        wait_until(lambda restarts=restarts: worker_of(own)["restarts"] == restarts and is_ready(own))
    assert answer(own, max_tokens=2)


def test_a_stopped_worker_is_not_ready_and_ready_once_it_goes_on(own: Server) -> None:
    pid = worker_of(own)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        # Two seconds, and what this machine needs to notice.
        wait_until(lambda: not is_ready(own), seconds=3)
        assert worker_of(own)["state"] == "ready"
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: is_ready(own), seconds=3)
    assert worker_of(own)["pid"] == pid


def test_a_worker_told_to_stop_finishes_its_streams(own: Server) -> None:
    stream = Stream(own, max_tokens=60, ignore_eos=True)
    assert stream.has_text.wait(60)
    os.kill(worker_of(own)["pid"], signal.SIGTERM)
    wait_until(lambda: not is_ready(own), seconds=2)
    stream.join(60)
    assert stream.is_whole and stream.events[-1] == "[DONE]"
    assert not any('"error"' in event for event in stream.events)
    wait_until(lambda: worker_of(own)["restarts"] == 1 and is_ready(own))
    assert worker_of(own)["last_exit"]["kind"] == "stopped"


def test_no_worker_outlives_a_killed_server(start_server: Callable[..., Server]) -> None:
    server = start_server()
    worker = worker_of(server)["pid"]
    server.process.kill()
    server.process.wait(timeout=30)
    wait_until(lambda: not is_alive(worker), seconds=5)


def test_no_worker_outlives_a_stopped_server(start_server: Callable[..., Server]) -> None:
    server = start_server()
    worker = worker_of(server)["pid"]
    assert server.stop() == 0
    assert not is_alive(worker)


def test_a_loaded_model_survives_the_loss_of_its_file(tmp_path: Path) -> None:
    copy, away = tmp_path / "copy.gguf", tmp_path / "away.gguf"
    shutil.copy(model_path(), copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLAMAGPU_TEST_MODEL", str(copy))
        server = Server()
    try:
        server.wait_until_ready()
        copy.rename(away)
        body = {"model": httpx.get(server.url + "/v1/models").json()["data"][0]["id"], "prompt": "a", "max_tokens": 4}
        assert httpx.post(server.url + "/v1/completions", json=body, timeout=60).status_code == 200

        os.kill(worker_of(server)["pid"], signal.SIGKILL)
        wait_until(lambda: (worker_of(server)["last_exit"] or {}).get("kind") == "load_failed")
        refused = httpx.post(server.url + "/v1/completions", json=body, timeout=5)
        assert refused.status_code == 503 and "Retry-After" in refused.headers
        assert "file_not_found" in refused.json()["error"]["message"]
        away.rename(copy)

        server.wait_until_ready(60)
        assert httpx.post(server.url + "/v1/completions", json=body, timeout=60).status_code == 200
    finally:
        assert server.stop() == 0


def serve_while_the_file_is_cut(tmp_path: Path, failpoints: str) -> list[str]:
    """What serve logs when its model file is cut short while its worker sleeps at a failpoint."""
    copy = tmp_path / "copy.gguf"
    shutil.copy(model_path(), copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLAMAGPU_TEST_MODEL", str(copy))
        server = Server(environment={"LLAMAGPU_FAILPOINTS": failpoints})
    wait_until(lambda: any("a failpoint sleeps" in line for line in list(server.lines)))
    os.truncate(copy, 1_000_000)
    assert server.process.wait(timeout=60) == 66
    lines: list[str] = server.lines
    return lines


def test_a_file_that_is_cut_between_two_tensors_is_a_typed_error(tmp_path: Path) -> None:
    lines = serve_while_the_file_is_cut(tmp_path, "weights.check=sleep:3000@200")
    [first, *_] = [line for line in lines if "a worker ended" in line]
    assert "load_failed" in first
    assert "changed since it was opened" in first
    assert any("cannot be loaded" in line for line in lines)


def test_a_file_that_is_cut_while_a_tensor_is_read_is_told_in_words(tmp_path: Path) -> None:
    lines = serve_while_the_file_is_cut(tmp_path, "weights.read=sleep:3000@200")
    [first, *_] = [line for line in lines if "a worker ended" in line]
    assert "crashed" in first
    assert "cut or changed while it was read" in first


def test_the_worker_verb_is_not_for_people() -> None:
    by_hand = subprocess.run(
        [str(program()), "engine-worker", "--fd", "77"], capture_output=True, text=True, timeout=60, check=False
    )
    assert by_hand.returncode == 2
    assert "not by hand" in by_hand.stderr
