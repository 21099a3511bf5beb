"""api/metrics.yaml -> telemetry/metrics.gen.h"""

from pathlib import Path
from typing import Any

import yaml
from output import cpp_string, pascal_case, write_if_changed

HEADER = """// Generated from api/metrics.yaml.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace llama_gpu::telemetry {

%(enums)s

// A label of a metric; of more values than `max_values`, the later ones become "other".
struct LabelInfo {
  std::string_view name;
  int max_values;
};

// A metric as api/metrics.yaml declares it.
struct MetricInfo {
  std::string_view name;  // with its prefix
  std::string_view help;
  std::span<const LabelInfo> labels;
  std::span<const double> buckets;  // of a histogram: upper bounds
};

namespace detail {
%(parts)s
}  // namespace detail

%(tables)s

}  // namespace llama_gpu::telemetry
"""

KINDS = ("counter", "gauge", "histogram")


def check(metric: dict[str, Any], buckets: dict[str, list[float]]) -> None:
    name, kind = metric["name"], metric["kind"]
    problems = {
        "its kind is unknown": kind not in KINDS,
        "a counter ends in _total, nothing else does": (kind == "counter") != name.endswith("_total"),
        "a histogram names its buckets": (kind == "histogram") != (metric.get("buckets") in buckets),
        "help is one line": "\n" in metric["help"] or not metric["help"],
    }
    for problem, is_there in problems.items():
        if is_there:
            raise SystemExit(f"api/metrics.yaml: {name}: {problem}")


def enum(kind: str, metrics: list[dict[str, Any]]) -> str:
    values = "\n".join(f"  k{pascal_case(m['name'])}," for m in metrics)
    return f"enum class {kind.capitalize()} : uint8_t {{\n{values}\n}};"


def parts(metric: dict[str, Any]) -> str:
    labels = metric.get("labels", {})
    rows = ", ".join(f"{{{cpp_string(name)}, {count}}}" for name, count in labels.items())
    return (
        f"inline constexpr std::array<LabelInfo, {len(labels)}> k{pascal_case(metric['name'])}Labels = {{{{{rows}}}}};"
    )


def table(kind: str, metrics: list[dict[str, Any]]) -> str:
    rows = "\n".join(
        f"    {{{cpp_string('llamagpu_' + m['name'])}, {cpp_string(m['help'])}, "
        f"detail::k{pascal_case(m['name'])}Labels, "
        + (f"detail::k{pascal_case(m['buckets'])}Buckets" if kind == "histogram" else "{}")
        + "},"
        for m in metrics
    )
    return (
        f"// In the order of {kind.capitalize()}.\n"
        f"inline constexpr std::array<MetricInfo, {len(metrics)}> k{kind.capitalize()}s = {{{{\n{rows}\n}}}};"
    )


def generate(api: Path, out: Path) -> None:
    source = yaml.safe_load((api / "metrics.yaml").read_text())
    metrics, buckets = source["metrics"], source["buckets"]
    for metric in metrics:
        check(metric, buckets)
    by_kind = {kind: [m for m in metrics if m["kind"] == kind] for kind in KINDS}
    bucket_arrays = [
        f"inline constexpr std::array k{pascal_case(name)}Buckets = "
        f"{{{', '.join(repr(float(bound)) for bound in bounds)}}};"
        for name, bounds in buckets.items()
    ]
    write_if_changed(
        out / "telemetry" / "metrics.gen.h",
        HEADER
        % {
            "enums": "\n\n".join(enum(kind, group) for kind, group in by_kind.items()),
            "parts": "\n".join(bucket_arrays + [parts(metric) for metric in metrics]),
            "tables": "\n\n".join(table(kind, group) for kind, group in by_kind.items()),
        },
    )
