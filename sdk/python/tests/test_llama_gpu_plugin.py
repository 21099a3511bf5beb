# SPDX-License-Identifier: Apache-2.0
"""What a plugin says to its host, by handle() and on a real socket."""

import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llama_gpu_plugin import MAX_FRAME_BYTES, Message, Plugin, PluginError, Reject, Replace, Request

INITIALIZE = {
    "protocol": 1,
    "host": {"api": "1.0.0"},
    "plugin": {"id": "acme/guard", "version": "1.2.3"},
    "config": {"mask": "x"},
    "data_folder": "/data",
}
CHAT = {"request_id": "r", "model": "m", "deadline_ms": 9, "messages": [{"role": "user", "content": "hello"}]}
TEXT = {"request_id": "r", "model": "m", "deadline_ms": 9, "prompt": "hello"}


def ask(plugin: Plugin, method: str, params: Any = None) -> Any:
    """The result, or the error, of a request."""
    answer = plugin.handle({"jsonrpc": "2.0", "id": 5, "method": method, "params": params or {}})
    assert answer is not None
    assert answer["jsonrpc"] == "2.0" and answer["id"] == 5
    return answer.get("error") or answer["result"]


def test_a_plugin_says_what_it_can_do() -> None:
    plugin = Plugin()
    plugin.request_filter(lambda request: None)
    seen = []
    plugin.setup(lambda: seen.append((plugin.config["mask"], plugin.data_folder)))

    assert ask(plugin, "initialize", INITIALIZE) == {"protocol": 1, "capabilities": ["request_filter"]}
    assert seen == [("x", Path("/data"))]
    assert (plugin.id, plugin.version) == ("acme/guard", "1.2.3")

    plugin.event_listener(lambda event: None)
    assert ask(plugin, "initialize", INITIALIZE)["capabilities"] == ["request_filter", "event_listener"]


def test_another_protocol_is_refused() -> None:
    assert "protocol 2" in ask(Plugin(), "initialize", {**INITIALIZE, "protocol": 2})["message"]


def test_a_setup_that_fails_says_why() -> None:
    plugin = Plugin()

    @plugin.setup
    def refuse() -> None:
        raise PluginError("'mask' is missing")

    assert ask(plugin, "initialize", INITIALIZE) == {"code": -32000, "message": "'mask' is missing"}


def test_two_functions_for_one_thing_are_refused() -> None:
    plugin = Plugin()
    plugin.health(lambda: None)
    with pytest.raises(PluginError, match="two functions"):
        plugin.health(lambda: None)


@pytest.mark.parametrize(
    ("params", "verdict", "expected"),
    [
        (CHAT, None, {"action": "pass"}),
        (CHAT, Reject("rude"), {"action": "reject", "reason": "rude"}),
        (
            CHAT,
            Replace(messages=[Message("user", "hi")]),
            {"action": "replace", "messages": [{"role": "user", "content": "hi"}]},
        ),
        (TEXT, Replace(prompt="hi"), {"action": "replace", "prompt": "hi"}),
    ],
)
def test_verdicts(params: dict[str, Any], verdict: Any, expected: dict[str, Any]) -> None:
    plugin = Plugin()
    plugin.request_filter(lambda request: verdict)
    assert ask(plugin, "request_filter", params) == expected


def test_a_verdict_that_is_none_is_an_error() -> None:
    plugin = Plugin()
    plugin.request_filter(lambda request: "yes")
    assert "returned str" in ask(plugin, "request_filter", CHAT)["message"]


def test_requests_are_read_and_mapped() -> None:
    requests: list[Request] = []
    plugin = Plugin()
    plugin.request_filter(requests.append)
    ask(plugin, "request_filter", CHAT)
    ask(plugin, "request_filter", TEXT)
    chat, text = requests

    assert chat == Request("r", "m", 9, messages=[Message("user", "hello")])
    assert (chat.texts(), text.texts()) == (["hello"], ["hello"])
    assert chat.map_text(str.upper) == Replace(messages=[Message("user", "HELLO")])
    assert text.map_text(str.upper) == Replace(prompt="HELLO")
    assert chat.map_text(str.lower) is None
    assert text.map_text(str.lower) is None


def test_a_filter_that_raises_is_an_error_with_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    plugin = Plugin()
    plugin.request_filter(lambda request: 1 / 0)
    assert ask(plugin, "request_filter", CHAT)["message"] == "ZeroDivisionError: division by zero"
    assert "Traceback" in capfd.readouterr().err


