# SPDX-License-Identifier: Apache-2.0
"""A plugin for tests of the sandbox: adds to prompts, and keeps events in its own folder."""

import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

stream = socket.socket(fileno=int(os.environ["LLAMAGPU_PLUGIN_FD"])).makefile("rwb")


def receive() -> dict[str, Any]:
    header = stream.read(5)
    if len(header) < 5:
        raise SystemExit
    message: dict[str, Any] = json.loads(stream.read(struct.unpack("<I", header[:4])[0]))
    return message


def answer(message: dict[str, Any], result: dict[str, Any]) -> None:
    payload = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
    stream.write(struct.pack("<IB", len(payload), 1) + payload)
    stream.flush()


while True:
    message = receive()
    match message["method"]:
        case "initialize":
            folder = Path(message["params"]["data_folder"])
            answer(message, {"protocol": 1, "capabilities": ["request_filter", "event_listener"]})
        case "self_test":
            answer(message, {"ok": True})
        case "health":
            answer(message, {"status": "ok"})
        case "request_filter":
            prompt = message["params"]["prompt"]
            answer(message, {"action": "replace", "prompt": prompt + " ok"})
        case "event":
            with (folder / "events.jsonl").open("a") as file:
                file.write(json.dumps(message["params"]) + "\n")
        case "shutdown":
            raise SystemExit
