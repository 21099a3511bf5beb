# SPDX-License-Identifier: Apache-2.0
"""Write a plugin for the LLaMA GPU server: make a Plugin, give it functions, run it.

    from llama_gpu_plugin import Plugin, Reject

    plugin = Plugin()

    @plugin.request_filter
    def be_polite(request):
        if any("please" not in text for text in request.texts()):
            return Reject("say please")
        return None  # goes on as it is

    plugin.run()

Functions are called one after the other, on the thread of run(). What they raise is answered as an error and written to
stderr, which the host keeps as the plugin's log.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, Union

__all__ = ["Message", "Plugin", "PluginError", "Reject", "Replace", "Request", "Verdict"]

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 16 << 20
SOCKET_VARIABLE = "LLAMAGPU_PLUGIN_FD"

_CONTROL_FRAME = 1
_HEADER = struct.Struct("<IB")  # payload length, kind
_METHOD_NOT_FOUND = -32601
_PLUGIN_FAILED = -32000

Function = TypeVar("Function", bound=Callable[..., Any])


class PluginError(Exception):
    """What a plugin raises to say why it cannot start or answer; the message reaches the host's log."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class Reject:
    """The request is refused; the client is told the reason."""

    reason: str


@dataclass(frozen=True)
class Replace:
    """The request goes on with another text: messages for a conversation, a prompt for plain text."""

    messages: list[Message] | None = None
    prompt: str | None = None


# What a request filter returns; None lets the request pass as it is.
Verdict = Union[Reject, Replace, None]


@dataclass(frozen=True)
class Request:
    """A request on its way to a model: a conversation (`messages`) or plain text (`prompt`), the other is None."""

    id: str
    model: str
    deadline_ms: int  # the answer is of no use later than this
    messages: list[Message] | None = None
    prompt: str | None = None

    def texts(self) -> list[str]:
        """All text of the request."""
        if self.messages is not None:
            return [message.content for message in self.messages]
        return [self.prompt or ""]

    def map_text(self, change: Callable[[str], str]) -> Replace | None:
        """The request with every text changed; None, which lets it pass, where nothing is different then."""
        if self.messages is None:
            prompt = change(self.prompt or "")
            return None if prompt == self.prompt else Replace(prompt=prompt)
        messages = [Message(message.role, change(message.content)) for message in self.messages]
        return None if messages == self.messages else Replace(messages=messages)


