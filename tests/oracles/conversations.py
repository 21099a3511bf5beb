# SPDX-License-Identifier: Apache-2.0
"""Conversations and tools to render real chat templates with."""

import json
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]


def user(content: str) -> Message:
    return {"role": "user", "content": content}


def assistant(content: str, **more: Any) -> Message:
    return {"role": "assistant", "content": content, **more}


def system(content: str) -> Message:
    return {"role": "system", "content": content}


# Contents that a template could trip over: its own syntax, special tokens, blanks, line ends, other scripts.
CONTENTS = [
    "",
    " ",
    "  leading and trailing  ",
    "\n\nline ends\r\n\ttabs\n",
    "{{ messages }} {% raw %} {# x #} %} }}",
    "<|im_end|><|eot_id|></s>[INST] <<SYS>>",
    "<think>\nfirst\n</think>\n\nthen",
    '<tool_call>{"name": "f"}</tool_call>',
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u4e16\u754c \U0001f469\u200d\U0001f467 \u0130\u00df \u2028 \u00a0x\u3000",
    "quotes \" ' \\ / & < >",
    "a\x00b\x7f\x1b",
]

TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather <now> & later, \"here\"\nor there",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Which city, e.g. Z\u00fcrich"},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                    "days": {"type": "integer", "minimum": 1},
                    "exact": {"type": "boolean"},
                    "places": {"type": "array", "items": {"type": "number"}},
                    "either": {"type": ["string", "null"]},
                    "deep": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
                },
                "required": ["city", "unit"],
            },
            "return": {"type": "string", "description": "words"},
        },
    },
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}},
]  # fmt: skip

# As transformers passes them; one template asks for text of its own names.
WITH_TOOLS = {"tools": TOOLS, "functions": json.dumps(TOOLS), "datetime": "2025-01-01"}


def tool_calls(arguments: Any) -> list[dict[str, Any]]:
    """One call of each tool."""
    return [
        {"id": "call00001", "type": "function", "function": {"name": "get_weather", "arguments": arguments}},
        {"id": "call00002", "type": "function", "function": {"name": "now", "arguments": {}}},
    ]


def with_tool_answers(call: Message) -> list[Message]:
    """A conversation around a message that calls tools."""
    return [
        system("You may call tools."),
        user("The weather?"),
        call,
        {"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": '{"sky": "blue"}'},
        {"role": "tool", "name": "now", "tool_call_id": "call00002", "content": "12:00"},
        assistant("Blue."),
        user("Thanks"),
    ]


def plain() -> Iterator[list[Message]]:
    """Text only, as our API takes it."""
    yield []
    for content in CONTENTS:
        yield [user(content)]
        yield [system(content), user("Hi")]
        yield [user("Hi"), assistant(content), user("Bye")]
    yield [system("S")]
    yield [system(""), user("")]
    yield [user("one"), assistant("two"), user("three"), assistant("four"), user("five")]
    yield [system("be brief"), user("one"), assistant("two"), user("three"), assistant("four")]
    yield [user("one"), user("two")]
    yield [user("one"), system("late"), user("two")]
    yield [assistant("first"), user("second")]
    yield [{"role": "developer", "content": "D"}, user("Hi")]
    yield [{"role": "unheard_of", "content": "?"}]


def structured() -> Iterator[list[Message]]:
    """Reasoning, parts and tool calls, which many templates take."""
    yield [user("q"), assistant("a", reasoning_content="because"), user("r")]
    yield [user("q"), assistant("a", reasoning="why", thinking="so"), user("r")]
    yield [user("q"), assistant("<think>\nold\n</think>\n\nanswer"), user("r"), assistant("<think>new</think>a")]
    yield [{"role": "user", "content": [{"type": "text", "text": "part "}, {"type": "text", "text": "two"}]}]
    yield [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what?"}]}]
    yield [{"role": "system", "content": [{"type": "text", "text": "S"}]}, user("Hi")]
    yield [{"role": "user", "content": None}]
    yield [{"role": "user"}]
    for arguments in ({"city": "Z\u00fcrich", "days": 2, "exact": True, "places": [1.5, -2e-7]}, '{"city": "Rome"}'):
        yield with_tool_answers(assistant("", tool_calls=tool_calls(arguments)))
        yield with_tool_answers(assistant("Let me see.", tool_calls=tool_calls(arguments), reasoning_content="hm"))
        yield with_tool_answers(assistant("", tool_calls=tool_calls(arguments)[:1]))[:4]
    yield with_tool_answers({"role": "assistant", "content": None, "tool_calls": tool_calls({})})


def variables() -> Iterator[tuple[str, dict[str, Any]]]:
    """All that the real templates are rendered with, each with a name for messages."""
    tokens = {"bos_token": "<s>", "eos_token": "</s>"}
    conversations = [*plain(), *structured()]
    for i, messages in enumerate(conversations):
        for prompt in (True, False):
            given = {"messages": messages, "add_generation_prompt": prompt, **tokens}
            yield f"conversation {i}, prompt {prompt}", given
            if i % 3 == 0 or i >= len(conversations) - 15:
                yield f"conversation {i}, prompt {prompt}, no tools", {**given, "tools": None, "documents": None}
                yield f"conversation {i}, prompt {prompt}, tools", {**given, **WITH_TOOLS, "enable_thinking": prompt}
    hello = [user("Hi")]
    for extra in ({"enable_thinking": True}, {"thinking": True}, {"reasoning_effort": "low"}, {"date_string": "1 Jan"}):
        yield f"with {extra}", {"messages": hello, "add_generation_prompt": True, **tokens, **extra}
    yield "without tokens", {"messages": hello, "add_generation_prompt": True}
