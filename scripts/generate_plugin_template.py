#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the template of `llama-gpu plugin new` into the program: generate_plugin_template.py SDK_DIR OUT_FILE

SDK_DIR/template holds the files of a new plugin, SDK_DIR/llama_gpu_plugin the module that it gets a copy of.
"""

import sys
from pathlib import Path

LITERAL_BYTES = 8000  # of one string literal; compilers promise 65,536

SOURCE = """// Made from sdk/python by scripts/generate_plugin_template.py.
#include <array>

#include "app/plugin_scaffold.h"

namespace llama_gpu::app {

std::span<const TemplateFile> python_plugin_template() {
  static constexpr std::array<TemplateFile, %(count)d> kFiles = {{
%(rows)s
  }};
  return kFiles;
}

}  // namespace llama_gpu::app
"""


def cpp_string(text: str) -> str:
    """A C++ expression for `text`: literals one after the other."""
    pieces = [text[i : i + LITERAL_BYTES] for i in range(0, len(text), LITERAL_BYTES)] or [""]
    return "\n          ".join(
        '"'
        + piece.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("?", "\\?")
        + '"'
        for piece in pieces
    )


def files_below(folder: Path) -> list[tuple[str, str]]:
    """(path, text) of each file, by path."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return [(file.relative_to(folder).as_posix(), file.read_text()) for file in files]


def main() -> None:
    sdk, out = Path(sys.argv[1]), Path(sys.argv[2])
    found = files_below(sdk / "template")
    found += [(f"llama_gpu_plugin/{path}", text) for path, text in files_below(sdk / "llama_gpu_plugin")]
    if len(found) < 2:
        sys.exit(f"{sdk} holds no template")
    rows = "\n".join(f"      TemplateFile{{{cpp_string(path)}, {cpp_string(text)}}}," for path, text in found)
    source = SOURCE % {"count": len(found), "rows": rows}
    if not out.exists() or out.read_text() != source:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(source)


if __name__ == "__main__":
    main()
