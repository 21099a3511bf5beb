#!/usr/bin/env python3
"""Reads llvm-cov's summary and fails where too few lines of src/ ran: check_coverage.py SUMMARY.json"""

import json
import sys
from collections import defaultdict

TOTAL_PERCENT = 90.0
PARSER_PERCENT = 97.0
# Whatever reads bytes from outside.
PARSERS = (
    "/src/formats/",
    "/src/text/",
    "/src/supervisor/frame",
    "/src/supervisor/engine_protocol",
    "/src/plugins/plugin_protocol",
    "/src/server/parse_",
    "/src/server/json",
    "/src/app/model_library.",
    "/src/app/settings",
    "/src/app/sse_reader.",
)
# The program's entry, which only other processes run, and what is there for tests alone.
LEFT_OUT = ("/src/app/main.cc", "_fake.", "_fixture.")


def main() -> int:
    files = json.load(open(sys.argv[1], encoding="utf-8"))["data"][0]["files"]
    folders: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for file in files:
        name, lines = file["filename"], file["summary"]["lines"]
        if "/src/" not in name or any(part in name for part in LEFT_OUT):
            continue
        groups = ["total", "src/" + name.split("/src/")[1].split("/")[0]]
        if any(part in name for part in PARSERS):
            groups.append("parsers")
        for group in groups:
            folders[group][0] += lines["covered"]
            folders[group][1] += lines["count"]
        if "-v" in sys.argv and lines["percent"] < TOTAL_PERCENT:
            print(f"{lines['percent']:6.1f} %  {name.split('/src/')[1]}")
    failed = False
    for group, (covered, count) in sorted(folders.items()):
        percent = 100.0 * covered / max(1, count)
        limit = {"total": TOTAL_PERCENT, "parsers": PARSER_PERCENT}.get(group)
        failed |= limit is not None and percent < limit
        needed = f" (at least {limit:.0f} %)" if limit else ""
        print(f"coverage: {group:<16} {percent:5.1f} % of {count} lines{needed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
