# SPDX-License-Identifier: Apache-2.0
"""The plugin of docs/plugins/write-a-plugin.md, run as a host runs it; and the bytes of docs/plugins/protocol.md."""

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import tomllib

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs/plugins/write-a-plugin.md").read_text()
PROTOCOL = (ROOT / "docs/plugins/protocol.md").read_text()


def block(language: str) -> str:
    """The guide's one block of code in the language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    assert len(found) == 1
    return str(found[0])


def frame(message: Any) -> bytes:
    payload = json.dumps(message, separators=(",", ":")).encode()
    return struct.pack("<IB", len(payload), 1) + payload


def read_exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        assert part, "the plugin has ended"
        data += part
    return data


class RunningPlugin:
    """The guide's plugin, as a process."""

    def __init__(self, folder: Path) -> None:
        (folder / "polite.py").write_text(block("python"))
        shutil.copytree(ROOT / "sdk/python/llama_gpu_plugin", folder / "llama_gpu_plugin")
        self.manifest = tomllib.loads(block("toml"))
        self.host, theirs = socket.socketpair()
        self.host.settimeout(20)
        command = [sys.executable if part == "python3" else part for part in self.manifest["plugin"]["command"]]
        environment = {"LLAMAGPU_PLUGIN_FD": str(theirs.fileno()), "PATH": os.environ["PATH"]}
        with theirs:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, pass_fds=[theirs.fileno()])

    def ask(self, method: str, **params: Any) -> Any:
        self.host.sendall(frame({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}))
        size, kind = struct.unpack("<IB", read_exactly(self.host, 5))
        answer = json.loads(read_exactly(self.host, size))
        assert kind == 1 and answer["id"] == 7
        return answer["result"]


def test_the_plugin_of_the_guide_works(tmp_path: Path) -> None:
    plugin = RunningPlugin(tmp_path)
    about = plugin.manifest["plugin"]
    assert plugin.ask(
        "initialize",
        protocol=1,
        host={"api": "1.0.0"},
        plugin={"id": about["id"], "version": about["version"]},
        config=plugin.manifest["config"],
        data_folder=str(tmp_path),
    ) == {"protocol": 1, "capabilities": about["capabilities"]}
    assert plugin.ask("self_test") == {"ok": True}

    request = {"request_id": "r", "model": "m", "deadline_ms": 1000}
    assert plugin.ask("request_filter", **request, prompt="hello") == {"action": "pass"}
    assert plugin.ask("request_filter", **request, prompt="hello!!!") == {"action": "replace", "prompt": "hello."}
    assert plugin.ask("request_filter", **request, prompt="Blockhead")["action"] == "reject"

    plugin.host.sendall(frame({"jsonrpc": "2.0", "method": "shutdown", "params": {}}))
    assert plugin.process.wait(20) == 0


def test_the_guide_keeps_its_word_of_twenty_lines() -> None:
    assert len([line for line in block("python").splitlines() if line.strip()]) <= 20


def test_the_frame_of_the_protocol_page_is_right() -> None:
    message = re.search(r"frame of the message `(.*?)` \((\d+) bytes\)", PROTOCOL)
    shown = re.search(r"^```\n((?:[0-9a-f]{2} +)+)\.\.\. 7d 7d$", PROTOCOL, re.MULTILINE)
    assert message and shown
    written = frame(json.loads(message[1]))
    assert len(written) - 5 == int(message[2]) == len(message[1])
    assert written.startswith(bytes.fromhex(shown[1]))


def test_the_examples_of_the_protocol_page_are_messages() -> None:
    examples = re.findall(r"^```json\n(.*?)^```$", PROTOCOL, re.DOTALL | re.MULTILINE)
    assert len(examples) > 7
    decoder = json.JSONDecoder()
    for example in examples:
        rest = example.strip()
        while rest:
            message, end = decoder.raw_decode(rest)
            assert message.get("jsonrpc") == "2.0" or "sandbox" in message
            rest = rest[end:].strip()
