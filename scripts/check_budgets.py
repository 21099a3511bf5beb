#!/usr/bin/env python3
"""Reports the size budgets of the sources, and fails where one is broken (CONTRIBUTING.md says why they exist)."""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES = 600
KERNEL_FILE_LINES = 800
FUNCTION_LINES_P90 = 30
FUNCTION_LINES_MAX = 80
KERNEL_FUNCTION_LINES_MAX = 120
DUPLICATION_PERCENT = 3.0
TEST_RATIO = 0.5
MACROS = {"TRY", "TRY_STATUS", "CHECK"}


def tracked(*patterns: str) -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name and (ROOT / name).exists()]


def is_test(file: Path) -> bool:
    relative = file.relative_to(ROOT)
    return relative.parts[0] == "tests" or "_test." in file.name or ".test." in file.name


def is_kernel(file: Path) -> bool:
    return "kernels" in file.parts or "isa" in file.parts


def code_lines(file: Path) -> list[str]:
    lines = []
    for line in file.read_text(errors="replace").splitlines():
        text = line.strip()
        if text and not text.startswith(("//", "#include", "*", "/*", "import ", "using ")):
            lines.append(re.sub(r"\s+", " ", text))
    return lines


def function_lengths(files: list[Path]) -> list[tuple[int, str]]:
    """(lines, place) of each function, by Universal Ctags."""
    if shutil.which("ctags") is None:
        sys.exit("budgets: there is no ctags to measure functions with: install universal-ctags, or run 'make lint'")
    listing = subprocess.run(
        ["ctags", "--output-format=json", "--fields=+ne", "--kinds-C++=f", "-L", "-", "-f", "-"],
        input="\n".join(map(str, files)),
        capture_output=True,
        text=True,
        check=False,
    )
    lengths = []
    for row in listing.stdout.splitlines():
        tag = json.loads(row)
        if "end" in tag:
            place = f"{Path(tag['path']).relative_to(ROOT)}:{tag['line']} {tag['name']}"
            lengths.append((tag["end"] - tag["line"] + 1, place))
    return lengths


def duplication_percent(files: list[Path]) -> float:
    """Share of code lines that stand in a block of eight lines which occurs elsewhere too."""
    texts = {file: code_lines(file) for file in files}
    blocks = Counter(tuple(lines[i : i + 8]) for lines in texts.values() for i in range(len(lines) - 7))
    duplicated = total = 0
    for lines in texts.values():
        marked: set[int] = set()
        for i in range(len(lines) - 7):
            if blocks[tuple(lines[i : i + 8])] > 1:
                marked.update(range(i, i + 8))
        duplicated += len(marked)
        total += len(lines)
    return 100.0 * duplicated / max(1, total)


def main() -> int:
    files = tracked("src/*.cc", "src/*.h", "src/*.cu", "src/*.cuh", "include/*.h")
    web = tracked("web/src/*.ts", "web/src/*.tsx")
    problems = []

    for file in files + web:
        lines = len(file.read_text(errors="replace").splitlines())
        if lines > (KERNEL_FILE_LINES if is_kernel(file) else FILE_LINES):
            problems.append(f"{file.relative_to(ROOT)}: {lines} lines")
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            macro = re.match(r"\s*#\s*define\s+(\w+)\(", line)
            if macro and macro[1] not in MACROS and not macro[1].startswith("LLAMAGPU_"):
                problems.append(f"{file.relative_to(ROOT)}:{number}: function-like macro {macro[1]}")
            if re.match(r"\s*#\s*if", line) and not is_kernel(file) and file.suffix != ".tsx":
                problems.append(f"{file.relative_to(ROOT)}:{number}: #if outside an ISA or platform folder")
            if re.search(r"\bco_(await|yield|return)\b", line) and not line.strip().startswith("//"):
                problems.append(f"{file.relative_to(ROOT)}:{number}: a coroutine, which g++ 12 miscompiles")

    sources = [file for file in files if not is_test(file)]
    lengths = sorted(function_lengths(sources))
    p90 = lengths[int(len(lengths) * 0.9)][0] if lengths else 0
    if p90 > FUNCTION_LINES_P90:
        problems.append(f"functions: p90 is {p90} lines, the budget is {FUNCTION_LINES_P90}")
    for length, place in lengths:
        limit = KERNEL_FUNCTION_LINES_MAX if is_kernel(Path(place.split(":")[0])) else FUNCTION_LINES_MAX
        if length > limit:
            problems.append(f"{place}: {length} lines, at most {limit}")

    duplicated = duplication_percent(sources)
    if duplicated > DUPLICATION_PERCENT:
        problems.append(f"duplicated 8-line blocks: {duplicated:.1f} % of lines, the budget is {DUPLICATION_PERCENT} %")

    def count(paths: list[Path]) -> int:
        return sum(len(file.read_text(errors="replace").splitlines()) for file in paths)

    tests = [
        f
        for f in tracked(
            "src/*_test.cc", "tests/*.cc", "tests/*.h", "tests/*.py", "tests/*.mjs", "web/*.test.ts", "web/*.test.tsx"
        )
        if is_test(f)
    ]
    source_lines, test_lines = count(sources + [f for f in web if not is_test(f)]), count(tests)
    ratio = test_lines / max(1, source_lines)
    if ratio < TEST_RATIO:
        problems.append(f"test lines per source line: {ratio:.2f}, the budget is {TEST_RATIO}")

    for problem in problems:
        print(problem)
    print(
        f"budgets: {len(sources)} files, {source_lines} source lines, {test_lines} test lines ({ratio:.2f}), "
        f"functions p90 {p90} lines of {len(lengths)}, duplicated {duplicated:.1f} %, {len(problems)} problems"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
