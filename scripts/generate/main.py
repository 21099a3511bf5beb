#!/usr/bin/env python3
"""Writes the C++ that is made from api/*.yaml: main.py --api DIR --out DIR."""

import argparse
from pathlib import Path

import errors
import limits
import metrics
import routes
import settings

GENERATORS = (errors.generate, limits.generate, metrics.generate, routes.generate, settings.generate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for generate in GENERATORS:
        generate(args.api, args.out)


if __name__ == "__main__":
    main()
