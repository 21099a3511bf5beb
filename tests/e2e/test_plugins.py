# SPDX-License-Identifier: Apache-2.0
"""Plugins of the real program: their whole life by HTTP and by command line, under load, and when they fail."""

import contextlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import MODEL_ID, Server, program, wait_until

WORD_SWAP = Path(__file__).parent / "plugins" / "word_swap" / "word_swap.py"
ID = "tests/word-swap"
MANIFEST = """
[plugin]
id = "{id}"
version = "{version}"
summary = "Swaps words"
license = "Apache-2.0"
command = ["python3", "word_swap.py"]
capabilities = ["request_filter"]
failure_policy = "{policy}"
required = {required}
[host_api]
min = "1.0.0"
max = "1.999.0"
[permissions]
network = {network}
[limits]
memory = "256MiB"
call_timeout_ms = 2000
[config]
mode = "{mode}"
forbidden = "zebra"
[config.swap]
cat = "{swap}"
"""

Start = Callable[..., Server]


def make_plugin(folder: Path, version: str = "1.0.0", **more: Any) -> Path:
    """A package; `more`: what differs from a plugin that is well."""
    values = {"id": ID, "policy": "open", "required": "false", "network": "false", "mode": "ok", "swap": "dog", **more}
    package = folder / f"package-{version}-{values['mode']}-{values['swap']}"
    package.mkdir(parents=True)
    shutil.copy(WORD_SWAP, package)
    (package / "plugin.toml").write_text(MANIFEST.format(version=version, **values))
    return package


class Plugins:
    """A server with a store of its own, and the command line beside it."""

    def __init__(self, server: Server, store: Path) -> None:
        self.server, self.store = server, store

    def get(self, path: str = "") -> dict[str, Any]:
        reply = httpx.get(f"{self.server.url}/admin/plugins{path}", timeout=30)
        assert reply.status_code == 200, reply.text
        document: dict[str, Any] = reply.json()
        return document

    def change(self, action: str, **more: Any) -> httpx.Response:
        return httpx.post(
            f"{self.server.url}/admin/plugins/changes", json={"action": action, **more}, timeout=60
        )  # fmt: skip

    def install(self, package: Path) -> dict[str, Any]:
        reply = self.change("install", source=str(package), allow_unsigned=True)
        assert reply.status_code == 200, reply.text
        document: dict[str, Any] = reply.json()
        return document

    def state(self, plugin: str = ID) -> str:
        return str(self.get(f"/{plugin}")["state"])

    def events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = httpx.get(f"{self.server.url}/admin/plugin-events").json()["events"]
        return events

    def cli(self, *arguments: str, ok: bool = True, text: str = "") -> subprocess.CompletedProcess[str]:
        return run_cli(self.store, *arguments, "--url", self.server.url, ok=ok, text=text)


def run_cli(store: Path, *arguments: str, ok: bool = True, text: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(program()), "plugin", *arguments], capture_output=True, text=True, input=text, timeout=120, check=False,
        env={**os.environ, "LLAMAGPU_PLUGINS": str(store)},
    )  # fmt: skip
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done


@pytest.fixture
def plugins(start_server: Start, tmp_path: Path) -> Plugins:
    store = tmp_path / "store"
    return Plugins(start_server(environment={"LLAMAGPU_PLUGINS": str(store)}), store)


def echo(server: Server, prompt: str) -> httpx.Response:
    """The prompt as it reached the engine."""
    body = {"model": MODEL_ID, "prompt": prompt, "max_tokens": 0, "echo": True}
    return httpx.post(server.url + "/v1/completions", json=body, timeout=60)


def echoed(server: Server, prompt: str) -> str:
    reply = echo(server, prompt)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["choices"][0]["text"])


def chat(server: Server, content: str, **more: Any) -> httpx.Response:
    body = {"model": MODEL_ID, "messages": [{"role": "user", "content": content}], "max_tokens": 4, **more}
    return httpx.post(server.url + "/v1/chat/completions", json=body, timeout=60)


def test_a_server_without_plugins_says_so(plugins: Plugins) -> None:
    listing = plugins.get()
    assert listing["plugins"] == []
    assert listing["generation"] == 0
    assert {layer["layer"] for layer in listing["sandbox"]} >= {"landlock", "syscall_filter", "namespaces"}
    assert httpx.get(plugins.server.url + "/admin/plugins/a/b").json()["error"]["code"] == "plugin_not_found"
    assert echoed(plugins.server, "a cat") == "a cat"


