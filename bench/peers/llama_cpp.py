#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures llama.cpp on the work of `llama-gpu bench`: llama_cpp.py LIBRARY_DIR MODEL --prompt N --generate N ...

Prints one JSON object. LIBRARY_DIR holds libllama and its backends, as the npm package @node-llama-cpp/linux-x64
brings them; they are driven through llama.h's functions. Prefill: random prompts, one token sampled from each. Decode:
prompts of one token, N tokens sampled from each. Greedy sampling, which is the least work; f16 KV; flash attention on.
"""

import argparse
import ctypes
import json
import random
import struct
import time
from pathlib import Path

BLOB_BYTES = 512
FLASH_ATTENTION_ON = 1


class Blob(ctypes.Structure):
    """A parameter struct of any version: longer than the real one, passed by value as the last argument."""

    _fields_ = [("bytes", ctypes.c_uint8 * BLOB_BYTES)]


class Batch(ctypes.Structure):
    """llama_batch of llama.h."""

    _fields_ = [
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.POINTER(ctypes.c_float)),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]


def load_library(folder: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(next(folder.glob("libllama.*so*"))), mode=ctypes.RTLD_GLOBAL)
    ggml = ctypes.CDLL(str(next(folder.glob("libggml.*so*"))), mode=ctypes.RTLD_GLOBAL)
    ggml.ggml_backend_load_all_from_path(ctypes.c_char_p(str(folder).encode()))
    silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    library.keep_callback = silent  # type: ignore[attr-defined]
    library.llama_log_set(silent, None)
    pointer = ctypes.c_void_p
    for name, result, arguments in (
        ("llama_model_default_params", Blob, []),
        ("llama_context_default_params", Blob, []),
        ("llama_model_load_from_file", pointer, [ctypes.c_char_p, Blob]),
        ("llama_init_from_model", pointer, [pointer, Blob]),
        ("llama_model_get_vocab", pointer, [pointer]),
        ("llama_vocab_n_tokens", ctypes.c_int32, [pointer]),
        ("llama_batch_init", Batch, [ctypes.c_int32] * 3),
        ("llama_decode", ctypes.c_int32, [pointer, Batch]),
        ("llama_sampler_init_greedy", pointer, []),
        ("llama_sampler_sample", ctypes.c_int32, [pointer, pointer, ctypes.c_int32]),
        ("llama_get_memory", pointer, [pointer]),
        ("llama_memory_clear", None, [pointer, ctypes.c_bool]),
        ("llama_free", None, [pointer]),
        ("llama_model_free", None, [pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def set_u32(blob: Blob, offset: int, value: int) -> None:
    struct.pack_into("<i", blob.bytes, offset, value)


def context_params(library: ctypes.CDLL, args: argparse.Namespace, context: int) -> Blob:
    """Found by their defaults, so that a field added by another version is not taken for one of these."""
    blob: Blob = library.llama_context_default_params()
    words = struct.unpack_from("<40i", bytes(blob.bytes))
    if words[:4] != (512, 2048, 512, 1):
        raise SystemExit("llama_cpp.py: this llama.cpp has another llama_context_params; look at llama.h")
    threads = next(i for i in range(4, 16) if words[i] > 0 and words[i] == words[i + 1])
    flash = next(i for i in range(threads, 20) if words[i : i + 2] == (-1, -1)) + 3
    values = {0: context * args.streams, 1: 2048, 2: 512, 3: args.streams}
    values |= {threads: args.threads, threads + 1: args.threads, flash: FLASH_ATTENTION_ON}
    for index, value in values.items():
        set_u32(blob, 4 * index, value)
    return blob


class Rig:
    """One model in llama.cpp."""

    def __init__(self, library: ctypes.CDLL, args: argparse.Namespace) -> None:
        self.library, self.streams = library, args.streams
        begun = time.perf_counter()
        self.model = library.llama_model_load_from_file(args.model.encode(), library.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"llama_cpp.py: {args.model} cannot be loaded")
        self.vocab_size = library.llama_vocab_n_tokens(library.llama_model_get_vocab(self.model))
        context = max(args.prompt, args.generate) + 16
        self.context = library.llama_init_from_model(self.model, context_params(library, args, context))
        if not self.context:
            raise SystemExit("llama_cpp.py: no context")
        self.batch = library.llama_batch_init(2048, 0, 1)
        self.sampler = library.llama_sampler_init_greedy()
        self.start_seconds = time.perf_counter() - begun

    def close(self) -> None:
        self.library.llama_free(self.context)
        self.library.llama_model_free(self.model)

    def run(self, prompt_tokens: int, generate_tokens: int) -> float:
        """Seconds from random prompts to the last sampled token."""
        self.library.llama_memory_clear(self.library.llama_get_memory(self.context), True)
        prompts = [[random.randrange(self.vocab_size) for _ in range(prompt_tokens)] for _ in range(self.streams)]
        begun = time.perf_counter()
        sampled = self.prefill(prompts)
        for step in range(generate_tokens - 1):
            rows = [(stream, prompt_tokens + step, token, True) for stream, token in enumerate(sampled)]
            self.decode(rows)
            sampled = [self.sample(i) for i in range(self.streams)]
        return time.perf_counter() - begun

    def prefill(self, prompts: list[list[int]]) -> list[int]:
        rows = [
            (stream, i, token, i == len(prompt) - 1)
            for stream, prompt in enumerate(prompts)
            for i, token in enumerate(prompt)
        ]
        sampled = []
        for first in range(0, len(rows), 2048):
            portion = rows[first : first + 2048]
            self.decode(portion)
            sampled += [self.sample(i) for i, row in enumerate(portion) if row[3]]
        return sampled

    def decode(self, rows: list[tuple[int, int, int, bool]]) -> None:
        batch = self.batch
        batch.n_tokens = len(rows)
        for i, (stream, position, token, wants_logits) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.logits[i] = token, position, wants_logits
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, stream
        status = self.library.llama_decode(self.context, batch)
        if status != 0:
            raise SystemExit(f"llama_cpp.py: llama_decode returned {status}")

    def sample(self, row: int) -> int:
        return int(self.library.llama_sampler_sample(self.sampler, self.context, row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library_dir", type=Path)
    parser.add_argument("model")
    for name, default in (("prompt", 512), ("generate", 64), ("streams", 1), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()

    rig = Rig(load_library(args.library_dir), args)
    rig.run(8, 2)  # the first pass touches memory that the others find in place
    prefill = args.prompt * args.streams / rig.run(args.prompt, 1)
    decode = args.generate * args.streams / rig.run(1, args.generate)
    rig.close()
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    figures = {
        "prefill_tokens_per_second": prefill,
        "decode_tokens_per_second": decode,
        "start_seconds": rig.start_seconds,
        "peak_memory_bytes": int(peak.split()[1]) * 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
