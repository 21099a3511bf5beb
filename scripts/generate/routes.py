"""api/openapi.yaml -> server/routes.gen.h, server/request_fields.gen.h, server/openapi_json.gen.h"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import limits
import yaml
from output import cpp_string, write_if_changed

ACCESS = ("public", "user", "admin")
LITERAL_BYTES = 8000  # of one string literal; compilers promise 65,536

ROUTES = """// Generated from api/openapi.yaml.
#pragma once

#include <array>

#include "server/route.h"

namespace llama_gpu::server {
namespace handlers {

%(declarations)s

}  // namespace handlers

// Every route under /v1, /admin, and the rest of the API: there is no other.
inline constexpr std::array<Route, %(count)d> kRoutes = {{
%(rows)s
}};

}  // namespace llama_gpu::server
"""

FIELDS = """// Generated from api/openapi.yaml and api/limits.yaml.
#pragma once

#include <array>
#include <limits>

#include "server/parse_fields.h"

namespace llama_gpu::server {

%(tables)s

}  // namespace llama_gpu::server
"""

DOCUMENT = """// Generated from api/openapi.yaml.
#pragma once

#include <array>
#include <string_view>

namespace llama_gpu::server {

// The document served at /openapi.json, in parts to be joined.
inline constexpr std::array<std::string_view, %(count)d> kOpenapiJson = {{
%(parts)s
}};

}  // namespace llama_gpu::server
"""


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, METHOD, operation) of each."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def resolve(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What a {$ref: ...} stands for, or the node itself."""
    if "$ref" not in node:
        return node
    found: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def with_ranges(node: Any, ranges: dict[str, limits.Limit]) -> Any:
    """The document with each x-limit followed by its minimum and maximum."""
    if isinstance(node, list):
        return [with_ranges(item, ranges) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: with_ranges(value, ranges) for key, value in node.items()}
    if "x-limit" in node:
        out["minimum"], out["maximum"] = ranges[node["x-limit"]]["min"], ranges[node["x-limit"]]["max"]
    return out


def route_row(path: str, method: str, operation: dict[str, Any]) -> str:
    if path.count("{") > 1 or ("{" in path and "/{id}" not in path):
        raise SystemExit(f"api/openapi.yaml: {path} has another parameter than one {{id}}")
    if operation["x-access"] not in ACCESS:
        raise SystemExit(f"api/openapi.yaml: x-access of {operation['operationId']}")
    body = operation.get("x-max-body", 0)
    max_body = "kMaxBodyFromSetting" if body == "setting" else str(int(body))
    access = f"Access::k{operation['x-access'].capitalize()}"
    return (
        f"    Route{{Method::k{method.capitalize()}, {cpp_string(path)}, {access}, "
        f"{cpp_string(operation['operationId'])}, handlers::{operation['x-handler']}, {max_body}, "
        f"{operation.get('x-timeout-ms', 0)}}},"
    )


def field_row(name: str, schema: dict[str, Any], required: bool, ranges: dict[str, limits.Limit]) -> str:
    """One FieldSpec: what the validator checks before hand-written code looks."""
    if schema.get("x-parsed"):
        kind = "kParsed"
    else:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        kind = "k" + next(t for t in types if t != "null").capitalize()
    integer = number = "{}"
    if limit := schema.get("x-limit"):
        target = ranges[limit]
        if target["type"] != kind.removeprefix("k").lower():
            raise SystemExit(f"api/openapi.yaml: {name} is {kind}, its limit {limit} is not")
        if target["type"] == "integer":
            integer = limits.cpp_range(target)
        else:
            number = limits.cpp_range(target)
    elif kind in {"kInteger", "kNumber"}:
        raise SystemExit(f"api/openapi.yaml: {name} is a number without x-limit")
    is_required = "true" if required else "false"
    return f"    FieldSpec{{{cpp_string(name)}, FieldKind::{kind}, {is_required}, {integer}, {number}}},"


def field_table(document: dict[str, Any], operation: dict[str, Any], ranges: dict[str, limits.Limit]) -> str:
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    schema = resolve(document, body)
    required = schema.get("required", [])
    rows = [field_row(name, field, name in required, ranges) for name, field in schema["properties"].items()]
    name = operation["operationId"][0].upper() + operation["operationId"][1:]
    table = "\n".join(rows)
    return (
        f"// Top-level fields of {operation['operationId']}.\n"
        f"inline constexpr std::array<FieldSpec, {len(rows)}> k{name}Fields = {{{{\n{table}\n}}}};"
    )


def generate(api: Path, out: Path) -> None:
    document = yaml.safe_load((api / "openapi.yaml").read_text())
    ranges = limits.read(api)
    found = list(operations(document))

    handlers = dict.fromkeys(operation["x-handler"] for _, _, operation in found)
    declarations = "\n".join(f"void {name}(const Exchange& exchange);" for name in handlers)
    rows = "\n".join(route_row(*row) for row in found)
    write_if_changed(
        out / "server" / "routes.gen.h", ROUTES % {"declarations": declarations, "rows": rows, "count": len(found)}
    )

    tables = "\n\n".join(field_table(document, op, ranges) for _, _, op in found if "requestBody" in op)
    write_if_changed(out / "server" / "request_fields.gen.h", FIELDS % {"tables": tables})

    text = json.dumps(with_ranges(document, ranges), separators=(",", ":"), ensure_ascii=True)
    pieces = [text[i : i + LITERAL_BYTES] for i in range(0, len(text), LITERAL_BYTES)]
    parts = "\n".join(f"    {cpp_string(piece)}," for piece in pieces)
    write_if_changed(out / "server" / "openapi_json.gen.h", DOCUMENT % {"parts": parts, "count": len(pieces)})
