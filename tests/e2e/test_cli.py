# SPDX-License-Identifier: Apache-2.0
"""The command line as a person or a script meets it: streams, exit codes, signals, settings, pulls."""

import hashlib
import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("LLAMAGPU_BIN", str(ROOT / "build" / "release" / "bin" / "llama-gpu"))
MODEL = "smollm2-135m-instruct"
MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
DEFAULT_MODEL = Path(
    os.environ.get("LLAMAGPU_TEST_MODEL", Path.home() / ".local" / "share" / "llama-gpu" / "models" / MODEL_FILE)
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own, with the models folder that holds the default model."""
    assert DEFAULT_MODEL.is_file(), f"{DEFAULT_MODEL} is missing: run `make model`"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LLAMAGPU_", "XDG_"))}
    return {**kept, "HOME": str(tmp_path), "LLAMAGPU_MODELS": str(DEFAULT_MODEL.parent)}


class Cli:
    """Runs the program in one environment."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def __call__(self, *arguments: str, text: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments], input=text, capture_output=True, text=True, timeout=120, check=False,
            env={**self.environment, **variables},
        )  # fmt: skip

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**self.environment, **variables},
        )  # fmt: skip


@pytest.fixture
def cli(environment: dict[str, str]) -> Cli:
    return Cli(environment)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_data_goes_to_stdout_and_nothing_else_does(cli: Cli) -> None:
    for arguments in (
        ["version", "--json"],
        ["list", "--json"],
        ["config", "show", "--json"],
        ["show", MODEL, "--json"],
    ):
        result = cli(*arguments)

        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        json.loads(result.stdout)


def test_usage_errors_exit_with_2_and_name_the_nearest(cli: Cli) -> None:
    verb = cli("sevre")
    flag = cli("serve", "--prot", "1")

    assert (verb.returncode, verb.stdout) == (2, "")
    assert "unknown verb 'sevre'; did you mean 'serve'?" in verb.stderr
    assert (flag.returncode, flag.stdout) == (2, "")
    assert "unknown flag '--prot'; did you mean '--port'?" in flag.stderr


@pytest.mark.parametrize(
    "flag", [("--threads", "many"), ("--port", "-1"), ("--host", "127.0.0.1:80"), ("--backend", "x")]
)
def test_every_wrong_flag_is_a_usage_error(cli: Cli, flag: tuple[str, str]) -> None:
    result = cli("serve", *flag)

    assert (result.returncode, result.stdout) == (2, "")
    assert f"llama-gpu: {flag[0]}: '{flag[1]}' is not valid, expected " in result.stderr
    assert "`llama-gpu serve --help`" in result.stderr


