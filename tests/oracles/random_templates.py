# SPDX-License-Identifier: Apache-2.0
"""Random small templates over what chat templates use, wrong uses among them.

What the caller passes in is written in Greek and templates hold none, so that a Greek letter in an answer is known to
be a message's.
"""

import random
from typing import Any

VARIABLES: dict[str, Any] = {
    "messages": [
        {"role": "σύστημα", "content": " Γειά σου, Κόσμε! \n"},
        {"role": "χρήστης", "content": "<|αβγ|> 'δ' \"ε\" & <ζ>\n\n\tη "},
        {
            "role": "βοηθός",
            "content": None,
            "tool_calls": [{"id": "α1", "function": {"name": "φ", "arguments": {"χ": 1}}}],
        },
        {"role": "χρήστης", "content": [{"type": "κείμενο", "text": "μέρος ένα"}, {"type": "εικόνα"}]},
    ],
    "text": "Άλφα βήτα, γάμμα\nδέλτα",
    "blank": "",
    "spaces": " \t\u00a0\n ",
    "word": "ΟΔΥΣΣΕΥΣ",
    "digits": "42",
    "number": 7,
    "negative": -3,
    "zero": 0,
    "real": 2.5,
    "tiny": 1e-7,
    "yes": True,
    "no": False,
    "nothing": None,
    "list": ["β", "α", "Γ", "α"],
    "numbers": [3, 1, 2, 1.5, True],
    "mixed": [1, "ένα", None, True, 2.5, ["μέσα"], {"κ": "τ"}],
    "empty": [],
    "dict": {"b": 1, "a": "άλφα", "κλειδί": [1, 2], "items": "πεδίο"},
    "nested": {"one": {"two": {"three": "βαθιά"}}, "list": [[1, 2], [3]]},
    "bos_token": "<s>",
    "eos_token": "</s>",
}

NAMES = [*VARIABLES, "missing", "x", "y", "ns"]
STRINGS = [
    "", " ", "a", "b", "ab", "abcabc", "Hello World", "the-quick (brown) fox", "<b>&'\"", "\\n", "x\\ny\\tz", "1", "-12",
    "3.75", " 7 ", "0x1f", "1e3", "nan", "content", "role", "a.b", "%s", "%d/%5.2f", "{}", "{0!r:>8}", "{a}", "%(a)s", ",",
    "l", "ll", "é", "ß", "ﬁ", "İ", "ǆ", "\\u2028", "line one\\nline two\\r\\n\\n  three", "__class__", "true", "None",
]  # fmt: skip
PLAIN_FILTERS = [
    "abs", "capitalize", "count", "default", "dictsort", "e", "first", "float", "int", "items", "join", "last", "length",
    "list", "lower", "max", "min", "reverse", "round", "select", "reject", "sort", "string", "sum", "title", "tojson", "trim",
    "unique", "upper", "wordcount", "indent", "center", "safe", "forceescape", "truncate",
]  # fmt: skip
PLAIN_TESTS = [
    "boolean", "callable", "defined", "even", "false", "float", "integer", "iterable", "lower", "mapping", "none", "number",
    "odd", "sequence", "string", "true", "undefined", "upper", "escaped",
]  # fmt: skip
METHODS = [
    ("strip", ["", "' a'", "'abc'"]), ("lstrip", ["", "'\\n'", "'He'"]), ("rstrip", ["", "'d \\n'"]),
    ("split", ["", "' '", "'l'", "',', 1", "none, 1", "'\\n'", "''"]), ("rsplit", ["' ', 1", "none, 1", "'a'"]),
    ("splitlines", ["", "true"]), ("startswith", ["'a'", "'H'", "('a', 'b')", "1"]), ("endswith", ["'d'", "'\\n'", "''"]),
    ("upper", [""]), ("lower", [""]), ("title", [""]), ("capitalize", [""]), ("swapcase", [""]), ("find", ["'l'", "'zz'", "'l', 3"]),
    ("rfind", ["'l'", "'', 2"]), ("index", ["'l'", "'a'"]), ("count", ["'l'", "''", "'a', 1, 4"]), ("replace", ["'a', 'b'", "'l', '', 1", "'', '-'"]),
    ("join", ["list", "['x', 'y']", "numbers", "text", "dict"]), ("isdigit", [""]), ("isalpha", [""]), ("isspace", [""]), ("isupper", [""]),
    ("islower", [""]), ("isalnum", [""]), ("zfill", ["5", "0"]), ("ljust", ["8", "8, '.'"]), ("rjust", ["8"]), ("center", ["9", "8, '*'"]),
    ("partition", ["' '", "'zz'"]), ("rpartition", ["'l'"]), ("removeprefix", ["'a'", "'H'"]), ("removesuffix", ["'d'"]),
    ("format", ["1, 2", "a=text", "text, 'b'", "number", "real"]), ("items", [""]), ("keys", [""]), ("values", [""]), ("copy", [""]),
    ("get", ["'a'", "'zz'", "'zz', 1", "'role'", "1"]), ("append", ["1"]), ("update", ["{}"]), ("nosuch", [""]),
]  # fmt: skip
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]


