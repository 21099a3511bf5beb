#!/usr/bin/env python3
"""Fails where a public declaration of a header has no comment: types and free or public member functions.

A declaration counts as documented when a comment stands right above it, at its end, or above the group of
declarations (no blank line between) that it belongs to. Operators, constructors, destructors, overrides and
accessors (const, without parameters: the name is the contract) say nothing new; a body of one line says it itself.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPE = re.compile(r"^(?:template\s*<.*>\s*)?(?:enum class|struct|class)\s+(?:\[\[\w+\]\]\s*)?(\w+)(?!.*;\s*$)")
FUNCTION = re.compile(
    r"^(?!return|using|friend|static_assert|typedef|throw|else|if|for|while|case|public|private|protected)"
    r"(?:\[\[\w+\]\]\s*)?[\w:<>,&*\s~\[\]]+?[&*\s](\w+)\("
)


SCOPE = re.compile(r"^(?:inline\s+)?(?:namespace|extern|enum|union)\b")


def statement(lines: list[str], start: int) -> str:
    """The declaration that begins on a line, as one line."""
    text = ""
    for line in lines[start : start + 8]:
        text += " " + line.split("//")[0].strip()
        if ";" in line or "{" in line:
            break
    return text.strip()


def declared_name(text: str) -> str | None:
    """What a statement declares and a comment must explain; None for anything else."""
    if match := TYPE.match(text):
        return match[1]
    match = FUNCTION.match(text)
    if match is None or re.search(r"\boperator\b|\boverride\b|= delete|= default", text):
        return None
    return None if is_trivial(match[1], text) else match[1]


def is_trivial(name: str, text: str) -> bool:
    """A constructor, a destructor, an accessor, or a body of one line that says it all."""
    if re.search(r"\{.*\}\s*$", text):
        return True
    return (
        name[0].isupper() or name.endswith("_") or f"~{name}" in text or re.search(r"\(\)\s*const\b", text) is not None
    )


def undocumented(file: Path) -> list[str]:
    problems = []
    lines = file.read_text().splitlines()
    documented = False  # a comment was seen since the last blank line
    depth_of_private: int | None = None
    depth = 0
    detail_depth: int | None = None
    body_depth: int | None = None
    class_stack: list[int] = []
    for number, raw in enumerate(lines, 1):
        line = raw.split("//")[0].rstrip() if not raw.strip().startswith("//") else ""
        text = line.strip()
        indent_ok = body_depth is None
        if not raw.strip():
            documented = False
        if raw.strip().startswith("//") or "//" in raw:
            documented = True
        if re.match(r"^namespace\s+(?:\w+::)*(detail|internal)?\s*\{", text) and (
            "detail" in text or "internal" in text
        ):
            detail_depth = depth
        if text in {"private:", "protected:"}:
            depth_of_private = depth
        elif text == "public:":
            depth_of_private = None
            documented = False
        visible = depth_of_private is None and detail_depth is None and indent_ok
        if visible and text and not documented:
            name = declared_name(statement(lines, number - 1))
            if name is not None:
                problems.append(f"{file.relative_to(ROOT)}:{number}: '{name}' has no comment")
        opened, closed = line.count("{"), line.count("}")
        if opened > closed and TYPE.match(text):
            class_stack.append(depth)
        elif opened > closed and body_depth is None and not SCOPE.match(text):
            body_depth = depth
        depth += opened - closed
        if body_depth is not None and depth <= body_depth:
            body_depth = None
        if detail_depth is not None and depth <= detail_depth:
            detail_depth = None
        while class_stack and depth <= class_stack[-1]:
            class_stack.pop()
            # A struct inside a private section ends without ending the section.
            if depth_of_private is not None and depth < depth_of_private:
                depth_of_private = None
    return problems


def main() -> int:
    headers = sorted([*(ROOT / "src").rglob("*.h"), *(ROOT / "include").rglob("*.h")])
    problems = [problem for header in headers for problem in undocumented(header)]
    for problem in problems:
        print(problem)
    print(f"documented declarations: {len(headers)} headers, {len(problems)} without a comment")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