def test_config_show_and_serve_agree_on_what_is_wrong(cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    for text in ("[server]\nhost = ''", "[models]\ndir = ''", "[models]\naliases = ['x']", "[engine]\nbackend = 'y'"):
        config.write_text(text + "\n")
        shown, served = cli("config", "show", "--config", str(config)), cli("serve", "--config", str(config))

        assert shown.returncode == served.returncode == 78
        assert shown.stderr == served.stderr
        assert f"{config}:2:" in shown.stderr


def test_a_variable_that_is_no_setting_is_warned_of(cli: Cli) -> None:
    result = cli("list", LLAMAGPU_THREADS="2")

    assert result.returncode == 0
    assert result.stderr.splitlines() == [
        "llama-gpu: warning: environment variable 'LLAMAGPU_THREADS' is not a setting and is ignored; "
        "did you mean 'LLAMAGPU_ENGINE__THREADS'?"
    ]


def test_list_and_show_know_the_default_model(cli: Cli) -> None:
    listed = json.loads(cli("list", "--json").stdout)["models"]
    shown = json.loads(cli("show", MODEL, "--json").stdout)

    row = next(model for model in listed if model["id"] == MODEL)
    assert row["size_bytes"] == shown["size_bytes"] == 98_362_432
    assert row["path"] == shown["path"]
    assert shown["types"]["Q4_1"]["tensors"] == 210
    assert shown["metadata"]["general.architecture"] == "llama"


def test_run_streams_one_answer(cli: Cli) -> None:
    greedy = ["--temperature", "0", "--max-tokens", "12"]
    by_argument = cli("run", MODEL, "What is the capital of France?", *greedy)
    by_stdin = cli("run", MODEL, *greedy, text="What is the capital of France?\n")
    by_path = cli("run", str(DEFAULT_MODEL), "What is the capital of France?", *greedy)

    assert by_argument.returncode == 0, by_argument.stderr
    assert by_argument.stdout.strip() != ""
    assert by_argument.stderr == ""
    assert by_stdin.stdout == by_argument.stdout == by_path.stdout


def test_a_seed_repeats_an_answer(cli: Cli) -> None:
    answers = {cli("run", MODEL, "Tell me something.", "--seed", "7", "--max-tokens", "12").stdout for _ in range(2)}

    assert len(answers) == 1


def test_ctrl_c_ends_a_run_with_130(cli: Cli) -> None:
    with cli.start("run", MODEL, "Count from one to ten thousand in words.") as process:
        assert process.stdout is not None
        process.stdout.read(1)

        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=10) == 130


def test_a_wrong_setting_names_its_place(cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[server]\nhost = '127.0.0.1'\nprot = 1\n")

    result = cli("list", "--config", str(config))

    assert result.returncode == 78
    assert f"{config}:3:1: 'server.prot' is not a setting; did you mean 'server.port'?" in result.stderr


def test_config_shows_where_each_value_comes_from(cli: Cli, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("top-secret\n")
    folder = tmp_path / ".config" / "llama-gpu"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[engine]\nparallel = 4\n")

    shown = cli("config", "show", "--origin", LLAMAGPU_SERVER__PORT="9000", LLAMAGPU_API_KEY_FILE=str(secret))

    assert f"parallel = 4  # file {folder}/config.toml:2:12" in shown.stdout
    assert "port = 9000  # environment LLAMAGPU_SERVER__PORT" in shown.stdout
    assert 'api_key = "(set)"  # environment LLAMAGPU_API_KEY_FILE' in shown.stdout
    assert "top-secret" not in shown.stdout + shown.stderr


def test_bench_prints_one_json_object(cli: Cli) -> None:
    result = cli("bench", MODEL, "--prompt", "32", "--generate", "8", "--streams", "2", "--repeat", "2", "--json")

    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    for key in ("prefill_tokens_per_second", "decode_tokens_per_second", "read_bandwidth_bytes_per_second",
                "decode_share_of_limit", "start_seconds", "peak_memory_bytes"):  # fmt: skip
        assert set(figures[key]) == {"median", "min", "max"}
        assert 0 < figures[key]["min"] <= figures[key]["median"] <= figures[key]["max"]


def test_a_chat_in_a_terminal_remembers_and_ends(cli: Cli) -> None:
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "run", MODEL, "--max-tokens", "8", "--temperature", "0"],
        stdin=terminal, stdout=terminal, stderr=terminal, env={**cli.environment, "TERM": "xterm"},
    )  # fmt: skip
    os.close(terminal)
    screen = b""

    def wait_for_prompts(count: int) -> None:
        nonlocal screen
        deadline = time.monotonic() + 60
        while len(re.findall(rb">>> (?!.*[a-z])", screen)) < count and time.monotonic() < deadline:
            if select.select([keyboard], [], [], 1)[0]:
                screen += os.read(keyboard, 4096)

    wait_for_prompts(1)
    os.write(keyboard, b"hello\n")
    wait_for_prompts(2)
    time.sleep(0.2)
    os.write(keyboard, b"/bye\n")

    assert process.wait(timeout=30) == 0
    os.close(keyboard)
    assert (Path(cli.environment["HOME"]) / ".local/state/llama-gpu/history").read_text().find("hello") >= 0