class Generator:
    """Templates and expressions of one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def pick(self, options: list[Any]) -> Any:
        return self.rng.choice(options)

    def literal(self) -> str:
        number = str(self.rng.choice([0, 1, 2, 3, -1, 10, 255, 1000000, 0.5, 2.0, 1e20, 123456.789]))
        return str(self.pick([number, repr_string(self.pick(STRINGS)), "true", "false", "none", "[]", "{}", "()"]))

    def expression(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(NAMES) if self.rng.random() < 0.7 else self.literal()
        kinds = [
            self.attribute, self.item, self.slice, self.filtered, self.filtered, self.filtered, self.tested, self.method,
            self.method, self.binary, self.binary, self.conditional, self.sequence, self.mapping, self.unary, self.call,
        ]  # fmt: skip
        return str(self.pick(kinds)(depth - 1))

    def text(self, depth: int) -> str:
        """Mostly an expression that gives text."""
        if self.rng.random() < 0.15:
            return self.operand(depth)
        names = [
            "text",
            "word",
            "digits",
            "spaces",
            "blank",
            "bos_token",
            "messages[1].content",
            "messages[0].role",
            "dict['a']",
        ]
        inner = self.pick([self.pick(names), repr_string(self.pick(STRINGS)), f"({self.expression(depth)} | string)"])
        return str(inner)

    def items(self, depth: int) -> str:
        """Mostly an expression that gives several values."""
        names = [
            "list",
            "numbers",
            "mixed",
            "messages",
            "dict",
            "nested.list",
            "text",
            "range(5)",
            "dict.items()",
            "empty",
        ]
        return str(self.pick(names)) if self.rng.random() < 0.8 else self.operand(depth)

    def operand(self, depth: int) -> str:
        """An expression that binds tightly."""
        inner = self.expression(depth)
        return inner if inner.isidentifier() else f"({inner})"

    def attribute(self, depth: int) -> str:
        names = ["role", "content", "a", "b", "one", "items", "length", "_x", "append", "nosuch", "first", "0"]
        return f"{self.operand(depth)}.{self.pick(names)}"

    def item(self, depth: int) -> str:
        keys = ["0", "-1", "1", "9", "'role'", "'content'", "'a'", "'items'", "'upper'", "number", "none"]
        return f"{self.operand(depth)}[{self.pick(keys)}]"

    def slice(self, depth: int) -> str:
        bounds = ["", "", "0", "1", "-1", "2", "-3", "100", "-100", "none"]
        step = self.pick(["", "", ":", ":-1", ":2", ":-2", ":0"])
        # Jinja2 computes constants early, and there the slice of what has none is not an error.
        return f"{self.pick(['text', 'list', 'range(9)', 'mixed', 'word', 'digits', 'dict', 'number', 'messages'])}[{self.pick(bounds)}:{self.pick(bounds)}{step}]"

    def filtered(self, depth: int) -> str:
        inner = [
            lambda: self.pick(PLAIN_FILTERS),
            lambda: self.pick(PLAIN_FILTERS),
            lambda: f"default({self.expression(0)}, {self.pick(['true', 'false'])})",
            lambda: f"join({repr_string(self.pick(STRINGS))})",
            lambda: f"join(', ', attribute='{self.pick(['role', 'content', '0'])}')",
            lambda: f"replace({self.expression(0)}, {self.expression(0)}{self.pick(['', ', 1', ', -1', ', 0'])})",
            lambda: f"map({self.pick(PLAIN_FILTERS)!r}) | list",
            lambda: (
                f"map(attribute='{self.pick(['role', 'content', 'a.b', '0'])}'{self.pick(['', ', default=1'])}) | list"
            ),
            lambda: f"{self.pick(['select', 'reject'])}('{self.pick(PLAIN_TESTS)}') | list",
            lambda: (
                f"{self.pick(['select', 'reject'])}('{self.pick(['eq', 'gt', 'in', 'ne', '<='])}', {self.expression(0)}) | list"
            ),
            lambda: (
                f"{self.pick(['selectattr', 'rejectattr'])}('{self.pick(['role', 'content', 'tool_calls'])}'"
                f"{self.pick(['', ', %r' % self.pick(PLAIN_TESTS), ', %r, text' % 'equalto'])}) | list"
            ),
            lambda: (
                f"sort(reverse={self.pick(['true', 'false'])}{self.pick(['', ', case_sensitive=true', ', attribute=0'])})"
            ),
            lambda: f"dictsort({self.pick(['true', 'false', 'by=%r' % 'value', 'reverse=true'])})",
            lambda: (
                f"tojson({self.pick(['indent=2', 'indent=0', 'ensure_ascii=true', 'sort_keys=true', 'separators=(%r, %r)' % (',', ':')])})"
            ),
            lambda: f"indent({self.pick(['2', '0', 'first=true', '2, true, true', repr_string('> ')])})",
            lambda: f"trim({self.pick([repr_string(' a'), repr_string('abc'), 'none'])})",
            lambda: f"round({self.pick(['1', '2', '-1', '1, %r' % 'floor', '0, %r' % 'ceil', '1, %r' % 'odd'])})",
            lambda: f"int({self.pick(['7', 'default=none', '0, 16', '0, 0'])})",
            lambda: f"{self.pick(['batch', 'slice'])}({self.pick(['2', '3', '2, 0', '1'])}) | list",
            lambda: f"truncate({self.pick(['5', '8, true', '9, false, %r, 0' % '.', '1'])})",
            lambda: f"{self.pick(['min', 'max', 'sum'])}(attribute={self.pick(['0', repr_string('role')])}) | string",
            lambda: f"format({self.expression(0)}, {self.expression(0)})",
            lambda: f"{self.pick(['first', 'last', 'length', 'nosuch'])}",
            lambda: f"unique({self.pick(['true', 'false'])}) | join('|')",
        ]
        subject = self.pick([self.operand, self.text, self.text, self.items, self.items])(depth)
        return f"{subject} | {self.pick(inner)()}"

    def tested(self, depth: int) -> str:
        arguments = [
            lambda: self.pick(PLAIN_TESTS),
            lambda: f"divisibleby {self.pick(['2', '3', '0', 'number'])}",
            lambda: (
                f"{self.pick(['eq', 'equalto', 'ne', 'gt', 'lt', 'ge', 'le', 'sameas', 'in'])}({self.expression(0)})"
            ),
            lambda: f"{self.pick(['==', 'in'])} {self.pick(NAMES)}" if self.rng.random() < 0.3 else "in [1, 'a', none]",
        ]
        return f"{self.operand(depth)} is {self.pick(['', 'not '])}{self.pick(arguments)()}"

    def method(self, depth: int) -> str:
        name, arguments = self.pick(METHODS)
        return f"{self.text(depth)}.{name}({self.pick(arguments)})"

    def binary(self, depth: int) -> str:
        operator = self.pick(BINARY)
        if self.rng.random() < 0.5:
            operands = self.pick(
                [["number", "real", "3", "zero", "yes", "-2"], ["text", "'ab'", "word", "messages[0].role"]]
            )
            return f"{self.pick(operands)} {operator} {self.pick(operands)}"
        right = self.operand(0) if operator in ("*", "**") else self.operand(depth)
        expression = f"{self.operand(depth)} {operator} {right}"
        if operator in ("<", "==", "in") and self.rng.random() < 0.3:
            expression += f" {self.pick(['<', '==', '!='])} {self.operand(0)}"
        return expression

    def conditional(self, depth: int) -> str:
        otherwise = f" else {self.expression(depth)}" if self.rng.random() < 0.8 else ""
        return f"{self.expression(depth)} if {self.operand(depth)}{otherwise}"

    def sequence(self, depth: int) -> str:
        items = ", ".join(self.expression(depth) for _ in range(self.rng.randint(0, 3)))
        return f"[{items}]" if self.rng.random() < 0.7 else f"({items},)" if items else "()"

    def mapping(self, depth: int) -> str:
        keys = ["'a'", "'b'", "1", "true", "text", "none", "(1, 2)", "number", "2.0"]
        entries = ", ".join(f"{self.pick(keys)}: {self.expression(depth)}" for _ in range(self.rng.randint(0, 3)))
        return "{" + entries + "}"

    def unary(self, depth: int) -> str:
        return f"{self.pick(['not ', '-', '+'])}{self.operand(depth)}"

    def call(self, depth: int) -> str:
        calls = [
            f"range({self.pick(['3', '1, 4', '4, 0, -2', '0', 'number'])}) | list",
            f"range({self.pick(['3', '2, 9, 3'])})",
            f"dict(a={self.expression(depth)}, b=1)",
            f"dict([('a', 1)], **{{'c': {self.expression(0)}}})",
            f"joiner({self.expression(0)})" if False else f"missing({self.expression(0)})",
            f"{self.operand(depth)}({self.expression(0)})",
            "raise_exception('no')",
        ]
        return str(self.pick(calls))

    def template(self) -> str:
        """One expression, or a few statements, each of which may print."""
        if self.rng.random() < 0.5:
            return self.output(0)
        prologue = self.pick(
            ["", "{% set x = text %}", "{% set ns = namespace(a=1, found=false) %}", "{%- set y = list -%}\n"]
        )
        return str(prologue) + "".join(self.statement(2) for _ in range(self.rng.randint(1, 3)))

    def statement(self, depth: int) -> str:
        kinds = [self.output, self.output, self.output, self.data]
        if depth > 0:
            kinds += [
                self.if_block,
                self.for_block,
                self.for_block,
                self.set_statement,
                self.set_block,
                self.macro,
                self.with_block,
            ]
        return str(self.pick(kinds)(depth))

    def tag(self, inside: str) -> str:
        return f"{{%{self.pick(['', '', '-', '+'])} {inside} {self.pick(['', '', '-', '+'])}%}}{self.pick(['', '', chr(10), '  ', ' ' + chr(10)])}"

    def output(self, depth: int) -> str:
        return f"{{{{{self.pick(['', '', '-', ' '])}{self.expression(self.rng.randint(1, 2))}{self.pick(['', '', ' -', ' '])}}}}}{self.pick(['', chr(10), ' '])}"

    def data(self, depth: int) -> str:
        texts = [
            "  text ",
            "\n",
            "<|im_start|>",
            " \n  ",
            "{# note #}\n",
            "  {#- note -#}  x",
            "{% raw %} {{ x }} {% endraw %}\n",
            "\t",
            "a\r\nb",
        ]
        return str(self.pick(texts))

    def body(self, depth: int) -> str:
        return "".join(self.statement(depth - 1) for _ in range(self.rng.randint(0, 2)))

    def if_block(self, depth: int) -> str:
        text = self.tag(f"if {self.expression(1)}") + self.body(depth)
        if self.rng.random() < 0.4:
            text += self.tag(f"elif {self.expression(1)}") + self.body(depth)
        if self.rng.random() < 0.5:
            text += self.tag("else") + self.body(depth)
        return text + self.tag("endif")

    def for_block(self, depth: int) -> str:
        target = self.pick(["x", "x", "y", "x, y", "message"])
        source = self.pick(
            [
                "messages",
                "list",
                "numbers",
                "dict.items()",
                "dict | dictsort",
                "nested.list",
                "empty",
                "text",
                "range(3)",
                "dict",
            ]
        )
        if self.rng.random() < 0.3:
            source = self.operand(1)
        condition = (
            f" if {self.pick(['x', 'x is string', 'loop is defined', 'x != 1', 'y'])}"
            if self.rng.random() < 0.25
            else ""
        )
        loop = self.pick(
            ["index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem", "depth", "nosuch",
             "cycle('a', 'b')", "changed(x)"]
        )  # fmt: skip
        inside = self.pick(
            ["{{ x }}", f"{{{{ loop.{loop} }}}}", f"{{{{ loop.{loop} }}}}", "{% set y = x %}{{ y }}", self.body(depth)]
        )
        if self.rng.random() < 0.25:
            inside += (
                self.tag(f"if {self.pick(['loop.index == 2', 'x', 'loop.last'])}")
                + self.tag(self.pick(["break", "continue"]))
                + "{% endif %}"
            )
        inside += self.body(depth)
        otherwise = self.tag("else") + self.body(depth) if self.rng.random() < 0.3 else ""
        return str(self.tag(f"for {target} in {source}{condition}") + inside + otherwise + self.tag("endfor"))

    def set_statement(self, depth: int) -> str:
        target = self.pick(["x", "y", "x, y", "ns.a", "ns.found", "text", "new"])
        return str(
            self.tag(f"set {target} = {self.expression(2)}") + self.pick(["{{ x }}", "{{ ns.a }}", "", "{{ new }}"])
        )

    def set_block(self, depth: int) -> str:
        filters = self.pick(["", "", " | upper", " | trim | length"])
        return self.tag(f"set x{filters}") + self.body(depth) + "text" + self.tag("endset") + "{{ x }}"

    def with_block(self, depth: int) -> str:
        if self.rng.random() < 0.5:
            return self.tag(f"with x = {self.expression(1)}, y = x") + self.body(depth) + self.tag("endwith")
        return (
            self.tag(f"filter {self.pick(['upper', 'trim', 'replace(%r, %r)' % ('a', 'b')])}")
            + self.body(depth)
            + self.tag("endfilter")
        )

    def macro(self, depth: int) -> str:
        parameters = self.pick(["", "x", "x, y=1", "x='d', y=x"])
        extra = self.pick(["", "", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ caller is defined }}"])
        text = self.tag(f"macro m({parameters})") + "{{ x }}" + extra + self.body(depth) + self.tag("endmacro")
        call = self.pick(
            ["m()", "m(1)", "m(text, 2)", "m(y=text)", "m(1, 2, 3)", "m(z=1)", "m(*list)", "m(**{'x': 1})", "m"]
        )
        if self.rng.random() < 0.2:
            return str(text + self.tag("call m(1)") + "inside {{ text }}" + self.tag("endcall"))
        return str(text + f"{{{{ {call} }}}}")


def repr_string(text: str) -> str:
    """A literal of the text, which already has its backslashes."""
    return "'" + text.replace("'", "\\'") + "'"
