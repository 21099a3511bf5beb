# SPDX-License-Identifier: Apache-2.0
"""Random templates in the subset of Jinja that we render (src/text/jinja/README.md), for comparing with Jinja2.

Most are well typed, so that they render to their end; some expressions are of a wrong type, use names that are not
there, or are cut, so that both must refuse them. Left out is what only Jinja2 does: the statements, filters, tests
and methods beyond the subset, integers of more than 64 bits, and printing what Python shows with an address.
"""

import random
from collections.abc import Callable
from typing import Any

VARIABLES: dict[str, Any] = {
    "name": "Ada", "empty": "", "blank": "  x \n\t", "uni": "\u041f\u0440 \u00df\u0130 \U0001f642 \u01c6e\u0301",
    "html": "<b>&'\" x</b>", "braces": "{{ 1 }} {% if %} {0} %s", "digits": "42", "words": "the Quick brown-fox, the END",
    "lines": "one\ntwo\r\n\n  four\n", "n": 3, "zero": 0, "neg": -7, "big": 1_000_003, "half": 0.5, "pi": 3.14159,
    "tiny": 1e-7, "huge": 1e17, "yes": True, "no": False, "nothing": None, "numbers": [3, 1, 2, 3, -5],
    "names": ["bob", "Ada", "eve", "ada", ""], "mixed": [1, "a", None, 2.5, True, [1], {"k": "v"}], "nested": [[1, 2], [3], []],
    "pairs": [["a", 1], ["b", 2], ["c", 3]], "empty_list": [], "empty_dict": {},
    "person": {"name": "Ada", "age": 36, "tags": ["x", "y"], "items": "own", "mother": {"name": "Anne", "age": None}},
    "table": {"b": 2, "a": 1, "C": 3, "d": "x"},
    "people": [{"name": "Ada", "age": 36, "on": True}, {"name": "bob", "age": 5, "on": False}, {"name": "Eve", "age": 36}],
    "messages": [{"role": "system", "content": " be brief "}, {"role": "user", "content": "Hi {{ x }}"},
                 {"role": "assistant", "content": "<think>so</think>\nHello"}, {"role": "user", "content": ""}],
}  # fmt: skip

TEXTS = ["name", "empty", "blank", "uni", "html", "braces", "digits", "words", "lines"]
INTEGERS = ["n", "zero", "neg", "big"]
FLOATS = ["half", "pi", "tiny", "huge"]
LISTS = ["numbers", "names", "mixed", "nested", "pairs", "empty_list", "people", "messages"]
DICTS = ["person", "table", "empty_dict"]
# Names that templates assign, in all scopes alike, so that they hide each other and are read before they are set.
OWN = ["a", "b", "c", "x", "y", "name", "n", "item", "ns"]
LITERALS = [
    "'a'", '"b c"', "''", "' '", "'\\n'", "'a\\tb'", "'\\u00e9'", "'it\\'s'", "'{{'", "'x' 'y'", "'<|im_end|>'", "'%'",
    "', '", "'Ada'", "'-'", "'e'",
]  # fmt: skip
NUMBERS = ["0", "1", "2", "3", "10", "7", "1_000", "0x1f", "0b101", "0o17", "255"]
REALS = ["0.5", "1.0", "2.5", "1e3", "1.5e-3", "3.0", "1_0.2_5"]
ATTRIBUTES = ["name", "age", "role", "content", "on", "missing", "tags", "mother"]
INDENTS = ["", " ", "  ", "\n", "\n\n", "\n  ", " \n", "\t"]


