# SPDX-License-Identifier: Apache-2.0
"""Bytes that no SDK would send, against the real server."""

import json
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from conftest import MODEL_ID, Server, wait_until

QUESTION = [{"role": "user", "content": "Tell me a long story."}]


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def ask(server: Server, request: bytes) -> bytes:
    """The answer to bytes after which the server closes."""
    with connect(server) as connection:
        connection.sendall(request)
        return read_all(connection)


def chat_request(**more: Any) -> bytes:
    body = json.dumps({"model": MODEL_ID, "messages": QUESTION, **more}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 4\r\n",
        b"Content-Length: +4\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ],
)
def test_smuggling_is_refused(server: Server, framing: bytes) -> None:
    start = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = ask(server, start + framing + b"\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"version"' not in answer


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    get = b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = ask(server, get + chat_request(max_tokens=2) + get + last)
    places = [answer.find(text) for text in (b'"version"', b"chat.completion", b'"status":"ok"')]
    assert places == sorted(places) and -1 not in places
    assert answer.count(b"HTTP/1.1 200 OK") == 4


def test_old_clients_get_no_chunks(server: Server) -> None:
    request = chat_request(max_tokens=3, stream=True).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    answer = ask(server, request)
    assert b"Transfer-Encoding" not in answer
    assert answer.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("host", ["evil.com", "127.evil.com", "localhost.evil.com", "0.0.0.0", "localhost.", "[::1]x"])
def test_foreign_names_are_refused(server: Server, host: str) -> None:
    request = f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert ask(server, request.encode()).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"model":"\xff"}', 400),
        (b'{"model":1}', 400),
        (b'{"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400),
        (b'{"messages":[]}', 400),
        (b"x" * (9 << 20), 413),
    ],
)
def test_bad_bodies_have_a_typed_error(server: Server, body: bytes, status: int) -> None:
    answer = httpx.post(server.url + "/v1/chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


PATHS = ["/v1/chat/completions", "/v1/completions"]
NUMBERS = ["temperature", "top_p", "min_p", "top_k", "repetition_penalty", "presence_penalty", "frequency_penalty"]
WHOLE_NUMBERS = ["seed", "n", "max_tokens", "max_completion_tokens"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("field", NUMBERS + WHOLE_NUMBERS)
def test_every_number_is_kept_in_its_range(server: Server, path: str, field: str) -> None:
    document = httpx.get(server.url + "/openapi.json").json()
    reference = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = document["components"]["schemas"][reference.split("/")[-1]]["properties"][field]
    text = {"messages": QUESTION} if "chat" in path else {"prompt": "x"}
    too_small, too_large = schema["minimum"] - 1, schema["maximum"] + 1
    for value in (json.dumps(too_small), json.dumps(too_large), "1e309", "NaN", '"5"', "true", "[]", "{}"):
        body = json.dumps({"model": MODEL_ID, **text})[:-1] + f', "{field}": {value}}}'
        answer = httpx.post(server.url + path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400, value
        if value not in {"1e309", "NaN"}:
            assert answer.json()["error"]["param"] == field


def test_a_client_that_leaves_frees_its_place(server: Server) -> None:
    for more in ({"stream": True}, {}):
        with connect(server) as connection:
            connection.sendall(chat_request(ignore_eos=True, n=2, **more))
            wait_until(lambda: server.metric("llamagpu_requests_running") == 2)
        wait_until(lambda: server.metric("llamagpu_requests_running") == 0, seconds=3)


def test_a_slow_reader_stalls_only_itself(server: Server) -> None:
    with connect(server) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        slow.sendall(chat_request(stream=True, max_tokens=200, ignore_eos=True, logprobs=True, top_logprobs=20))
        answer = httpx.post(
            server.url + "/v1/chat/completions",
            json={"model": MODEL_ID, "messages": QUESTION, "max_tokens": 8, "temperature": 0},
            timeout=60,
        )
        assert answer.status_code == 200


def test_sixty_four_streams_at_once(server: Server) -> None:
    def one(_: int) -> str:
        with httpx.stream(
            "POST",
            server.url + "/v1/chat/completions",
            json={"model": MODEL_ID, "messages": QUESTION, "max_tokens": 4, "stream": True},
            timeout=300,
        ) as answer:
            return answer.read().decode()

    with ThreadPoolExecutor(64) as pool:
        assert all(text.endswith("data: [DONE]\n\n") for text in pool.map(one, range(64)))


def test_tokens_come_with_pieces_that_make_up_the_text(server: Server) -> None:
    text = "Hello, 世界 🦙<|im_end|>"
    plain = httpx.post(server.url + "/tokenize", json={"content": text}).json()["tokens"]
    pieces = httpx.post(server.url + "/tokenize", json={"content": text, "with_pieces": True}).json()["tokens"]
    as_bytes = [bytes(it["piece"]) if isinstance(it["piece"], list) else it["piece"].encode() for it in pieces]
    assert [it["id"] for it in pieces] == plain
    assert b"".join(as_bytes).decode() == text
    assert any(isinstance(it["piece"], list) for it in pieces)


def test_a_key_guards_everything_but_the_public_routes(start_server: Callable[..., Server]) -> None:
    guarded = start_server("--api-key", "sesame")
    assert httpx.get(guarded.url + "/health").status_code == 200
    for path in ("/v1/models", "/metrics", "/admin/workers"):
        answer = httpx.get(guarded.url + path)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert httpx.get(guarded.url + path, headers={"authorization": "Bearer sesame"}).status_code == 200


def test_a_killed_worker_ends_its_streams_properly_and_comes_back(start_server: Callable[..., Server]) -> None:
    own = start_server()
    worker = httpx.get(own.url + "/admin/workers").json()["workers"][0]
    connections = [connect(own) for _ in range(8)]
    for connection in connections:
        connection.sendall(chat_request(stream=True, ignore_eos=True))
    for connection in connections:
        received = b""
        while b'"content":"' not in received.split(b'"content":""')[-1]:
            received += connection.recv(65536)
    os.kill(worker["pid"], signal.SIGKILL)
    wait_until(lambda: httpx.get(own.url + "/readyz").status_code == 503, seconds=2)
    for connection in connections:
        rest = b""
        while b"0\r\n\r\n" not in rest:
            chunk = connection.recv(65536)
            assert chunk, "the stream was cut silently"
            rest += chunk
        assert b'data: {"error":{' in rest and b"data: [DONE]\n\n" in rest
        connection.close()
    own.wait_until_ready()
    restarted = httpx.get(own.url + "/admin/workers").json()["workers"][0]
    assert restarted["pid"] != worker["pid"]
    assert restarted["restarts"] == 1
    assert restarted["last_exit"]["kind"] == "crashed" and restarted["last_exit"]["signal"] == 9


def test_a_stop_ends_a_stream_properly(start_server: Callable[..., Server]) -> None:
    own = start_server(environment={"LLAMAGPU_SERVER__DRAIN_SECONDS": "1"})
    with connect(own) as connection:
        connection.sendall(chat_request(stream=True, ignore_eos=True))
        received = connection.recv(65536)
        own.process.send_signal(signal.SIGTERM)
        while chunk := connection.recv(65536):
            received += chunk
    assert b'"code":"shutting_down"' in received
    assert received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert own.process.wait(timeout=30) == 0


def test_the_second_server_on_a_port_says_so(server: Server) -> None:
    with pytest.raises(AssertionError, match="in use"):
        Server(port=server.port)
