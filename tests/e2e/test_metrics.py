# SPDX-License-Identifier: Apache-2.0
"""What /metrics shows of the real server: everything from the start, and what one request adds."""

import time
from collections.abc import Callable

import httpx
from conftest import MODEL_ID, Server, wait_until

OF_A_MODEL = [
    "requests_running",
    "requests_waiting",
    "prompt_tokens_total",
    "generation_tokens_total",
    "time_to_first_token_seconds_count",
    "inter_token_latency_seconds_count",
    "queue_time_seconds_count",
]


def test_every_series_is_there_before_the_first_request() -> None:
    server = Server()
    try:
        lines = httpx.get(server.url + "/metrics").text.splitlines()
        for name in OF_A_MODEL:
            assert f'llamagpu_{name}{{model="{MODEL_ID}"}} 0' in lines
        assert abs(server.metric("llamagpu_process_start_time_seconds") - time.time()) < 3600
    finally:
        assert server.stop() == 0


def test_one_request_is_measured_once(start_server: Callable[..., Server]) -> None:
    server = start_server()
    body = {"model": MODEL_ID, "prompt": "Once upon a time", "max_tokens": 4, "ignore_eos": True}
    assert httpx.post(server.url + "/v1/completions", json=body, timeout=60).status_code == 200

    assert server.metric("llamagpu_queue_time_seconds_count") == 1
    assert server.metric("llamagpu_time_to_first_token_seconds_count") == 1
    assert server.metric("llamagpu_inter_token_latency_seconds_count") == 3
    assert server.metric("llamagpu_request_duration_seconds_count") == 1
    assert (
        0 <= server.metric("llamagpu_queue_time_seconds_sum") < server.metric("llamagpu_request_duration_seconds_sum")
    )
    wait_until(lambda: server.metric("llamagpu_requests_running") == 0)