def test_plugins_can_be_switched_off(start_server: Start) -> None:
    server = start_server(environment={"LLAMAGPU_PLUGINS__ENABLED": "false"})
    assert httpx.get(server.url + "/admin/plugins").status_code == 404
    assert chat(server, "hi").status_code == 200


def test_a_filter_changes_prompts_and_refuses_them(plugins: Plugins, tmp_path: Path) -> None:
    done = plugins.install(make_plugin(tmp_path, swap="rhinoceros rhinoceros rhinoceros"))
    assert done["generation"]["number"] == 1
    assert [step["action"] for step in done["plan"]["steps"]] == ["install"]
    assert any("unsigned" in warning for warning in done["plan"]["warnings"])

    assert echoed(plugins.server, "a cat") == "a rhinoceros rhinoceros rhinoceros"
    swapped, plain = chat(plugins.server, "a cat").json(), chat(plugins.server, "a bat").json()
    assert swapped["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"] + 4
    for stream in (False, True):
        refused = chat(plugins.server, "a zebra", stream=stream)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "plugin_rejected"
        assert "zebra" in refused.json()["error"]["message"]
        assert ID in refused.json()["error"]["message"]
    # Token ids cannot be read, and need not be where the filter fails open.
    assert echo(plugins.server, [1, 2]).status_code == 200  # type: ignore[arg-type]

    health = plugins.get(f"/{ID}/health")
    assert health["is_healthy"]
    assert health["calls"] >= 5
    assert health["rejections"] == 2
    assert health["p95_milliseconds"] > 0
    assert plugins.server.metric("llamagpu_plugin_rejections_total") == 2
    assert plugins.get("/tests%2Fword-swap")["pid"] > 0


def test_a_package_is_refused_whole(plugins: Plugins, tmp_path: Path) -> None:
    package = make_plugin(tmp_path)
    refused = plugins.change("install", source=str(package))
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "plugin_unsigned"
    failing = plugins.change("install", source=str(make_plugin(tmp_path, "1.0.1", mode="bad_self_test")),
                             allow_unsigned=True)  # fmt: skip
    assert failing.status_code == 500
    assert "it was told to fail" in failing.json()["error"]["message"]
    (package / "plugin.toml").write_text("[plugin]\nid = 1\n")
    broken = plugins.change("install", source=str(package), allow_unsigned=True)
    assert broken.json()["error"]["code"] == "plugin_invalid"
    assert plugins.get()["plugins"] == []
    assert plugins.get()["generation"] == 0


def test_a_whole_life_over_http(plugins: Plugins, tmp_path: Path) -> None:
    plugins.install(make_plugin(tmp_path))
    assert plugins.state() == "active"
    dry = plugins.change("configure", plugin=ID, config={"swap": {"cat": "cow"}}, dry_run=True).json()
    assert dry["generation"] is None
    assert echoed(plugins.server, "a cat") == "a dog"
    assert plugins.change("configure", plugin=ID, config={"swap": {"cat": "cow"}}).status_code == 200
    assert echoed(plugins.server, "a cat") == "a cow"

    assert plugins.change("disable", plugin=ID).status_code == 200
    assert plugins.state() == "stopped"
    assert plugins.get(f"/{ID}/health")["is_healthy"]
    assert echoed(plugins.server, "a cat") == "a cat"
    assert plugins.change("enable", plugin=ID).status_code == 200
    assert echoed(plugins.server, "a cat") == "a cow"

    old = plugins.get(f"/{ID}")["pid"]
    assert plugins.change("reload", plugin=ID).status_code == 200
    assert plugins.get(f"/{ID}")["pid"] != old

    plugins.install(make_plugin(tmp_path, "1.1.0"))
    assert plugins.get(f"/{ID}")["version"] == "1.1.0"
    assert echoed(plugins.server, "a cat") == "a cow"  # what somebody set stays
    assert plugins.change("rollback", generation=1).status_code == 200
    assert echoed(plugins.server, "a cat") == "a dog"
    assert plugins.change("remove", plugin=ID).status_code == 200
    assert plugins.get()["plugins"] == []

    generations = httpx.get(plugins.server.url + "/admin/plugin-generations").json()
    assert generations["current"] == generations["generations"][-1]["number"]
    assert any("rollback" in each["reason"] or "roll back" in each["reason"] for each in generations["generations"])
    sequences = [event["sequence"] for event in plugins.events()]
    assert sequences == sorted(sequences)
    assert {"active", "stopped"} <= {event["to"] for event in plugins.events()}


