# SPDX-License-Identifier: Apache-2.0
"""A request filter that needs nothing but python3: it speaks the protocol by itself, as any language could.

Its config says what it does: swap words, refuse those that are forbidden, or misbehave ("mode").
"""

import json
import os
import signal
import socket
import struct
import sys
import time
from typing import Any

CHANNEL = socket.socket(fileno=int(os.environ["LLAMAGPU_PLUGIN_FD"]))
CONFIG: dict[str, Any] = {}


def read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = CHANNEL.recv(size - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data


def read_message() -> dict[str, Any]:
    size, _kind = struct.unpack("<IB", read_exactly(5))
    message: dict[str, Any] = json.loads(read_exactly(size))
    return message


def write_message(message: dict[str, Any]) -> None:
    payload = json.dumps(message).encode()
    CHANNEL.sendall(struct.pack("<IB", len(payload), 1) + payload)


def swapped(text: str) -> str:
    for word, other in CONFIG.get("swap", {}).items():
        text = text.replace(word, other)
    return text


def request_filter(params: dict[str, Any]) -> dict[str, Any]:
    mode = CONFIG.get("mode", "ok")
    if mode == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if mode == "hang":
        time.sleep(3600)
    texts = [params["prompt"]] if "prompt" in params else [message["content"] for message in params["messages"]]
    forbidden = CONFIG.get("forbidden", "")
    if forbidden and any(forbidden in text for text in texts):
        return {"action": "reject", "reason": f"it holds '{forbidden}'"}
    if all(swapped(text) == text for text in texts):
        return {"action": "pass"}
    if "prompt" in params:
        return {"action": "replace", "prompt": swapped(params["prompt"])}
    messages = [{**message, "content": swapped(message["content"])} for message in params["messages"]]
    return {"action": "replace", "messages": messages}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        CONFIG.update(params["config"])
        return {"protocol": 1, "capabilities": ["request_filter"]}
    if method == "self_test":
        is_good = CONFIG.get("mode") != "bad_self_test"
        return {"ok": True} if is_good else {"ok": False, "reason": "it was told to fail"}
    if method == "health":
        return {"status": "ok"}
    return request_filter(params)


def main() -> None:
    while True:
        message = read_message()
        if message["method"] == "shutdown":
            return
        if "id" in message:
            result = answer(message["method"], message.get("params", {}))
            write_message({"jsonrpc": "2.0", "id": message["id"], "result": result})


if __name__ == "__main__":
    main()
