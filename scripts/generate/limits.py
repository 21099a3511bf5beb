"""api/limits.yaml -> base/limits.gen.h"""

from pathlib import Path
from typing import TypedDict

import yaml
from output import pascal_case, write_if_changed

HEADER = """// Generated from api/limits.yaml.
#pragma once

#include <cstdint>
#include <limits>

namespace llama_gpu {

// An inclusive range of whole numbers.
struct IntegerRange {
  int64_t min;
  int64_t max;
  constexpr bool holds(int64_t value) const { return value >= min && value <= max; }
};

// An inclusive range of numbers.
struct NumberRange {
  double min;
  double max;
  constexpr bool holds(double value) const { return value >= min && value <= max; }
};

namespace limits {

%(ranges)s

}  // namespace limits
}  // namespace llama_gpu
"""


class Limit(TypedDict):
    name: str
    type: str
    min: float
    max: float
    summary: str


def read(api: Path) -> dict[str, Limit]:
    """The ranges by name."""
    rows: list[Limit] = yaml.safe_load((api / "limits.yaml").read_text())["limits"]
    ranges = {row["name"]: row for row in rows}
    if len(ranges) != len(rows):
        raise SystemExit("api/limits.yaml: a name stands twice")
    for row in rows:
        if row["type"] not in {"integer", "number"} or row["min"] > row["max"]:
            raise SystemExit(f"api/limits.yaml: {row['name']} is not a range of integer or number")
    return ranges


def cpp_integer(value: float) -> str:
    return "std::numeric_limits<int64_t>::min()" if value == -(2**63) else f"{int(value)}"


def cpp_range(row: Limit) -> str:
    """The initializer of a range: {min, max}"""
    if row["type"] == "integer":
        return f"{{{cpp_integer(row['min'])}, {cpp_integer(row['max'])}}}"
    return f"{{{float(row['min'])!r}, {float(row['max'])!r}}}"


def generate(api: Path, out: Path) -> None:
    lines = []
    for row in read(api).values():
        kind = "IntegerRange" if row["type"] == "integer" else "NumberRange"
        lines.append(f"// {row['summary']}")
        lines.append(f"inline constexpr {kind} k{pascal_case(row['name'])}{cpp_range(row)};")
    write_if_changed(out / "base" / "limits.gen.h", HEADER % {"ranges": "\n".join(lines)})
