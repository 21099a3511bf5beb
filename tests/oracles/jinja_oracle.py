# SPDX-License-Identifier: Apache-2.0
"""Jinja2 set up as transformers' apply_chat_template does, and our renderer beside it."""

import copy
import json
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LLAMAGPU_TEST_BIN", ROOT / "build/release/bin")) / "render-template"
NOW_UNIX_SECONDS = 1_760_000_000
# How Python shows functions and the like: no two runs print the same.
PYTHON_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}", re.IGNORECASE)

Variables = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One rendering: a template's source, and what it is given."""

    source: str
    variables: Variables
    name: str = ""


@dataclass(frozen=True)
class Outcome:
    """The text of a rendering, or why there is none."""

    text: str | None
    error: str = ""


class GenerationTag(Extension):
    """`{% generation %}`, which marks what a model said: here a scope without further meaning."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller: Any) -> str:
        return str(caller())


def to_json(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Not Jinja2's filter of this name, which escapes HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message: Any) -> None:
    raise TemplateError(message)


def strftime_now(layout: str) -> str:
    return datetime.fromtimestamp(NOW_UNIX_SECONDS).strftime(layout)


def environment() -> Environment:
    """What transformers renders chat templates with."""
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, loopcontrols])
    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = strftime_now
    return made


def expected(cases: list[Case]) -> list[Outcome]:
    """What Jinja2 renders. Equal sources that follow each other are compiled once."""
    jinja = environment()
    source, template, outcomes = None, None, []
    for case in cases:
        try:
            if template is None or case.source != source:
                source, template = case.source, None
                template = jinja.from_string(case.source)
            # A copy, because Jinja2's `indent` of a list appends a line end to that list.
            outcomes.append(Outcome(template.render(copy.deepcopy(case.variables))))
        except Exception as error:  # any: a template can raise whatever Python can
            outcomes.append(Outcome(None, f"{type(error).__name__}: {error}"))
    return outcomes


def ours(cases: list[Case]) -> list[Outcome]:
    """What our renderer makes of the same, with the same clock."""
    lines = [
        json.dumps({"template": case.source, "variables": case.variables, "now": NOW_UNIX_SECONDS}) for case in cases
    ]
    run = subprocess.run([PROGRAM], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answers = [json.loads(line) for line in run.stdout.split("\n")[:-1]]
    assert len(answers) == len(cases)
    for case, answer in zip(cases, answers, strict=True):
        spans = "".join(text for text, _ in answer.get("spans", []))
        assert spans == answer.get("text", ""), f"the spans of {case.name or case.source!a} are not its text"
    return [Outcome(answer.get("text"), answer.get("error", "")) for answer in answers]


@dataclass(frozen=True)
class Comparison:
    """What both renderers made of the same cases."""

    num_rendered: int
    differences: list[str]


def compare(cases: list[Case]) -> Comparison:
    """A difference is where one of the two raises and the other does not, or where the texts differ."""
    num_rendered, differences = 0, []
    for case, theirs, mine in zip(cases, expected(cases), ours(cases), strict=True):
        num_rendered += theirs.text is not None
        if theirs.text != mine.text and not PYTHON_ADDRESS.search(theirs.text or ""):
            what = case.name or f"{case.source!a}"
            told = f"  jinja2 {theirs.text!a} {theirs.error}\n  ours   {mine.text!a} {mine.error}"
            differences.append(f"{what}\n{told}")
    return Comparison(num_rendered, differences)
