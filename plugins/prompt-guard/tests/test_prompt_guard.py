# SPDX-License-Identifier: Apache-2.0
"""What the prompt guard finds, leaves alone and does."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import findings  # noqa: E402
import guard  # noqa: E402
from llama_gpu_plugin import Plugin  # noqa: E402

ALL = list(findings.FINDERS)
CONFIG: dict[str, Any] = {"action": "mask", "kinds": ALL, "mask": "[{kind}]"}


def masked(text: str, kinds: list[str] = ALL) -> str:
    return guard.masker(kinds, "[{kind}]")(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to jane.doe+spam@mail.example.co.uk.", "write to [email]."),
        ("<a@b-c.org>, d_e@f.io", "<[email]>, [email]"),
        ("jörg@example.com", "[email]"),
        ("4111111111111111", "[card]"),
        ("card 4111 1111 1111 1111 exp 12/29", "card [card] exp 12/29"),
        ("12 5500-0000-0000-0004 now", "12 [card] now"),
        ("378282246310005 and 6011111111111117", "[card] and [card]"),
        ("4111 1111 1111 1111 5500 0000 0000 0004", "[card] [card]"),
        ("DE89 3704 0044 0532 0130 00 is mine", "[iban] is mine"),
        ("to gb29nwbk60161331926819", "to [iban]"),
        ("NO9386011117947, FR1420041010050500013M02606.", "[iban], [iban]."),
        ("call +49 (0)30 1234567 today", "call [phone] today"),
        ("+1-555-123-4567", "[phone]"),
        ("0049 30 123456", "[phone]"),
        ("(555) 123-4567 or 555.123.4567", "[phone] or [phone]"),
        ("+14155552671", "[phone]"),
    ],
)
def test_finds(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing here",
        "a @ b.com, @user, foo@bar, user@localhost",
        "4111 1111 1111 1112",  # the check digit is wrong
        "1234567890123456789012345678",
        "94111111111111111234",  # digits of something longer
        "DE89 3704",
        "version 1.2.3-4, 2026-11-23 04:15:00, 192.168.100.200, 3.14159265",
        "port 8484 and 10 000 000",
        "+5, +12 34",
        "in 1999-2004 the 555 were 123",
    ],
)
def test_leaves_alone(text: str) -> None:
    assert masked(text) == text


def test_leaves_alone_what_is_no_iban() -> None:
    for text in ("DE89 3704 0044 0532 0130 01", "XX89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 001"):
        assert masked(text, ["iban"]) == text


def test_only_the_kinds_of_the_config() -> None:
    text = "a@example.com +14155552671"
    assert masked(text, ["phone"]) == "a@example.com [phone]"
    assert masked(text, []) == text


def test_of_two_that_overlap_one_is_masked() -> None:
    assert masked("+4111111111111111") in ("+[card]", "[phone]")
    assert masked("NO9386011117947@example.com").count("[") == 1


@pytest.mark.parametrize(
    "part", ["a", "a.", "a@", "1", "1 ", "1-", "DE89", "DE89 ", "+1 ", "(", "4111 ", "+", "a@b.", "a@b.io "]
)
def test_no_text_takes_long(part: str) -> None:
    # What took time by the square of the length would run for hours here.
    masked(part * 200_000)


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Plugin:
    monkeypatch.setattr(guard.plugin, "config", CONFIG)
    return guard.plugin


def ask(plugin: Plugin, params: dict[str, Any]) -> Any:
    answer = plugin.handle(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "request_filter",
            "params": {"request_id": "r", "model": "m", "deadline_ms": 1, **params},
        }
    )
    assert answer is not None
    return answer["result"]


def test_masks_conversations_and_prompts(plugin: Plugin) -> None:
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "I am a@example.com"}]
    assert ask(plugin, {"messages": messages}) == {
        "action": "replace",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "I am [email]"}],
    }
    assert ask(plugin, {"prompt": "a@example.com"}) == {"action": "replace", "prompt": "[email]"}
    assert ask(plugin, {"prompt": "hello"}) == {"action": "pass"}


def test_rejects_where_the_config_says_so(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "config", {**CONFIG, "action": "reject"})
    verdict = ask(plugin, {"prompt": "a@example.com 4111111111111111"})
    assert verdict["action"] == "reject"
    assert "card, email" in verdict["reason"] and "example" not in verdict["reason"]
    assert ask(plugin, {"prompt": "hello"}) == {"action": "pass"}


@pytest.mark.parametrize("wrong", [{"kinds": ["email", "soul"]}, {"action": "burn"}])
def test_refuses_a_config_that_it_does_not_know(plugin: Plugin, wrong: dict[str, Any]) -> None:
    answer = plugin.handle(
        {
            "id": 1,
            "method": "initialize",
            "params": {
                "protocol": 1,
                "plugin": {"id": "a/b", "version": "1.0.0"},
                "config": {**CONFIG, **wrong},
                "data_folder": "/d",
            },
        }
    )
    assert answer is not None and "unknown" in answer["error"]["message"]


def test_tests_itself(plugin: Plugin) -> None:
    answer = plugin.handle({"id": 1, "method": "self_test"})
    assert answer is not None and answer["result"] == {"ok": True}
