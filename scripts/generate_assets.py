#!/usr/bin/env python3
"""Puts the built dashboard into the program: generate_assets.py WEB_DIR OUT_DIR

Writes OUT_DIR/dashboard_assets.S, which holds the bytes (.incbin), and dashboard_assets.gen.cc, the table of them. A
WEB_DIR without index.html gives an empty table.
"""

import hashlib
import sys
from pathlib import Path

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".png": "image/png",
    ".woff2": "font/woff2",
}

SOURCE = """// Made from build/web by scripts/generate_assets.py.
#include "app/dashboard_assets.h"

#include <array>
#include <string_view>

%(externs)s
namespace llama_gpu::app {

server::Assets dashboard_assets() {
%(body)s
}

}  // namespace llama_gpu::app
"""


def main() -> None:
    web, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    files = sorted(file for file in web.rglob("*") if file.suffix in CONTENT_TYPES)
    if not (web / "index.html").exists():
        files = []

    assembly = ['.section .rodata.dashboard,"a",@progbits']
    externs, rows = [], []
    for index, file in enumerate(files):
        symbol = f"llamagpu_asset_{index}"
        assembly += [
            ".balign 16",
            f".global {symbol}_begin",
            f".global {symbol}_end",
            f"{symbol}_begin:",
            f'.incbin "{file}"',
            f"{symbol}_end:",
        ]
        externs.append(f'extern "C" const char {symbol}_begin[], {symbol}_end[];\n')
        path = "/" + file.relative_to(web).as_posix()
        etag = hashlib.sha256(file.read_bytes()).hexdigest()[:32]
        immutable = "true" if path.startswith("/assets/") else "false"
        rows.append(
            f'      server::Asset{{"{path}", "{CONTENT_TYPES[file.suffix]}", "\\"{etag}\\"",\n'
            f"                    std::string_view({symbol}_begin, {symbol}_end), {immutable}}},"
        )
    assembly.append('.section .note.GNU-stack,"",@progbits')

    table = "\n".join(rows)
    body = (
        f"  static const std::array<server::Asset, {len(rows)}> assets = {{\n{table}\n  }};\n  return assets;"
        if rows
        else "  return {};"
    )
    (out / "dashboard_assets.S").write_text("\n".join(assembly) + "\n")
    (out / "dashboard_assets.gen.cc").write_text(SOURCE % {"externs": "".join(externs), "body": body})


if __name__ == "__main__":
    main()