def test_self_test_and_health() -> None:
    plugin = Plugin()
    assert ask(plugin, "self_test") == {"ok": True}
    assert ask(plugin, "health") == {"status": "ok"}

    @plugin.self_test
    @plugin.health
    def fail() -> None:
        raise OSError("no disk")

    assert ask(plugin, "self_test") == {"ok": False, "reason": "OSError: no disk"}
    assert ask(plugin, "health") == {"status": "failing", "reason": "OSError: no disk"}


def test_what_it_does_not_know_is_an_error() -> None:
    assert ask(Plugin(), "request_filter", CHAT)["code"] == -32601
    assert ask(Plugin(), "fly") == {"code": -32601, "message": "this plugin has no 'fly'"}


def test_notifications_are_not_answered() -> None:
    plugin = Plugin()
    events: list[Any] = []
    assert plugin.handle({"jsonrpc": "2.0", "method": "event", "params": {"to": "active"}}) is None
    plugin.event_listener(events.append)
    assert plugin.handle({"jsonrpc": "2.0", "method": "event", "params": {"to": "active"}}) is None
    assert plugin.handle({"jsonrpc": "2.0", "method": "fly"}) is None
    assert events == [{"to": "active"}]


class Host:
    """The other end of a running plugin's socket."""

    def __init__(self, plugin: Plugin) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(20)
        self.error: BaseException | None = None
        self.fd = theirs.detach()
        self.thread = threading.Thread(target=self._run, args=(plugin,))
        self.thread.start()

    def _run(self, plugin: Plugin) -> None:
        try:
            plugin.run(self.fd)
        except BaseException as error:
            self.error = error
        os.close(self.fd)

    def send(self, message: Any, kind: int = 1) -> None:
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.socket.sendall(struct.pack("<IB", len(payload), kind) + payload)

    def receive(self) -> Any:
        size, kind = struct.unpack("<IB", self._read(5))
        assert kind == 1
        return json.loads(self._read(size))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            assert part, "the plugin closed"
            data += part
        return data

    def close(self) -> None:
        self.socket.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def plugin() -> Plugin:
    return Plugin()


@pytest.fixture
def host(plugin: Plugin) -> Iterator[Host]:
    host = Host(plugin)
    yield host
    host.close()


def test_messages_go_both_ways_however_large(plugin: Plugin, host: Host) -> None:
    plugin.request_filter(lambda request: request.map_text(str.upper))
    text = "é" * 1_000_000
    host.send({"jsonrpc": "2.0", "id": 1, "method": "request_filter", "params": {**TEXT, "prompt": text}})
    answer = host.receive()
    assert answer == {"jsonrpc": "2.0", "id": 1, "result": {"action": "replace", "prompt": text.upper()}}


def test_log_lines_reach_the_host(plugin: Plugin, host: Host) -> None:
    @plugin.health
    def chatter() -> None:
        plugin.log.debug("a %s", 1)
        plugin.log.info("b")
        plugin.log.warning("c")
        plugin.log.critical("d")

    host.send({"jsonrpc": "2.0", "id": 1, "method": "health", "params": {}})
    lines = [host.receive()["params"] for _ in range(4)]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("debug", "a 1"),
        ("info", "b"),
        ("warning", "c"),
        ("error", "d"),
    ]
    assert host.receive()["result"] == {"status": "ok"}


def test_shutdown_ends_it(host: Host) -> None:
    host.send({"jsonrpc": "2.0", "method": "shutdown", "params": {}})
    host.thread.join(20)
    assert host.error is None and not host.thread.is_alive()


def test_the_end_of_the_host_ends_it(host: Host) -> None:
    host.socket.sendall(b"\x01\x02")  # in the middle of a frame
    host.close()
    assert host.error is None


@pytest.mark.parametrize("frame", [struct.pack("<IB", 2, 7) + b"{}", struct.pack("<IB", MAX_FRAME_BYTES + 1, 1)])
def test_what_is_no_frame_ends_it(host: Host, frame: bytes) -> None:
    host.socket.sendall(frame)
    host.thread.join(20)
    assert isinstance(host.error, PluginError)


def test_an_answer_that_is_too_large_ends_it(plugin: Plugin, host: Host) -> None:
    plugin.request_filter(lambda request: Replace(prompt="x" * MAX_FRAME_BYTES))
    host.send({"jsonrpc": "2.0", "id": 1, "method": "request_filter", "params": TEXT})
    host.thread.join(20)
    assert isinstance(host.error, PluginError)


def test_logging_without_a_host_says_nothing() -> None:
    Plugin().log.warning("nobody hears it")


def test_a_plugin_that_is_run_by_hand_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAMAGPU_PLUGIN_FD", raising=False)
    with pytest.raises(SystemExit, match="plugin install"):
        Plugin().run()
