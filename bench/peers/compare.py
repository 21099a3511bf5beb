#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares llama-gpu with llama.cpp on the same work: compare.py LLAMA_GPU LIBRARY_DIR MODEL [--pairs N] [--json]

Runs pairs, in turn ours first and theirs first, so that a machine that slows down slows both; a ratio is that of one
pair, and what is told is the median ratio with the least and the greatest. Nothing else should run meanwhile.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

PREFILL, DECODE = "prefill_tokens_per_second", "decode_tokens_per_second"
# What is told of each shape: prompt, generate, streams, all threads or one.
SHAPES = (
    ("prefill 512", PREFILL, {"prompt": 512, "generate": 2, "streams": 1}, False),
    ("prefill 512", PREFILL, {"prompt": 512, "generate": 2, "streams": 1}, True),
    ("decode", DECODE, {"prompt": 2, "generate": 128, "streams": 1}, False),
    ("decode", DECODE, {"prompt": 2, "generate": 128, "streams": 1}, True),
    ("decode, 4 streams", DECODE, {"prompt": 2, "generate": 64, "streams": 4}, True),
    ("decode, 8 streams", DECODE, {"prompt": 2, "generate": 64, "streams": 8}, True),
    ("decode, 16 streams", DECODE, {"prompt": 2, "generate": 64, "streams": 16}, True),
    ("decode, 32 streams", DECODE, {"prompt": 2, "generate": 64, "streams": 32}, True),
)


def run(command: list[str]) -> dict[str, object]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def ours(args: argparse.Namespace, figure: str, flags: list[str]) -> float:
    answer = run([args.llama_gpu, "bench", args.model, "--json", "--repeat", "1", *flags])
    value = answer[figure]
    assert isinstance(value, dict)
    return float(value["median"])


def theirs(args: argparse.Namespace, figure: str, flags: list[str]) -> float:
    script = str(Path(__file__).parent / "llama_cpp.py")
    value = run([sys.executable, script, args.library_dir, args.model, *flags])[figure]
    assert isinstance(value, float)
    return value


def compare(args: argparse.Namespace, figure: str, flags: list[str]) -> dict[str, float]:
    pairs = []
    for pair in range(args.pairs):
        if pair % 2 == 0:
            mine = ours(args, figure, flags)
            peer = theirs(args, figure, flags)
        else:
            peer = theirs(args, figure, flags)
            mine = ours(args, figure, flags)
        pairs.append((mine, peer))
    ratios = [mine / peer for mine, peer in pairs]
    return {
        "ours": statistics.median(mine for mine, _ in pairs),
        "theirs": statistics.median(peer for _, peer in pairs),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("llama_gpu")
    parser.add_argument("library_dir")
    parser.add_argument("model")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    results = []
    if not args.json:
        print("| work | threads | llama-gpu tok/s | llama.cpp tok/s | ratio (least to greatest) |")
        print("| --- | --- | --- | --- | --- |")
    for name, figure, shape, on_all_threads in SHAPES:
        threads = len(os.sched_getaffinity(0)) if on_all_threads else 1
        flags = [f"--{key}={value}" for key, value in {**shape, "threads": threads}.items()]
        result = compare(args, figure, flags)
        results.append({"work": name, "threads": threads, **result})
        if not args.json:
            span = f"{result['ratio']:.2f} ({result['ratio_min']:.2f} to {result['ratio_max']:.2f})"
            print(f"| {name} | {threads} | {result['ours']:.0f} | {result['theirs']:.0f} | {span} |", flush=True)
    if args.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
