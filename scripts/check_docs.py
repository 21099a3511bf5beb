#!/usr/bin/env python3
"""Fails where a public declaration of a header has no comment: types and free or public member functions.

A declaration counts as documented when a comment stands right above it, at its end, or above the group of
declarations (no blank line between) that it belongs to. Operators, constructors, destructors, overrides and
accessors (const, without parameters: the name is the contract) say nothing new.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPE = re.compile(r"^(?:template\s*<.*>\s*)?(?:enum class|struct|class)\s+(?:\[\[\w+\]\]\s*)?(\w+)(?!.*;\s*$)")
FUNCTION = re.compile(r"^(?!return|using|friend|static_assert|typedef|throw|else|if|for|while|case|public|private|protected)"
                      r"(?:\[\[\w+\]\]\s*)?[\w:<>,&*\s~\[\]]+?[&*\s](\w+)\(")


def is_trivial(name: str, text: str) -> bool:
    """A constructor, a destructor or an accessor."""
    return name[0].isupper() or f"~{name}" in text or re.search(r"\(\)\s*const\b", text) is not None


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
        if re.match(r"^namespace\s+(?:\w+::)*(detail|internal)?\s*\{", text) and ("detail" in text or "internal" in text):
            detail_depth = depth
        if text in {"private:", "protected:"}:
            depth_of_private = depth
        elif text == "public:":
            depth_of_private = None
            documented = False
        visible = depth_of_private is None and detail_depth is None and indent_ok
        found = None
        if visible and text:
            if match := TYPE.match(text):
                found = match[1]
            elif (match := FUNCTION.match(text)) and "operator" not in text and "override" not in text \
                    and "= delete" not in text and "= default" not in text and not is_trivial(match[1], text):
                found = match[1]
            if found and not documented:
                problems.append(f"{file.relative_to(ROOT)}:{number}: '{found}' has no comment")
        opened, closed = line.count("{"), line.count("}")
        if opened > closed and visible and found and not TYPE.match(text):
            body_depth = depth
        elif opened > closed and TYPE.match(text):
            class_stack.append(depth)
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
