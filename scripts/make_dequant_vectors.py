#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/dequant: random blocks and the values that PyPI gguf's own dequantiser gives them.

Needs numpy and gguf 0.19; run by hand, the vectors are committed. For each type, TYPE.blocks.bin holds the
blocks as in a file and TYPE.values.bin the float32 values. q4_k_scales.bin holds rows of 12 packed bytes, the 8
scales and the 8 minima that they mean.
"""

from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import Q4_K, dequantize

Bytes: TypeAlias = npt.NDArray[np.uint8]

# Halves at the edges: zeros, denormals, the smallest normal, one, the largest, infinity.
EDGES = np.array(
    [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x8400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00],
    dtype=np.uint16,
)
# Type -> number of blocks, byte offsets of its half scales.
BLOCKS: dict[str, tuple[int, tuple[int, ...]]] = {
    "Q4_0": (64, (0,)),
    "Q4_1": (64, (0, 2)),
    "Q8_0": (64, (0,)),
    "Q4_K": (24, (0, 2)),
    "Q6_K": (24, (208,)),
}


def random_blocks(rng: np.random.Generator, name: str) -> Bytes:
    """Blocks with every bit random, their scales random finite halves, the first ones the edges."""
    count, scale_offsets = BLOCKS[name]
    size = GGML_QUANT_SIZES[GGMLQuantizationType[name]][1]
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for offset in scale_offsets:
        scales = rng.integers(0, 0x7C00, count, dtype=np.uint16) | (rng.integers(0, 2, count, dtype=np.uint16) << 15)
        scales[: len(EDGES)] = rng.permutation(EDGES)
        blocks[:, offset : offset + 2] = scales.astype("<u2").view(np.uint8).reshape(count, 2)
    return blocks


def random_numbers(rng: np.random.Generator, name: str) -> Bytes:
    """Plain numbers: finite bit patterns and the edges of the type."""
    if name == "F32":
        bits = rng.integers(0, 0x7F800000, 1024, dtype=np.uint32) | (rng.integers(0, 2, 1024, dtype=np.uint32) << 31)
        bits[:4] = [0, 0x80000000, 1, 0x7F7FFFFF]
        return bits.view(np.uint8).reshape(1, -1)
    infinity = 0x7C00 if name == "F16" else 0x7F80
    half = rng.integers(0, infinity + 1, 2048, dtype=np.uint16) | (rng.integers(0, 2, 2048, dtype=np.uint16) << 15)
    half[:6] = [0, 0x8000, 1, 0x8001, infinity, infinity - 1]
    return half.view(np.uint8).reshape(1, -1)


def packed_scales(rng: np.random.Generator) -> Bytes:
    """Rows that show every 6-bit value in every place of Q4_K's packed scales."""
    value = (np.arange(64)[:, None] + 9 * np.arange(16)[None, :]) % 64
    sc, mn = value[:, :8], value[:, 8:]
    low = sc[:, :4] | ((sc[:, 4:] >> 4) << 6)
    mid = mn[:, :4] | ((mn[:, 4:] >> 4) << 6)
    high = (sc[:, 4:] & 15) | ((mn[:, 4:] & 15) << 4)
    every = np.concatenate([low, mid, high], axis=1).astype(np.uint8)
    return np.concatenate([every, rng.integers(0, 256, (64, 12), dtype=np.uint8)])


def main() -> None:
    out = Path(__file__).resolve().parent.parent / "tests" / "golden" / "dequant"
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20)
    for name in ("F32", "F16", "BF16", *BLOCKS):
        blocks = random_blocks(rng, name) if name in BLOCKS else random_numbers(rng, name)
        with np.errstate(all="ignore"):  # infinite scales are part of the vectors
            values = dequantize(blocks, GGMLQuantizationType[name])
        (out / f"{name.lower()}.blocks.bin").write_bytes(blocks.tobytes())
        (out / f"{name.lower()}.values.bin").write_bytes(values.astype("<f4").tobytes())
    packed = packed_scales(rng)
    scales, minima = Q4_K.get_scale_min(packed)
    (out / "q4_k_scales.bin").write_bytes(np.concatenate([packed, scales, minima], axis=1).tobytes())


if __name__ == "__main__":
    main()
