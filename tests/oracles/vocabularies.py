# SPDX-License-Identifier: Apache-2.0
"""Vocabularies of real models as PyPI's tokenizers and as GGUF files, and random texts to compare the two on."""

import json
import random
import struct
from pathlib import Path
from typing import Any, BinaryIO

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

Metadata = dict[str, Any]

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6

# Characters of these blocks are drawn equally often, ASCII more often.
BLOCKS = [(0x20, 0x7E)] * 6 + [
    (0x00, 0x1F), (0x09, 0x0D), (0x7F, 0xA0), (0xA0, 0xFF), (0x100, 0x24F), (0x250, 0x36F), (0x300, 0x36F),
    (0x370, 0x3FF), (0x400, 0x52F), (0x530, 0x5FF), (0x600, 0x6FF), (0x660, 0x669), (0x900, 0xDFF), (0xE00, 0xFFF),
    (0x1000, 0x18AF), (0x180B, 0x180F), (0x1C80, 0x1CFF), (0x1E00, 0x1FFF), (0x2000, 0x200F), (0x2010, 0x206F),
    (0x2070, 0x209F), (0x20A0, 0x214F), (0x2150, 0x218F), (0x2190, 0x23FF), (0x2460, 0x24FF), (0x2500, 0x2BFF),
    (0x2C00, 0x2FFF), (0x3000, 0x30FF), (0x3100, 0x33FF), (0x3400, 0x9FFF), (0xA000, 0xABFF), (0xAC00, 0xD7A3),
    (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFEFF), (0xFF00, 0xFFFF), (0x10000, 0x10FFF),
    (0x11000, 0x12FFF), (0x13000, 0x14FFF), (0x16000, 0x1BFFF), (0x1C000, 0x1DFFF), (0x1D400, 0x1D7FF),
    (0x1E000, 0x1EFFF), (0x1F000, 0x1FAFF), (0x20000, 0x323FF), (0xE0000, 0xE01FF), (0xF0000, 0x10FFFF),
]  # fmt: skip
# What pre-tokenizers treat specially: contractions, white space, numbers, marks, beginnings of special tokens.
SNIPPETS = [
    "'s", "'S", "'\u017f", "'t", "'re", "'ve", "'VE", "'m", "'ll", "'LL", "'d", "n't", " ", "  ", "   ", "\n", "\r\n",
    "\n\n", "\t", " \n", "\n ", "\r", "\u00a0", "\u3000", "\u0085", "\u2028", "1", "12", "123", "1234", "0.5", "\u00bd",
    "\u00b2", "\u2460", "\u2167", "\u0663", "a", "the", " the", "Hello", " world", "\u00e9", "e\u0301",
    "\U0001f469\u200d\U0001f467", "\u200b", "\ufeff", "\x00", "__", "--", "...", "!!", "<|", "|>", "'", "''",
    "\u2019s", "def f(x):",
]  # fmt: skip


def random_text(rng: random.Random, specials: list[str]) -> str:
    """Up to a dozen parts: snippets, special tokens whole and cut, lower-case letters, a block's characters."""
    parts = []
    for _ in range(rng.randint(1, 12)):
        kind = rng.random()
        if kind < 0.35:
            parts.append(rng.choice(SNIPPETS))
        elif kind < 0.45:
            special = rng.choice(specials)
            parts.append(special if rng.random() < 0.7 else special[: rng.randint(1, len(special))])
        elif kind < 0.55:
            parts.append("".join(rng.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(rng.randint(1, 12))))
        else:
            first, last = rng.choice(BLOCKS)
            parts.append("".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 5))))
    return "".join(parts)


def smollm_tokenizer(metadata: Metadata) -> Tokenizer:
    """SmolLM's tokenizer.json, rebuilt from the vocabulary of a GGUF file."""
    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ", 1)) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in controls(metadata)])
    return tokenizer


def controls(metadata: Metadata) -> list[str]:
    """The texts of the control tokens."""
    kinds = metadata["tokenizer.ggml.token_type"]
    return [text for text, kind in zip(metadata["tokenizer.ggml.tokens"], kinds, strict=True) if kind == CONTROL]


def metadata_of_tokenizer_json(path: Path, pre: str) -> Metadata:
    """What a GGUF file says of the tokenizer in a tokenizer.json; `pre` is empty for SentencePiece."""
    source = json.loads(path.read_text(encoding="utf-8"))
    vocabulary: dict[str, int] = dict(source["model"]["vocab"])
    vocabulary.update({token["content"]: token["id"] for token in source["added_tokens"]})
    tokens = sorted(vocabulary, key=lambda text: vocabulary[text])
    assert [vocabulary[text] for text in tokens] == list(range(len(tokens)))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in source["model"]["merges"]]
    kinds = [NORMAL] * len(tokens)
    for token in source["added_tokens"]:
        kinds[token["id"]] = CONTROL if token["special"] else USER_DEFINED
    metadata: Metadata = {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": kinds}
    if pre:
        return metadata | {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": pre,
            "tokenizer.ggml.merges": merges,
        }
    # The file has merges where SentencePiece has scores: the order in which tokens are first made gives them.
    order: dict[str, int] = {}
    for merge in merges:
        order.setdefault(merge.replace(" ", ""), len(order))
    for i, text in enumerate(tokens):
        if len(text) == 6 and text.startswith("<0x"):
            kinds[i] = BYTE
    kinds[vocabulary["<unk>"]] = UNKNOWN
    return metadata | {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.scores": [-float(order.get(text, len(order))) for text in tokens],
        "tokenizer.ggml.unknown_token_id": vocabulary["<unk>"],
        "tokenizer.ggml.bos_token_id": vocabulary["<s>"],
        "tokenizer.ggml.eos_token_id": vocabulary["</s>"],
    }


def write_gguf(path: Path, metadata: Metadata) -> None:
    """A GGUF file without tensors; strings, unsigned integers, and arrays of strings, integers or floats."""

    def text(value: str) -> bytes:
        encoded = value.encode()
        return struct.pack("<Q", len(encoded)) + encoded

    def value_of(value: Any) -> bytes:
        if isinstance(value, str):
            return struct.pack("<I", 8) + text(value)
        if isinstance(value, int):
            return struct.pack("<II", 4, value)
        if isinstance(value[0], str):
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
        number, code = ("f", 6) if isinstance(value[0], float) else ("i", 5)
        return struct.pack(f"<IIQ{len(value)}{number}", 9, code, len(value), *value)

    entries = {"general.architecture": "llama"} | metadata
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)))
        for key, value in entries.items():
            file.write(text(key) + value_of(value))


def read_gguf(path: Path) -> Metadata:
    """The metadata of a GGUF file."""
    scalars = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

    def unpack(file: BinaryIO, form: str) -> Any:
        return struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))[0]

    def value_of(file: BinaryIO, kind: int) -> Any:
        if kind == 8:
            return file.read(unpack(file, "Q")).decode()
        if kind == 9:
            element, count = unpack(file, "I"), unpack(file, "Q")
            return [value_of(file, element) for _ in range(count)]
        return unpack(file, scalars[kind])

    with path.open("rb") as file:
        assert file.read(8) == b"GGUF" + struct.pack("<I", 3), "not GGUF version 3"
        file.read(8)
        count = unpack(file, "Q")
        return {value_of(file, 8): value_of(file, unpack(file, "I")) for _ in range(count)}