def test_events_are_streamed_and_go_on_after_a_break(plugins: Plugins, tmp_path: Path) -> None:
    heard: list[tuple[int, str]] = []
    has_ended = threading.Event()

    def listen(after: str) -> None:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": after}
        with httpx.stream("GET", plugins.server.url + "/admin/plugin-events", headers=headers, timeout=60) as reply:
            for line in reply.iter_lines():
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    heard.append((event["sequence"], event["to"]))
        has_ended.set()

    threading.Thread(target=listen, args=("0",), daemon=True).start()
    plugins.install(make_plugin(tmp_path))
    wait_until(lambda: any(state == "active" for _, state in heard))
    assert [sequence for sequence, _ in heard] == sorted({sequence for sequence, _ in heard})
    # An open stream keeps nobody from stopping the server.
    assert plugins.server.stop() == 0
    assert has_ended.wait(10)


def test_reloads_lose_no_request_of_eight_streaming_clients(plugins: Plugins, tmp_path: Path) -> None:
    plugins.install(make_plugin(tmp_path, policy="closed"))
    is_over = threading.Event()
    faults: list[str] = []
    num_good = [0] * 8

    def ask(index: int) -> None:
        body = {"model": MODEL_ID, "prompt": "a cat", "max_tokens": 3, "echo": True, "stream": True, "temperature": 0}
        while not is_over.is_set():
            try:
                with httpx.stream("POST", plugins.server.url + "/v1/completions", json=body, timeout=60) as reply:
                    text = "".join(reply.iter_lines())
                if reply.status_code != 200 or "[DONE]" not in text or "a dog" not in text:
                    faults.append(f"{reply.status_code} {text[:300]}")
                num_good[index] += 1
            except httpx.HTTPError as error:
                faults.append(repr(error))

    clients = [threading.Thread(target=ask, args=(index,), daemon=True) for index in range(8)]
    for client in clients:
        client.start()
    for _ in range(10):
        before = sum(num_good)
        assert plugins.change("reload", plugin=ID).status_code == 200
        wait_until(lambda: sum(num_good) > before or bool(faults), 60)  # noqa: B023
    is_over.set()
    for client in clients:
        client.join(timeout=60)
    assert not faults, faults[:3]
    assert min(num_good) > 0


def test_a_version_that_crashes_is_rolled_back_and_quarantined(plugins: Plugins, tmp_path: Path) -> None:
    plugins.install(make_plugin(tmp_path))
    # The failing version keeps none of the old config.
    crashing = make_plugin(tmp_path, "2.0.0", mode="crash")
    plugins.install(crashing)

    def is_back() -> bool:
        assert chat(plugins.server, "a bat").status_code == 200  # it fails open
        status = plugins.get(f"/{ID}")
        return bool(status["version"] == "1.0.0" and status["state"] == "active")

    wait_until(is_back, 60)
    assert echoed(plugins.server, "a cat") == "a dog"
    quarantined = plugins.get()["quarantined"]
    assert [package["version"] for package in quarantined] == ["2.0.0"]
    assert plugins.server.metric("llamagpu_plugin_rollbacks_total") == 1
    again = plugins.change("install", source=str(crashing), allow_unsigned=True)
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "plugin_quarantined"
    assert plugins.change("release", plugin=ID).status_code == 200
    assert plugins.get()["quarantined"] == []


def test_a_filter_that_fails_closed_refuses_what_it_cannot_see(plugins: Plugins, tmp_path: Path) -> None:
    plugins.install(make_plugin(tmp_path, policy="closed", required="true"))
    ids = echo(plugins.server, [1, 2])  # type: ignore[arg-type]
    assert ids.status_code == 400
    assert ids.json()["error"]["code"] == "plugin_rejected"
    assert httpx.get(plugins.server.url + "/readyz").status_code == 200
    assert plugins.change("disable", plugin=ID).status_code == 200
    assert echo(plugins.server, [1, 2]).status_code == 200  # type: ignore[arg-type]


def test_kill_9_of_the_server_leaves_a_whole_set(start_server: Start, tmp_path: Path) -> None:
    store = tmp_path / "store"
    environment = {"LLAMAGPU_PLUGINS": str(store)}
    packages = [make_plugin(tmp_path, f"1.0.{i}") for i in range(4)]
    first = Plugins(start_server(environment=environment), store)
    first.install(packages[0])
    expected = {"1.0.0"}
    for package in packages[1:]:
        server = (
            Plugins(start_server(environment=environment), store) if first.server.process.poll() is not None else first
        )
        installing = threading.Thread(target=lambda: try_install(server, package), daemon=True)  # noqa: B023
        installing.start()
        installing.join(timeout=0.05 * len(expected))
        server.server.process.kill()
        server.server.process.wait()
        installing.join(timeout=60)
        expected.add(package.name.split("-")[1])
        # The workers die with the server, and the store is free.
        kept = json.loads(run_cli(store, "list", "--offline", "--json").stdout)["plugins"]
        assert len(kept) == 1
        assert kept[0]["version"] in expected
        expected = {kept[0]["version"]}
    last = Plugins(start_server(environment=environment), store)
    wait_until(lambda: last.state() == "active")
    assert {last.get(f"/{ID}")["version"]} == expected
    assert echoed(last.server, "a cat") == "a dog"