# Where any tokens are put, and which: mostly no template, so that the two must agree on what they refuse.
PLACES = [
    "{{ %s }}", "{{- %s -}}", "{% if %s %}T{% endif %}", "{% for x in %s %}{{ x }}{% endfor %}", "{% set x = %s %}{{ x }}",
    "{% for %s in numbers %}{{ x }},{% endfor %}", "{% set %s = 1 %}{{ x }}", "{% %s %}", "{{ person.%s }}",
    "{% macro m(%s) %}{{ x }}{% endmacro %}{{ m(1) }}", "{% filter %s %}a{% endfilter %}", "{{ name[%s] }}",
    "{% with %s %}{{ x }}{% endwith %}", "{% call(%s) m() %}{% endcall %}", "{% set x | %s %}a{% endset %}{{ x }}",
    "{{ [1, 2, 'b'] | %s }}", "{{ n is %s }}", "{{ range(%s) }}", "{{ dict(%s) }}", "{% if no %}{% elif %s %}x{% else %}y{% endif %}",
]  # fmt: skip
TOKENS = [
    "n", "name", "numbers", "person", "x", "1", "0", "2.5", "'a'", '"b"', "none", "true", "True", "(", ")", "[", "]", "{",
    "}", ",", ":", ".", "|", "upper", "length", "join", "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=",
    "=", "in", "not", "and", "or", "if", "else", "is", "defined", "string", "is not", "not in", "loop", "range(3)", "list",
    "tojson", "a", "[0]", ".name", "()", "(1)", "1 2", "07", "1_0", "0x1", "1.", "'\\n'", "set", "for", "\n", " ",
]  # fmt: skip


def token_soup(rng: random.Random) -> str:
    """Up to five tokens in some place of a template."""
    tokens = [rng.choice(TOKENS) + rng.choice(["", " "]) for _ in range(rng.randint(1, 5))]
    return rng.choice(PLACES).replace("%s", "".join(tokens))