@dataclass
class Plugin:
    """One plugin. What the host says at the start stands in the attributes before any function is called."""

    id: str = ""
    version: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    data_folder: Path = Path()  # the only place to write to
    log: logging.Logger = field(default_factory=lambda: logging.Logger("plugin"))
    _functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    _socket: int = -1
    _is_running: bool = False

    # Decorators: each names the function that answers for it.

    def setup(self, function: Function) -> Function:
        """Called once with nothing, when `config` and `data_folder` are known; raise PluginError to refuse the start."""
        return self._use("initialize", function)

    def self_test(self, function: Function) -> Function:
        """Called with nothing before the plugin is put to use; raise to fail."""
        return self._use("self_test", function)

    def health(self, function: Function) -> Function:
        """Called with nothing now and then; raise to say that the plugin fails."""
        return self._use("health", function)

    def request_filter(self, function: Function) -> Function:
        """Called with each Request before a model sees it; returns a Verdict."""
        return self._use("request_filter", function)

    def event_listener(self, function: Function) -> Function:
        """Called with each event of the server's plugins, a dict."""
        return self._use("event", function)

    def _use(self, method: str, function: Function) -> Function:
        if method in self._functions:
            raise PluginError(f"there are two functions for '{method}'")
        self._functions[method] = function
        return function

    # The conversation with the host.

    def run(self, fd: int | None = None) -> None:
        """Answers the host until it says that it is enough, or is gone. `fd`: the socket, inherited by default."""
        if fd is None:
            if SOCKET_VARIABLE not in os.environ:
                sys.exit("this is a plugin: install it with 'llama-gpu plugin install'")
            fd = int(os.environ[SOCKET_VARIABLE])
        self._socket = fd
        self.log.addHandler(_LogToHost(self))
        self._is_running = True
        while self._is_running:
            payload = _read_frame(fd)
            if payload is None:
                return
            answer = self.handle(json.loads(payload))
            if answer is not None:
                _write_frame(fd, answer)

    def handle(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer to one message of the host; None where it wants none. run() calls it, and tests may."""
        method, params = str(message.get("method")), message.get("params") or {}
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message.get("id")}
        try:
            answer["result"] = self._answer(method, params)
        except _UnknownMethod:
            answer["error"] = {"code": _METHOD_NOT_FOUND, "message": f"this plugin has no '{method}'"}
        except Exception as error:
            if not isinstance(error, PluginError):
                traceback.print_exc()
            answer["error"] = {"code": _PLUGIN_FAILED, "message": _reason(error)}
        return answer if "id" in message else None

    def _answer(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if method == "initialize":
            return self._initialize(params)
        if method == "self_test":
            failure = self._failure_of("self_test")
            return {"ok": True} if failure is None else {"ok": False, "reason": failure}
        if method == "health":
            failure = self._failure_of("health")
            return {"status": "ok"} if failure is None else {"status": "failing", "reason": failure}
        if method == "shutdown":
            self._is_running = False
            return {}
        if method == "event":
            if "event" in self._functions:
                self._functions["event"](params)
            return {}
        if method == "request_filter" and "request_filter" in self._functions:
            return _verdict_on_wire(self._functions["request_filter"](_read_request(params)))
        raise _UnknownMethod

    def _initialize(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params.get("protocol") != PROTOCOL_VERSION:
            raise PluginError(f"the host speaks protocol {params.get('protocol')}, this SDK {PROTOCOL_VERSION}")
        self.id, self.version = params["plugin"]["id"], params["plugin"]["version"]
        self.config = params["config"]
        self.data_folder = Path(params["data_folder"])
        if "initialize" in self._functions:
            self._functions["initialize"]()
        names = {"request_filter": "request_filter", "event": "event_listener"}
        return {
            "protocol": PROTOCOL_VERSION,
            "capabilities": [name for method, name in names.items() if method in self._functions],
        }

    def _failure_of(self, method: str) -> str | None:
        try:
            if method in self._functions:
                self._functions[method]()
        except Exception as error:
            return _reason(error)
        return None

    def _send_log(self, level: str, text: str) -> None:
        if self._socket < 0:
            return
        params = {"level": level, "message": text}
        _write_frame(self._socket, {"jsonrpc": "2.0", "method": "log", "params": params})


class _UnknownMethod(Exception):
    pass


class _LogToHost(logging.Handler):
    def __init__(self, plugin: Plugin) -> None:
        super().__init__()
        self._plugin = plugin

    def emit(self, record: logging.LogRecord) -> None:
        level = "error"
        if record.levelno < logging.ERROR:
            level = "warning"
        if record.levelno < logging.WARNING:
            level = "info"
        if record.levelno < logging.INFO:
            level = "debug"
        self._plugin._send_log(level, self.format(record))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"


def _read_request(params: Mapping[str, Any]) -> Request:
    messages = params.get("messages")
    return Request(
        id=params["request_id"],
        model=params["model"],
        deadline_ms=params["deadline_ms"],
        messages=None if messages is None else [Message(each["role"], each["content"]) for each in messages],
        prompt=params.get("prompt"),
    )


def _verdict_on_wire(verdict: Verdict) -> dict[str, Any]:
    if verdict is None:
        return {"action": "pass"}
    if isinstance(verdict, Reject):
        return {"action": "reject", "reason": verdict.reason}
    if not isinstance(verdict, Replace):
        raise PluginError(f"a request filter returned {type(verdict).__name__}, expected Reject, Replace or None")
    if verdict.messages is not None:
        messages = [{"role": each.role, "content": each.content} for each in verdict.messages]
        return {"action": "replace", "messages": messages}
    return {"action": "replace", "prompt": verdict.prompt}


def _read_exactly(fd: int, size: int) -> bytes | None:
    parts = []
    while size > 0:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _read_frame(fd: int) -> bytes | None:
    """The payload of the next frame; None at the end of the connection."""
    header = _read_exactly(fd, _HEADER.size)
    if header is None:
        return None
    size, kind = _HEADER.unpack(header)
    if kind != _CONTROL_FRAME or not 0 < size <= MAX_FRAME_BYTES:
        raise PluginError(f"the host sent a frame of kind {kind} and {size} bytes, which is not the protocol")
    return _read_exactly(fd, size)


def _write_frame(fd: int, message: Mapping[str, Any]) -> None:
    payload = json.dumps(message).encode()
    if len(payload) > MAX_FRAME_BYTES:
        raise PluginError(f"an answer of {len(payload)} bytes, at most {MAX_FRAME_BYTES} can be sent")
    frame = memoryview(_HEADER.pack(len(payload), _CONTROL_FRAME) + payload)
    while frame:
        frame = frame[os.write(fd, frame) :]