# ---- pull


class FileServer(http.server.BaseHTTPRequestHandler):
    """One file, by ranges; closes the connection early where the test asks for it."""

    # No tensors, no metadata, and bytes behind them that count for nothing.
    contents = b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(range(256)) * 4096
    cut_after: list[int] = []
    ranges: list[str | None] = []

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if begin >= len(self.contents):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(self.contents)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.contents[begin:]
        self.send_response(206 if asked else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(body)))
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(self.contents) - 1}/{len(self.contents)}")
        self.end_headers()
        self.wfile.write(body[: self.cut_after.pop(0)] if self.cut_after else body)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def file_url() -> Iterator[str]:
    FileServer.cut_after, FileServer.ranges = [], []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FileServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/files/model.gguf"
    server.shutdown()


def test_pull_goes_on_where_it_broke_off(cli: Cli, tmp_path: Path, file_url: str) -> None:
    FileServer.cut_after = [300_000]
    digest = hashlib.sha256(FileServer.contents).hexdigest()

    result = cli("pull", file_url, "--sha256", digest, LLAMAGPU_MODELS=str(tmp_path / "models"))

    assert result.returncode == 0, result.stderr
    path = tmp_path / "models" / "model.gguf"
    assert result.stdout == f"{path}\n"
    assert path.read_bytes() == FileServer.contents
    assert FileServer.ranges == [None, "bytes=300000-"]
    assert [file.name for file in path.parent.iterdir()] == ["model.gguf"]


def test_pull_refuses_a_wrong_checksum_and_leaves_nothing(cli: Cli, tmp_path: Path, file_url: str) -> None:
    result = cli("pull", file_url, "--sha256", "0" * 64, LLAMAGPU_MODELS=str(tmp_path / "models"))

    assert result.returncode == 66
    assert "SHA-256" in result.stderr
    assert list((tmp_path / "models").iterdir()) == []


def test_pull_says_in_one_line_that_the_disk_is_full_and_goes_on_later(cli: Cli, tmp_path: Path, file_url: str) -> None:
    folder = str(tmp_path / "models")
    full = cli("pull", file_url, LLAMAGPU_MODELS=folder, LLAMAGPU_FAILPOINTS="file.write=error:disk_full@4")
    later = cli("pull", file_url, LLAMAGPU_MODELS=folder)

    assert full.returncode == 74
    assert sum(line.startswith("llama-gpu: ") for line in full.stderr.splitlines()) == 1
    assert "pull again to go on from there" in full.stderr
    assert later.returncode == 0, later.stderr
    assert (tmp_path / "models" / "model.gguf").read_bytes() == FileServer.contents
    assert FileServer.ranges[1] is not None


def test_pull_says_in_one_line_that_there_is_no_network(cli: Cli, tmp_path: Path) -> None:
    result = cli("pull", f"http://127.0.0.1:{free_port()}/m.gguf", LLAMAGPU_MODELS=str(tmp_path / "models"))

    assert result.returncode == 69
    assert len(result.stderr.splitlines()) == 1
    assert "cannot reach" in result.stderr


def test_pull_copies_a_file_of_this_machine(cli: Cli, tmp_path: Path) -> None:
    result = cli("pull", str(DEFAULT_MODEL), LLAMAGPU_MODELS=str(tmp_path / "models"))

    assert result.returncode == 0, result.stderr
    assert (tmp_path / "models" / MODEL_FILE).stat().st_size == DEFAULT_MODEL.stat().st_size


# ---- serve


def wait_until_ready(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as response:
                if response.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the server did not become ready")


@pytest.fixture
def hangup_counts() -> Iterator[None]:
    """The tests may run under nohup, and programs inherit that."""
    kept = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, kept)


