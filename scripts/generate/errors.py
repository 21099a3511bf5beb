"""api/errors.yaml -> base/error_codes.gen.h"""

from pathlib import Path

import yaml
from output import cpp_string, pascal_case, write_if_changed

HEADER = """// Generated from api/errors.yaml.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace llama_gpu {

// What kind of failure an Error is. Order and values mean nothing; names are stable.
enum class ErrorCode : uint8_t {
%(enum)s
};

// What a code means outside the program.
struct ErrorCodeInfo {
  ErrorCode code;
  std::string_view name;         // the stable code that clients see
  int http_status;
  std::string_view openai_type;
  int exit_code;
  bool retry_later;              // answers carry Retry-After
  std::string_view summary;
};

inline constexpr std::array<ErrorCodeInfo, %(count)d> kErrorCodes = {{
%(rows)s
}};

constexpr const ErrorCodeInfo& error_code_info(ErrorCode code) {
  return kErrorCodes[static_cast<size_t>(code)];
}

}  // namespace llama_gpu
"""


def generate(api: Path, out: Path) -> None:
    errors = yaml.safe_load((api / "errors.yaml").read_text())["errors"]
    names = [error["name"] for error in errors]
    if len(set(names)) != len(names):
        raise SystemExit("api/errors.yaml: a name stands twice")
    enum = "\n".join(f"  k{pascal_case(name)}," for name in names)
    rows = "\n".join(
        f"    {{ErrorCode::k{pascal_case(e['name'])}, {cpp_string(e['name'])}, {e['status']}, "
        f"{cpp_string(e['type'])}, {e['exit']}, {'true' if e['retry'] == 'later' else 'false'}, "
        f"{cpp_string(e['summary'])}}},"
        for e in errors
    )
    write_if_changed(
        out / "base" / "error_codes.gen.h",
        HEADER % {"enum": enum, "rows": rows, "count": len(errors)},
    )
