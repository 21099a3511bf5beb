#!/usr/bin/env python3
"""Fails where a file under src/ includes a layer that its CMakeLists.txt does not name."""

import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"
# From the lowest rank to the highest (docs: ARCHITECTURE.md). Layers of one rank never use each other.
RANKS = [
    {"base"},
    {"telemetry", "tensor"},
    {"device"},
    {"ops"},
    {"backends", "formats", "text"},
    {"models"},
    {"engine"},
    {"store", "supervisor"},
    {"plugins", "cloud", "monitor"},
    {"marketplace"},
    {"server"},
    {"app"},
]
RANK_OF = {layer: rank for rank, layers in enumerate(RANKS) for layer in layers}
# Public and test-only headers stand outside the layers.
NEVER = {"engine": {"backends"}, "models": {"backends"}}


def layer_of(file: Path) -> str:
    return file.relative_to(SRC).parts[0]


def declared_uses() -> dict[str, set[str]]:
    uses: dict[str, set[str]] = {layer: {layer} for layer in RANK_OF}
    for cmake in SRC.rglob("CMakeLists.txt"):
        for call in re.finditer(r"layer\((\w+)([^)]*)\)", cmake.read_text()):
            named = re.search(r"USES\s+([\w\s]+?)(?:\bLIBS\b|\bTEST_LIBS\b|\bTEST_LABEL\b|$)", call[2])
            uses.setdefault(layer_of(cmake), set()).update(named[1].split() if named else [])
    return uses


def main() -> int:
    uses = declared_uses()
    problems = []
    for layer, named in uses.items():
        for used in named - {layer}:
            if RANK_OF.get(used, 99) >= RANK_OF.get(layer, -1):
                problems.append(f"src/{layer}/CMakeLists.txt: {layer} may not use {used}: not of a lower rank")
        problems += [f"src/{layer}: must never use {used}" for used in NEVER.get(layer, set()) & named]
    for file in sorted(SRC.rglob("*")):
        if file.suffix not in {".h", ".cc", ".cu", ".cuh"}:
            continue
        layer = layer_of(file)
        is_test = file.stem.endswith("_test")
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for included in re.findall(r'#include "([a-z_]+)/', line):
                if included in uses and included not in uses[layer]:
                    # A test may use a lower layer's fake or a test helper that its layer does not link.
                    if (
                        is_test
                        and RANK_OF.get(included, 99) < RANK_OF[layer]
                        and included not in NEVER.get(layer, set())
                    ):
                        continue
                    problems.append(f"{file.relative_to(SRC.parent)}:{number}: {layer} may not include {included}")
    for problem in problems:
        print(problem)
    print(f"layers: {len(uses)} layers, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