@pytest.mark.usefixtures("hangup_counts")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serve_drains_and_exits_with_0(cli: Cli, sent: signal.Signals) -> None:
    port = free_port()
    with cli.start("serve", "--port", str(port)) as process:
        wait_until_ready(port, process)

        process.send_signal(sent)

        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_serve_before_its_answers(cli: Cli, sent: signal.Signals) -> None:
    port = free_port()
    with cli.start("serve", "--port", str(port), LLAMAGPU_SERVER__DRAIN_SECONDS="600") as process:
        wait_until_ready(port, process)
        body = {"model": MODEL, "prompt": "Once", "stream": True, "max_tokens": 8000, "ignore_eos": True}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as stream:
            stream.readline()
            process.send_signal(sent)
            time.sleep(0.3)
            assert process.poll() is None

            process.send_signal(sent)

            *_, last, done, rest = stream.read().split(b"\n\n")
        assert b'"error"' in last, "the answer had ended before"
        assert done == b"data: [DONE]" and rest == b""
        assert process.wait(timeout=30) == 128 + sent


def test_serve_exits_with_the_code_of_a_bad_model_and_serves_the_others(cli: Cli, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF, but not really")
    alone = cli("serve", str(broken), "--port", str(free_port()))

    assert alone.returncode == 66
    assert "the model 'broken' cannot be loaded: " in alone.stderr

    port = free_port()
    with cli.start("serve", str(broken), MODEL, str(tmp_path / "missing.gguf"), "--port", str(port)) as process:
        wait_until_ready(port, process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "missing.gguf" in err


@pytest.mark.parametrize("verb", [["show"], ["run", "x"], ["serve"], ["pull"]])
def test_what_is_no_file_is_named_and_never_waited_for(cli: Cli, tmp_path: Path, verb: list[str]) -> None:
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(tmp_path / "socket.gguf"))
    kinds = {pipe: "a pipe", tmp_path / "socket.gguf": "a socket", tmp_path: "a folder", Path("/dev/zero"): "a device"}
    for path, kind in kinds.items():
        result = cli(verb[0], str(path), *verb[1:], LLAMAGPU_MODELS=str(tmp_path / "models"))

        assert result.returncode == 66, result.stderr
        assert f"is {kind}, expected a model file" in result.stderr
    bound.close()


def test_a_chat_and_a_bench_against_a_running_server(cli: Cli) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with cli.start("serve", "--port", str(port), "--first-prompt", "Say hello.") as process:
        wait_until_ready(port, process)
        answer = cli("run", MODEL, "Say hello.", "--url", url, "--temperature", "0", "--max-tokens", "8")
        alone = cli("run", MODEL, "Say hello.", "--temperature", "0", "--max-tokens", "8")
        bench = cli("bench", MODEL, "--url", url, "--prompt", "16", "--generate", "4", "--repeat", "1", "--json")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)

    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == alone.stdout
    assert json.loads(bench.stdout)["decode_tokens_per_second"]["median"] > 0
    assert out.startswith("> Say hello.\n")
    assert f"{url}/v1" in err


def test_serve_says_in_one_line_that_the_port_is_in_use(cli: Cli) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        result = cli("serve", "--port", str(port))

    assert result.returncode == 69
    lines = [line for line in result.stderr.splitlines() if line.startswith("llama-gpu: ")]
    assert len(lines) == 1
    assert str(port) in lines[0]


def test_serve_refuses_to_be_reached_without_a_key(cli: Cli) -> None:
    result = cli("serve", "--host", "0.0.0.0", "--port", str(free_port()))

    assert result.returncode == 78
    assert "--api-key" in result.stderr


@pytest.mark.parametrize("verb", [["version"], ["list"], ["config", "show"]])
def test_output_that_cannot_be_written_is_a_failure(verb: list[str]) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = subprocess.run([PROGRAM, *verb], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 74
    assert "could not be written" in result.stderr