class TemplateMaker:
    """Makes one template after another from a seeded generator."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.loops = 0
        self.macros: list[tuple[str, int]] = []

    def template(self) -> str:
        self.loops, self.macros = 0, []
        body = "{% set ns = namespace(total=0, seen='') %}" if self.chance(0.9) else ""
        body += self.body(self.rng.randint(1, 3))
        return self.damaged(body) if self.chance(0.06) else body

    def damaged(self, source: str) -> str:
        """One character or tag less, more or elsewhere: mostly no template any more."""
        if not source:
            return source
        at, size = self.rng.randrange(len(source)), self.rng.choice([1, 1, 2, 5])
        kind = self.rng.randrange(3)
        if kind == 0:
            return source[:at] + source[at + size :]
        if kind == 1:
            return source[:at] + source[at : at + size] + source[at:]
        return (
            source[:at] + self.pick(["{", "}", "%", "-", "|", "(", ")", "'", ".", "{%", "%}", "#}", "="]) + source[at:]
        )

    # Choices.

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def pick(self, options: list[str]) -> str:
        return self.rng.choice(options)

    def one_of(self, *makers: Callable[[int], str], depth: int) -> str:
        return self.rng.choice(makers)(depth)

    # Statements.

    def body(self, depth: int) -> str:
        parts = [self.statement(depth) for _ in range(self.rng.randint(1, 3))]
        return "".join(self.pick(INDENTS) + part for part in parts) + self.pick(INDENTS)

    def statement(self, depth: int) -> str:
        leaves: list[Callable[[int], str]] = [
            self.output,
            self.output,
            self.output,
            self.data,
            self.assignment,
            self.comment,
            self.raw,
        ]
        branches: list[Callable[[int], str]] = [
            self.condition,
            self.loop,
            self.loop,
            self.macro,
            self.call,
            self.block,
            self.jump,
        ]
        return self.rng.choice(leaves + branches if depth > 0 else leaves)(depth)

    def tag(self, content: str) -> str:
        before, after = self.pick(["", "", "", "-", "+"]), self.pick(["", "", "", "-", "+"])
        space = self.pick([" ", " ", " ", "", "\n"])
        # "-" and "+" would belong to the expression without the space.
        return "{%" + before + " " + content + (space or " ") + after + "%}"

    def output(self, depth: int) -> str:
        before, after = self.pick(["", "", "", "-"]), self.pick(["", "", "", "-"])
        if self.chance(0.03):
            return self.tag(f"print {self.anything(2)}, {self.anything(1)}")
        return "{{" + before + " " + self.anything(depth + 1) + " " + after + "}}"

    def data(self, _: int) -> str:
        return self.pick(["text ", "a\n", " {x} ", "%}", "}}", "<|x|>", "\u00e9", "  \n  ", "#", "{ {", "1"])

    def comment(self, _: int) -> str:
        return "{#" + self.pick(["", "-"]) + self.pick([" c ", "{{ x }}", "\n"]) + self.pick(["", "-"]) + "#}"

    def raw(self, _: int) -> str:
        begin = self.pick(["{% raw %}", "{%- raw %}", "{% raw -%}", "{%+raw%}"])
        return begin + self.pick(["{{ x }}", " {% if %} ", "\n", "{# #}\n"]) + self.tag("endraw")

    def assignment(self, depth: int) -> str:
        kind = self.rng.randrange(8)
        if kind == 0:
            filters = self.pick(["", "", " | upper", " | trim | title", " | indent(2)"])
            return self.tag(f"set {self.pick(OWN)}{filters}") + self.body(0) + self.tag("endset")
        if kind == 1:
            return self.tag(f"set ns.{self.pick(['total', 'seen', 'new'])} = {self.anything(depth + 1)}")
        if kind == 2:
            # Not one name twice: which of the two values it then has is a question of CPython's version.
            return self.tag(f"set {', '.join(self.rng.sample(OWN, 2))} = {self.anything(1)}, {self.anything(1)}")
        if kind == 3:
            step = self.pick(
                ["ns.total + 1", "ns.seen ~ name", "[ns.total, 1]", "ns.total is ge(2)", "loop.index", "ns is ge(2)"]
            )
            return self.tag(f"set ns.{self.pick(['total', 'seen'])} = {step}")
        return self.tag(f"set {self.pick(OWN)} = {self.anything(depth + 1)}")

    def condition(self, depth: int) -> str:
        source = self.tag(f"if {self.test(depth)}") + self.body(depth - 1)
        for _ in range(self.rng.choice([0, 0, 1, 2])):
            source += self.tag(f"elif {self.test(depth)}") + self.body(depth - 1)
        if self.chance(0.5):
            source += self.tag("else") + self.body(depth - 1)
        return source + self.tag("endif")

    def loop(self, depth: int) -> str:
        if self.chance(0.2):
            head = f"for {self.pick(OWN)}, {self.pick(OWN)} in {self.pairs(depth)}"
        else:
            head = f"for {self.pick(OWN)} in {self.sequence(depth)}"
        if self.chance(0.2):
            head += f" if {self.pick(OWN)}{self.pick(['', ' is defined', ' is string', ' is number', ' is none'])}"
        self.loops += 1
        body = self.tag(head) + self.body(depth - 1)
        if self.chance(0.6):
            body += "{{ " + self.pick(OWN + ["loop.index"]) + " }}"
        self.loops -= 1
        if self.chance(0.3):
            body += self.tag("else") + self.body(depth - 1)
        return body + self.tag("endfor")

    def jump(self, depth: int) -> str:
        if self.loops == 0:
            return self.output(depth)
        kind = self.pick(["break", "continue"])
        return self.tag(f"if {self.test(1)}") + self.tag(kind) + self.tag("endif")

    def macro(self, depth: int) -> str:
        name = self.pick(["show", "wrap", "m"])
        parameters = self.rng.sample(OWN, self.rng.randint(0, 3))
        num_required = self.rng.randint(0, len(parameters))
        listed = [p if i < num_required else f"{p}={self.anything(1)}" for i, p in enumerate(parameters)]
        body = self.in_macro(depth)
        if self.chance(0.3):
            body += self.pick(["{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ caller is defined }}"])
        self.macros.append((name, len(parameters)))
        return self.tag(f"macro {name}({', '.join(listed)})") + body + self.tag("endmacro")

    def in_macro(self, depth: int) -> str:
        loops, self.loops = self.loops, 0
        body = self.body(depth - 1)
        self.loops = loops
        return body

    def macro_call(self) -> str:
        name, num_parameters = self.rng.choice(self.macros) if self.macros else ("m", 1)
        count = max(0, num_parameters + self.rng.choice([0, 0, 0, -1, 1]))
        arguments = [self.anything(1) for _ in range(count)]
        if self.chance(0.15):
            arguments.append(f"{self.pick(OWN)}={self.anything(1)}")
        return f"{name}({', '.join(arguments)})"

    def call(self, depth: int) -> str:
        if not self.macros:
            return self.macro(depth)
        if self.chance(0.6):
            return "{{ " + self.macro_call() + " }}"
        parameters = self.pick(["", "(x)", "(a, b=1)"])
        return self.tag(f"call{parameters} {self.macro_call()}") + self.in_macro(depth) + self.tag("endcall")

    def block(self, depth: int) -> str:
        kind = self.rng.randrange(3)
        if kind == 0:
            filters = self.pick(["upper", "trim", "indent(2, true)", "replace('a', 'b') | title", "length", "safe"])
            return self.tag(f"filter {filters}") + self.body(depth - 1) + self.tag("endfilter")
        if kind == 1:
            values = ", ".join(f"{name} = {self.anything(1)}" for name in self.rng.sample(OWN, self.rng.randint(0, 2)))
            return self.tag(f"with {values}") + self.body(depth - 1) + self.tag("endwith")
        return self.tag("generation") + self.body(depth - 1) + self.tag("endgeneration")

    # Expressions. Each of a type, but now and then of another one.

    def anything(self, depth: int) -> str:
        kinds = [self.text, self.text, self.text, self.integer, self.number, self.test, self.sequence, self.mapping]
        kinds += [self.own, self.own, self.conditional, self.formatted]
        return self.rng.choice(kinds)(depth)

    def own(self, depth: int) -> str:
        kind = self.rng.randrange(10)
        if kind == 0:
            return self.pick(["missing", "other"])
        if kind == 1 and self.loops > 0:
            return self.of_loop()
        if kind == 2 and self.macros:
            return self.macro_call()
        if kind == 3:
            return self.pick(["ns.total", "ns.seen", "ns.new", "nothing"])
        if kind == 4:
            return f"({self.own(depth)} | {self.pick(['default', 'd'])}({self.anything(0)}{self.pick(['', ', true'])}))"
        return self.pick(OWN)

    def of_loop(self) -> str:
        return self.pick([
            "loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex", "loop.revindex0",
            "loop.previtem", "loop.nextitem", "loop.depth", "loop.depth0", "loop.cycle('a', 'b')", "loop.changed(n)",
            "(loop.previtem is defined)", "loop.changed(loop.first)", "loop",
        ])  # fmt: skip

    def stray(self, depth: int) -> str | None:
        """Now and then, something of another type, or in parentheses."""
        if not self.chance(0.05):
            return None
        return self.anything(depth - 1) if self.chance(0.6) else f"({self.anything(depth - 1)})"

    def conditional(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(OWN)
        otherwise = f" else {self.anything(depth - 1)}" if self.chance(0.8) else ""
        return f"({self.anything(depth - 1)} if {self.test(depth - 1)}{otherwise})"

    def text(self, depth: int) -> str:
        if (stray := self.stray(depth)) is not None:
            return stray
        if depth <= 0:
            return self.pick(TEXTS) if self.chance(0.6) else self.pick(LITERALS)
        return self.one_of(self.text_filter, self.text_filter, self.text_method, self.joined, self.part, depth=depth)

    def text_filter(self, depth: int) -> str:
        filters = [
            "upper", "lower", "title", "capitalize", "trim", "string", "e", "escape", "safe", "forceescape",
            "first", "last", "indent", "indent(2, true)", "indent(width=3, blank=true)", "indent('> ')", "center(12)",
            "truncate(9)", "truncate(5, true)", "truncate(7, false, '..', 0)", "trim('ab ')", "replace('a', '<')",
            "replace('', '.', 3)", "tojson", "tojson(indent=2)", "list | join('|')", "default('z')", "tojson(ensure_ascii=true)",
        ]  # fmt: skip
        chosen = self.pick(filters)
        subject = self.anything(depth - 1) if self.chance(0.2) else self.text(depth - 1)
        return f"{self.operand(subject)} | {chosen}"

    def text_method(self, depth: int) -> str:
        argument = self.text(0)
        methods = [
            "upper()", "lower()", "title()", "capitalize()", "swapcase()", "strip()", "lstrip()", "rstrip()",
            "strip('a ')", f"replace({argument}, 'x')", f"split({argument})[0]", "split()", "rsplit(' ', 1)",
            "splitlines()", "splitlines(true)", f"partition({argument})", f"rpartition({argument})", "zfill(6)",
            f"removeprefix({argument})", f"removesuffix({argument})", "ljust(8)", "rjust(8, '*')", "center(9)",
            f"join({self.sequence(0)})", "format(1, x=2)", "split('a', 1)", "rsplit()", "split(none, 1)",
        ]  # fmt: skip
        return f"{self.operand(self.text(depth - 1))}.{self.pick(methods)}"

    def joined(self, depth: int) -> str:
        kind = self.rng.randrange(4)
        if kind == 0:
            return f"({self.text(depth - 1)} + {self.text(depth - 1)})"
        if kind == 1:
            return f"({self.anything(depth - 1)} ~ {self.anything(depth - 1)})"
        if kind == 2:
            return f"({self.text(depth - 1)} * {self.pick(['2', '0', 'n', '-1'])})"
        return f"{self.sequence(depth - 1)} | join({self.pick(['', self.text(0)])})"

    def part(self, depth: int) -> str:
        kind = self.rng.randrange(6)
        if kind == 0:
            return f"({self.text(depth - 1)} ~ {self.pick(TEXTS)})[{self.slice()}]"
        if kind == 1:
            return f"{self.operand(self.text(depth - 1))}[{self.integer(0)}]"
        if kind == 2:
            return f"{self.pick(['person', 'messages[0]', 'people[1]', 'messages[-1]'])}.{self.pick(ATTRIBUTES)}"
        if kind == 3:
            return f"({self.text(depth - 1)} ~ '') | reverse"
        if kind == 4:
            return f"{self.pick([*TEXTS, *OWN])}[{self.slice()}]"
        return f"{self.pick(['person', 'messages[1]', 'people[0]', 'table'])}['{self.pick([*ATTRIBUTES, 'a'])}']"

    def formatted(self, depth: int) -> str:
        places = self.pick(
            ["%s", "%d", "%5.2f", "%-6s|", "%05d", "%r", "%x", "%+.1e", "%c", "%%", "%(name)s", "%*d", "%g"]
        )
        braces = self.pick(
            ["{}", "{0}{0}", "{:>8}", "{:^9.3f}", "{!r}", "{:,}", "{:05d}", "{x}", "{0[0]}", "{:<4}|", "{:%}", "{:#x}"]
        )
        value = self.rng.choice([self.integer, self.number, self.text, self.own])(depth - 1)
        kind = self.rng.randrange(4)
        if kind == 0:
            return f"('{places}' % {self.operand(value)})"
        if kind == 1:
            return f"'{places}' | format({value})"
        if kind == 2:
            return f"'{braces}'.format({value})"
        return f"('{places}, %s' % ({value}, {self.text(0)}))"

    def slice(self) -> str:
        bounds = ["", "", "0", "1", "2", "-1", "-2", "n", "neg", "5"]
        step = self.pick(["", "", "", ":", ":2", ":-1", ":-2"])
        return f"{self.pick(bounds)}:{self.pick(bounds)}{step}"

    def integer(self, depth: int) -> str:
        if (stray := self.stray(depth)) is not None:
            return stray
        if depth <= 0:
            return self.pick(INTEGERS) if self.chance(0.4) else self.pick(NUMBERS)
        kind = self.rng.randrange(9)
        if kind <= 1:
            operator = self.pick(["+", "-", "*", "//", "%"])
            return f"({self.integer(depth - 1)} {operator} {self.integer(depth - 1)})"
        if kind == 2:
            return f"{self.operand(self.sequence(depth - 1))} | {self.pick(['length', 'count'])}"
        if kind == 3:
            return f"{self.operand(self.text(depth - 1))} | {self.pick(['length', 'wordcount', 'int', 'int(7)', 'int(0, 16)'])}"
        if kind == 4:
            return (
                f"{self.operand(self.text(depth - 1))}.{self.pick(['find', 'count', 'rfind', 'index'])}({self.text(0)})"
            )
        if kind == 5:
            return f"{self.pick(['-', '+'])}{self.operand(self.integer(depth - 1))}"
        if kind == 6:
            return f"{self.operand(self.number(depth - 1))} | {self.pick(['int', 'abs', 'round'])}"
        if kind == 7:
            return f"{self.pick(['2', 'n', '-3', '10'])} ** {self.pick(['2', '3', '0', '1'])}"
        return f"{self.pick(['numbers', '[1, 2]', 'range(5)'])} | {self.pick(['sum', 'max', 'min', 'first', 'last'])}"

    def number(self, depth: int) -> str:
        if (stray := self.stray(depth)) is not None:
            return stray
        if depth <= 0:
            return self.pick(FLOATS) if self.chance(0.4) else self.pick(REALS)
        kind = self.rng.randrange(5)
        if kind <= 1:
            operator = self.pick(["+", "-", "*", "/", "//", "%"])
            operands = [self.number(depth - 1), self.integer(depth - 1)]
            self.rng.shuffle(operands)
            return f"({operands[0]} {operator} {operands[1]})"
        if kind == 2:
            rounding = self.pick(["round", "round(1)", "round(2, 'floor')", "round(0, 'ceil')", "round(-1)"])
            return f"{self.operand(self.number(depth - 1))} | {rounding}"
        if kind == 3:
            return f"{self.operand(self.text(depth - 1))} | float{self.pick(['', '(1.5)'])}"
        return f"({self.integer(depth - 1)} / {self.integer(depth - 1)})"

    def test(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(["yes", "no", "true", "false", "name", "missing", "nothing", "zero", "empty_list", *OWN])
        kind = self.rng.randrange(9)
        if kind == 0:
            return f"({self.test(depth - 1)} {self.pick(['and', 'or'])} {self.test(depth - 1)})"
        if kind == 1:
            return f"not {self.operand(self.test(depth - 1))}"
        if kind == 2:
            operand = self.rng.choice([self.integer, self.number])
            rest = f" {self.comparison()} {self.integer(0)}" if self.chance(0.15) else ""
            return f"({operand(depth - 1)} {self.comparison()} {operand(depth - 1)}{rest})"
        if kind == 3:
            return f"({self.anything(depth - 1)} {self.pick(['==', '!='])} {self.anything(depth - 1)})"
        if kind == 4:
            return f"({self.text(0)} {self.pick(['in', 'not in'])} {self.rng.choice([self.text, self.sequence, self.mapping])(depth - 1)})"
        if kind == 5:
            method = self.pick(["startswith", "endswith"])
            return f"{self.operand(self.text(depth - 1))}.{method}({self.text(0)})"
        if kind == 6:
            kinds = ["isdigit", "isalpha", "isupper", "islower", "isspace", "isalnum"]
            return f"{self.operand(self.text(depth - 1))}.{self.pick(kinds)}()"
        return self.named_test(depth)

    def comparison(self) -> str:
        return self.pick(["==", "!=", "<", "<=", ">", ">="])

    def named_test(self, depth: int) -> str:
        simple = [
            "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float",
            "boolean", "true", "false", "callable", "escaped", "lower", "upper", "filter", "test",
        ]  # fmt: skip
        negation = self.pick(["", "", "not "])
        if self.chance(0.6):
            return f"{self.operand(self.anything(depth - 1))} is {negation}{self.pick(simple)}"
        if self.chance(0.2):
            return f"{self.operand(self.anything(depth - 1))} is {negation}in {self.operand(self.sequence(0))}"
        counted = [
            "even",
            "odd",
            "divisibleby 3",
            "divisibleby(2)",
            "eq 3",
            "equalto(2)",
            "ne(1)",
            "gt(1)",
            "ge 1",
            "lt(n)",
        ]
        counted += ["le(half)", "greaterthan(2)", "lessthan(0)", "sameas(none)", "sameas true", "eq(n)"]
        subject = self.own(0) if self.chance(0.2) else self.integer(depth - 1)
        return f"{self.operand(subject)} is {negation}{self.pick(counted)}"

    def sequence(self, depth: int) -> str:
        if (stray := self.stray(depth)) is not None:
            return stray
        if depth <= 0:
            return self.pick(LISTS)
        kind = self.rng.randrange(8)
        if kind == 0:
            return "[" + ", ".join(self.anything(depth - 1) for _ in range(self.rng.randint(0, 3))) + "]"
        if kind == 1:
            return "(" + ", ".join(self.anything(depth - 1) for _ in range(self.rng.randint(2, 3))) + ")"
        if kind == 2:
            return f"range({self.pick(['3', '1, 4', 'n', '5, 0, -2', 'zero', '0, 9, n'])})"
        if kind == 3:
            # Of a variable: a slice of a constant that has none is undefined in Jinja2, which computes it early.
            return f"{self.pick([*LISTS, *OWN])}[{self.slice()}]"
        if kind == 4:
            return f"({self.sequence(depth - 1)} + {self.sequence(depth - 1)})"
        if kind == 5:
            return f"{self.operand(self.mapping(depth - 1))}.{self.pick(['items', 'keys', 'values'])}() | list"
        return self.filtered(depth)

    def filtered(self, depth: int) -> str:
        attribute = self.pick(ATTRIBUTES)
        lazy = [
            "map('upper')", "map('string')", f"map(attribute='{attribute}')", "map(attribute='mother.name', default='?')",
            "map('length')", "map('default', 1)", "map('int')", "map('replace', 'a', 'b')", "map('tojson')", "select",
            "reject", "select('string')", "reject('none')", "select('defined')", "select('gt', 1)", "select('in', [1, 3])",
            f"selectattr('{attribute}')", f"rejectattr('{attribute}')", f"selectattr('{attribute}', 'defined')",
            "selectattr('age', 'ge', 10)", "selectattr('name', 'equalto', 'Ada')", "rejectattr('role', 'eq', 'user')",
            "unique", f"unique(attribute='{attribute}')", "unique(true)", "reverse", "batch(2)", "batch(3, 'z')",
            "slice(2)", "slice(3, 0)", "items",
        ]  # fmt: skip
        eager = [
            "sort", "sort(reverse=true)", "sort(case_sensitive=true)", "sort(attribute='name')", "dictsort", "list",
            "dictsort(by='value')", "dictsort(true, reverse=true)", "sort(attribute='age,name')", "sort(true, true)",
        ]  # fmt: skip
        subject = self.operand(self.rng.choice([self.sequence, self.sequence, self.sequence, self.mapping])(depth - 1))
        if self.chance(0.3):
            return f"{subject} | {self.pick(eager)}"
        return f"{subject} | {self.pick(lazy)} | list"

    def pairs(self, depth: int) -> str:
        options = [
            "pairs",
            "nested",
            "person.items()",
            "table | dictsort",
            "table | items",
            "[(1, 2), (3, 4)]",
            "messages",
        ]
        return self.sequence(depth) if self.chance(0.1) else self.pick(options)

    def mapping(self, depth: int) -> str:
        if (stray := self.stray(depth)) is not None:
            return stray
        if depth <= 0 or self.chance(0.4):
            return self.pick([*DICTS, "messages[0]", "people[-1]"])
        keys = self.rng.sample(
            ["'a'", "'b'", "1", "name", "none", "true", "1.0", "'name'", "(1, 2)"], self.rng.randint(0, 3)
        )
        if self.chance(0.2):
            return f"dict({', '.join(f'{key}={self.anything(0)}' for key in ('a', 'b')[: len(keys)])})"
        return "{" + ", ".join(f"{key}: {self.anything(depth - 1)}" for key in keys) + "}"

    def operand(self, expression: str) -> str:
        """In parentheses where what follows would bind to a part of it; now and then left to do so."""
        if expression.isidentifier() or self.chance(0.05):
            return expression
        return f"({expression})"