def try_install(plugins: Plugins, package: Path) -> None:
    with contextlib.suppress(httpx.HTTPError):  # the server is killed meanwhile
        plugins.change("install", source=str(package), allow_unsigned=True)


def test_the_command_line_manages_a_running_server(plugins: Plugins, tmp_path: Path) -> None:
    package = make_plugin(tmp_path, network="true")
    assert "is valid" in run_cli(plugins.store, "validate", str(package)).stdout
    plan = plugins.cli("install", str(package), "--allow-unsigned", "--dry-run")
    assert "install tests/word-swap 1.0.0" in plan.stdout
    assert "network" in plan.stdout
    # Without a terminal nobody can agree to what it grants.
    assert "permissions" in plugins.cli("install", str(package), "--allow-unsigned", ok=False).stderr
    done = plugins.cli("install", str(package), "--allow-unsigned", "--yes", "--json")
    assert json.loads(done.stdout)["generation"]["number"] == 1
    listing = plugins.cli("list")
    assert ID in listing.stdout
    assert "active" in listing.stdout
    assert "unsigned" in listing.stdout
    assert json.loads(plugins.cli("list", "--json").stdout)["plugins"][0]["id"] == ID
    assert "1.0.0" in plugins.cli("info", ID).stdout

    plugins.cli("configure", ID, "--set", "swap.cat=cow", "--set", 'swap.bat="owl"')
    assert echoed(plugins.server, "a cat, a bat") == "a cow, a owl"
    config = tmp_path / "config.json"
    config.write_text('{"swap": {"cat": "yak"}}')
    plugins.cli("configure", ID, "--file", str(config))
    assert echoed(plugins.server, "a cat") == "a yak"
    plugins.cli("reload", ID)
    plugins.cli("disable", ID)
    assert echoed(plugins.server, "a cat") == "a cat"
    plugins.cli("enable", ID)
    plugins.cli("rollback", "1")
    assert echoed(plugins.server, "a cat") == "a dog"
    assert "configure" in plugins.cli("generations").stdout
    assert "active" in plugins.cli("events").stdout
    assert "did you mean" in plugins.cli("info", "tests/word-swop", ok=False).stderr
    plugins.cli("remove", ID)
    assert json.loads(plugins.cli("list", "--json").stdout)["plugins"] == []


def test_the_command_line_works_without_a_server(start_server: Start, tmp_path: Path) -> None:
    store = tmp_path / "store"

    def offline(*arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        return run_cli(store, *arguments, "--offline", ok=ok)

    assert "no plugins" in offline("list").stderr
    assert "signature" in offline("install", str(make_plugin(tmp_path)), ok=False).stderr
    done = offline("install", str(make_plugin(tmp_path / "again")), "--allow-unsigned")
    assert "takes effect at its next start" in done.stderr
    offline("configure", ID, "--set", "swap.cat=cow")
    offline("disable", ID)
    assert "stopped" in offline("list").stdout
    offline("rollback")
    assert "no server" in offline("reload", ID, ok=False).stderr
    server = start_server(environment={"LLAMAGPU_PLUGINS": str(store)})
    wait_until(lambda: Plugins(server, store).state() == "active")
    assert echoed(server, "a cat") == "a cow"
    # The store is the server's now.
    assert "is held by process" in offline("disable", ID, ok=False).stderr


def test_a_new_plugin_passes_its_test_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "my-filter"
    assert "plugin.toml" in run_cli(tmp_path, "new", str(folder), "--id", "acme/my-filter").stdout
    run_cli(tmp_path, "validate", str(folder))
    report = json.loads(run_cli(tmp_path, "test", str(folder), "--json").stdout)
    assert report["ok"], report
    assert [step["name"] for step in report["steps"]][-1] == "stop"
    assert run_cli(tmp_path, "new", str(folder), ok=False).returncode == 2


def test_a_bad_plugin_fails_its_test_and_says_why(tmp_path: Path) -> None:
    report = json.loads(
        run_cli(tmp_path, "test", str(make_plugin(tmp_path, mode="bad_self_test")), "--json", ok=False).stdout
    )
    assert not report["ok"]
    assert "it was told to fail" in report["steps"][-1]["detail"]
