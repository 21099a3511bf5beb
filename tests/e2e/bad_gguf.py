#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Model files that must be refused, each with the error it must give. As a script: bad_gguf.py FOLDER writes them.

All are made from one small model that works, by one change each. The names' first letters group them: G1
truncated, G2 other formats and versions, G3 counts, G4 keys and strings, G5 value types, G6 shapes, G7 tensor
types and names, G8 places of tensors, G9 alignment, G10 numbers that are not finite, G11 hyper-parameters, G12
tensors that are missing or do not fit, G13 split models, G14 things that are no file, G15 files of two formats,
T tokenizer data.
"""

import os
import random
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
SCALARS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}
TYPE_F32, TYPE_Q4_0, TYPE_Q5_0, TYPE_Q8_0 = 0, 2, 6, 8
HUGE = 2**64 - 1

DIM, FFN, HEADS, KV_HEADS, VOCAB = 32, 64, 4, 2, 260


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def scalar(kind: int, value: float) -> bytes:
    return struct.pack("<" + SCALARS[kind], value)


def array(kind: int, items: list[bytes], count: int | None = None) -> bytes:
    return struct.pack("<IQ", kind, len(items) if count is None else count) + b"".join(items)


@dataclass(frozen=True)
class Tensor:
    """Its declaration and data; `lengths` has the innermost axis first, as the file does."""

    lengths: tuple[int, ...]
    kind: int
    data: bytes
    name: bytes = b""
    offset: int | None = None  # instead of the place behind the tensor before it


@dataclass(frozen=True)
class Gguf:
    """The parts of a file, which need not fit together."""

    entries: dict[bytes, tuple[int, bytes]]
    tensors: dict[str, Tensor]
    magic: bytes = b"GGUF"
    version: int = 3
    alignment: int = 32
    num_tensors: int | None = None
    num_entries: int | None = None
    extra_entries: tuple[bytes, ...] = field(default_factory=tuple)
    extra_declarations: tuple[bytes, ...] = field(default_factory=tuple)

    def with_entry(self, key: bytes, kind: int, value: bytes) -> "Gguf":
        return replace(self, entries={**self.entries, key: (kind, value)})

    def without_entry(self, key: bytes) -> "Gguf":
        return replace(self, entries={k: v for k, v in self.entries.items() if k != key})

    def with_tensor(self, name: str, tensor: Tensor) -> "Gguf":
        return replace(self, tensors={**self.tensors, name: tensor})

    def without_tensor(self, name: str) -> "Gguf":
        return replace(self, tensors={k: v for k, v in self.tensors.items() if k != name})

    def header(self) -> bytes:
        num_tensors = len(self.tensors) + len(self.extra_declarations)
        num_entries = len(self.entries) + len(self.extra_entries)
        out = self.magic + struct.pack(
            "<IQQ",
            self.version,
            num_tensors if self.num_tensors is None else self.num_tensors,
            num_entries if self.num_entries is None else self.num_entries,
        )
        for key, (kind, value) in self.entries.items():
            out += string(key) + struct.pack("<I", kind) + value
        out += b"".join(self.extra_entries)
        offset = 0
        for name, tensor in self.tensors.items():
            place = offset if tensor.offset is None else tensor.offset
            out += declaration(tensor.name or name.encode(), tensor.lengths, tensor.kind, place)
            offset = aligned(offset + len(tensor.data), self.alignment)
        return out + b"".join(self.extra_declarations)

    def to_bytes(self) -> bytes:
        out = bytearray(self.header())
        for tensor in self.tensors.values():
            out += bytes(-len(out) % self.alignment) + tensor.data
        return bytes(out) + bytes(-len(out) % self.alignment)


def aligned(value: int, alignment: int) -> int:
    return (value + alignment - 1) // alignment * alignment


def declaration(name: bytes, lengths: tuple[int, ...], kind: int, offset: int) -> bytes:
    axes = b"".join(struct.pack("<Q", length % 2**64) for length in lengths)
    return string(name) + struct.pack("<I", len(lengths)) + axes + struct.pack("<IQ", kind, offset)


def byte_tokens() -> list[bytes]:
    """The printable characters by which byte-level BPE writes the bytes 0 to 255."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (0x100 + i for i in range(256))
    return [chr(byte if byte in printable else next(others)).encode() for byte in range(256)]


def base_model() -> Gguf:
    rng = random.Random(20)

    def f32(*lengths: int) -> Tensor:
        count = lengths[0] * (lengths[1] if len(lengths) > 1 else 1)
        return Tensor(lengths, TYPE_F32, struct.pack(f"<{count}f", *(rng.uniform(-0.3, 0.3) for _ in range(count))))

    tokens = [b"<|endoftext|>", b"<|im_start|>", b"<|im_end|>", *byte_tokens(), b"he"]
    kinds = [3, 3, 3] + [1] * (VOCAB - 3)
    template = b"{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    entries = {
        b"general.architecture": (STRING, string(b"llama")),
        b"llama.block_count": (U32, scalar(U32, 1)),
        b"llama.context_length": (U32, scalar(U32, 64)),
        b"llama.embedding_length": (U32, scalar(U32, DIM)),
        b"llama.feed_forward_length": (U32, scalar(U32, FFN)),
        b"llama.attention.head_count": (U32, scalar(U32, HEADS)),
        b"llama.attention.head_count_kv": (U32, scalar(U32, KV_HEADS)),
        b"llama.rope.dimension_count": (U32, scalar(U32, DIM // HEADS)),
        b"llama.rope.freq_base": (F32, scalar(F32, 10000.0)),
        b"llama.attention.layer_norm_rms_epsilon": (F32, scalar(F32, 1e-5)),
        b"tokenizer.ggml.model": (STRING, string(b"gpt2")),
        b"tokenizer.ggml.pre": (STRING, string(b"smollm")),
        b"tokenizer.ggml.tokens": (ARRAY, array(STRING, [string(token) for token in tokens])),
        b"tokenizer.ggml.token_type": (ARRAY, array(I32, [scalar(I32, kind) for kind in kinds])),
        b"tokenizer.ggml.merges": (ARRAY, array(STRING, [string(b"h e")])),
        b"tokenizer.ggml.bos_token_id": (U32, scalar(U32, 1)),
        b"tokenizer.ggml.eos_token_id": (U32, scalar(U32, 2)),
        b"tokenizer.chat_template": (STRING, string(template)),
    }
    kv = DIM // HEADS * KV_HEADS
    tensors = {
        "token_embd.weight": f32(DIM, VOCAB),
        "blk.0.attn_norm.weight": f32(DIM),
        "blk.0.attn_q.weight": f32(DIM, DIM),
        "blk.0.attn_k.weight": f32(DIM, kv),
        "blk.0.attn_v.weight": f32(DIM, kv),
        "blk.0.attn_output.weight": f32(DIM, DIM),
        "blk.0.ffn_norm.weight": f32(DIM),
        "blk.0.ffn_gate.weight": f32(DIM, FFN),
        "blk.0.ffn_up.weight": f32(DIM, FFN),
        "blk.0.ffn_down.weight": f32(FFN, DIM),
        "output_norm.weight": f32(DIM),
    }
    return Gguf(entries, tensors)


@dataclass(frozen=True)
class BadModel:
    """A file, the verb that must refuse it, the error's code (api/errors.yaml) and a part of its message."""

    name: str
    write: Callable[[Path], object]
    code: str
    message: str
    verb: str = "show"  # "run" where only loading the model can tell


def bad(name: str, content: Gguf | bytes, code: str, message: str, verb: str = "show") -> BadModel:
    data = content if isinstance(content, bytes) else content.to_bytes()
    return BadModel(name, lambda path: path.write_bytes(data), code, message, verb)


INVALID, TRUNCATED, UNSUPPORTED = "model_invalid", "model_truncated", "unsupported_model"
TOKENIZER = "tokenizer_invalid"


def truncated(base: Gguf) -> Iterator[BadModel]:
    whole = base.to_bytes()
    header = len(base.header())
    first_key = 24 + 8 + len(b"general.architecture")
    cuts = {1, 3, 4, 7, 8, 15, 16, 23, 24, 31, 32, 33, first_key, first_key + 4, first_key + 12, first_key + 17}
    cuts |= {header - 1, header, aligned(header, 32), aligned(header, 32) + 1, len(whole) // 2, len(whole) - 1}
    yield bad("G1-empty", b"", TRUNCATED, "is empty")
    for cut in sorted(cuts):
        yield bad(f"G1-{cut}-bytes", whole[:cut], TRUNCATED, "")


def other_formats(base: Gguf) -> Iterator[BadModel]:
    yield bad("G2-magic", replace(base, magic=b"GGUX"), INVALID, "begins with 'GGUX', expected 'GGUF'")
    yield bad("G2-big-endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 0), UNSUPPORTED, "big-endian")
    for version in (0, 1, 4, 2**31 + 3):
        message = f"version {version}, expected 2 or 3"
        yield bad(f"G2-version-{version}", replace(base, version=version), UNSUPPORTED, message)
    yield bad("G2-safetensors", struct.pack("<Q", 2) + b'{"a":1}', UNSUPPORTED, "a safetensors file")
    yield bad("G2-pytorch", b"PK\x03\x04" + bytes(64), UNSUPPORTED, "a ZIP archive")
    yield bad("G2-web-page", b"<!DOCTYPE html><html></html>", INVALID, "a web page")
    yield bad("G2-lfs-pointer", b"version https://git-lfs.github.com/spec/v1\n", INVALID, "a Git LFS pointer")


def counts(base: Gguf) -> Iterator[BadModel]:
    for count in (HUGE, 2**63, 2**32, 2**31):
        tensors, entries = replace(base, num_tensors=count), replace(base, num_entries=count)
        yield bad(f"G3-tensors-{count}", tensors, INVALID, f"{count} tensors are declared")
        yield bad(f"G3-entries-{count}", entries, INVALID, f"{count} metadata entries are declared")
    yield bad("G3-tensors-too-many", replace(base, num_tensors=200_000), TRUNCATED, "200000 tensors are declared")
    yield bad(
        "G3-entries-too-many", replace(base, num_entries=60_000), TRUNCATED, "60000 metadata entries are declared"
    )
    yield bad("G3-tensors-one-more", replace(base, num_tensors=len(base.tensors) + 1), INVALID, "a tensor's name is")


def keys_and_strings(base: Gguf) -> Iterator[BadModel]:
    def entry(raw: bytes) -> Gguf:
        return replace(base, extra_entries=(raw,))

    def named(key: bytes) -> Gguf:
        return base.with_entry(key, U32, scalar(U32, 1))

    yield bad(
        "G4-key-huge", entry(struct.pack("<Q", HUGE)), INVALID, "a metadata key is 18446744073709551615 bytes long"
    )
    yield bad("G4-key-64k", named(b"k" * 65536), INVALID, "expected at most 65535")
    yield bad("G4-key-empty", named(b""), INVALID, "a metadata key is empty")
    yield bad("G4-key-nul", named(b"a\0b"), INVALID, "is not UTF-8 text without NUL")
    yield bad("G4-key-latin1", named(b"caf\xe9"), INVALID, "is not UTF-8 text without NUL")
    again = string(b"llama.block_count") + struct.pack("<I", U32) + scalar(U32, 1)
    yield bad("G4-key-twice", entry(again), INVALID, "'llama.block_count' stands twice")
    for length in (HUGE, 2**31, 2**26 + 1):
        model = base.with_entry(b"general.name", STRING, struct.pack("<Q", length))
        yield bad(f"G4-string-{length}", model, INVALID, f"'general.name': the string is {length} bytes long")


def value_types(base: Gguf) -> Iterator[BadModel]:
    for kind in (13, 255, 2**32 - 1):
        yield bad(
            f"G5-type-{kind}", base.with_entry(b"k", kind, bytes(8)), INVALID, f"type is {kind}, expected 0 to 12"
        )
    flat = array(ARRAY, [array(U8, [b"x"])])
    nested = flat
    for _ in range(99):
        nested = array(ARRAY, [nested])
    yield bad("G5-array-of-arrays", base.with_entry(b"k", ARRAY, flat), INVALID, "an array of arrays")
    yield bad("G5-array-100-deep", base.with_entry(b"k", ARRAY, nested), INVALID, "an array of arrays")
    for kind in (U8, STRING, BOOL, F64):
        model = base.with_entry(b"k", ARRAY, array(kind, [], count=2**40))
        yield bad(f"G5-array-2^40-of-{kind}", model, INVALID, "1099511627776")
    yield bad("G5-bool-2", base.with_entry(b"k", BOOL, b"\2"), INVALID, "a boolean is stored as 2")
    wrong = base.with_entry(b"general.architecture", U32, scalar(U32, 1))
    yield bad("G5-architecture-number", wrong, INVALID, "'general.architecture' is the integer 1", "run")


def shapes(base: Gguf) -> Iterator[BadModel]:
    def declared(raw: bytes) -> Gguf:
        return replace(base, tensors={}, extra_declarations=(raw,))

    def shaped(*lengths: int, kind: int = TYPE_F32) -> Gguf:
        return declared(declaration(b"t", lengths, kind, 0))

    yield bad("G6-no-axes", shaped(), INVALID, "0 axes are declared, expected 1 to 4")
    yield bad("G6-five-axes", shaped(1, 1, 1, 1, 1), INVALID, "5 axes are declared")
    many = string(b"t") + struct.pack("<I", 2**32 - 1) + bytes(64)
    yield bad("G6-axes-2^32", declared(many), INVALID, "4294967295 axes are declared")
    yield bad("G6-axis-minus-1", shaped(-1), INVALID, "an axis has length -1")
    yield bad("G6-axis-2^63", shaped(2**63), INVALID, "an axis has length -9223372036854775808")
    yield bad("G6-product", shaped(2**32, 2**32), INVALID, "multiply to more than 2^63")
    yield bad("G6-product-wraps", shaped(2**42 + 1, 2**22, kind=TYPE_Q4_0), INVALID, "multiply to more than 2^63")
    yield bad("G6-bytes", shaped(2**62), INVALID, "its size in bytes is more than 2^63")
    yield bad(
        "G6-part-of-a-block", shaped(33, kind=TYPE_Q4_0), INVALID, "a row has 33 values, expected a multiple of 32"
    )
    empty = Tensor((DIM, 0), TYPE_F32, b"")
    yield bad("G6-empty-tensor", base.with_tensor("blk.0.attn_q.weight", empty), INVALID, "has shape [0, 32]", "run")


def tensor_types_and_names(base: Gguf) -> Iterator[BadModel]:
    weight = base.tensors["output_norm.weight"]

    def named(name: bytes) -> Gguf:
        return base.with_tensor("output_norm.weight", replace(weight, name=name))

    for kind in (4, 5, 31, 38, 99, 2**32 - 1):
        model = base.with_tensor("output_norm.weight", replace(weight, kind=kind))
        yield bad(f"G7-type-{kind}", model, INVALID, f"number type {kind} is unknown, or was removed")
    q5_0 = base.with_tensor("output_norm.weight", replace(weight, kind=TYPE_Q5_0))
    yield bad("G7-type-q5_0", q5_0, UNSUPPORTED, "its numbers are stored as Q5_0")
    yield bad("G7-name-64-bytes", named(b"n" * 64), INVALID, "a tensor's name is 64 bytes long, expected at most 63")
    yield bad("G7-name-latin1", named(b"\xe9"), INVALID, "is not UTF-8 text without NUL")
    yield bad("G7-name-twice", named(b"blk.0.ffn_norm.weight"), INVALID, "tensor 'blk.0.ffn_norm.weight' stands twice")


def places(base: Gguf) -> Iterator[BadModel]:
    norm = base.tensors["output_norm.weight"]
    end = sum(aligned(len(tensor.data), 32) for tensor in base.tensors.values()) - aligned(len(norm.data), 32)

    def at(offset: int) -> Gguf:
        return base.with_tensor("output_norm.weight", replace(norm, offset=offset))

    yield bad("G8-past-the-end", at(2**40), INVALID, "there is a hole before it")
    yield bad("G8-huge", at(HUGE - 31), INVALID, "there is a hole before it")
    yield bad("G8-unaligned", at(end + 1), INVALID, "expected a multiple of 32")
    yield bad("G8-overlap", at(end - 32), INVALID, "it overlaps another tensor")
    yield bad("G8-shared", at(0), INVALID, "it overlaps another tensor")
    yield bad("G8-hole", at(end + 32), INVALID, "there is a hole before it")
    yield bad("G8-one-byte-short", base.to_bytes()[:-1], TRUNCATED, "tensor 'output_norm.weight': its 128 bytes")
    longer = base.with_tensor("output_norm.weight", replace(norm, lengths=(2**40,)))
    yield bad("G8-longer-than-the-file", longer, TRUNCATED, "the file ends at byte")


def alignments(base: Gguf) -> Iterator[BadModel]:
    for value in (0, 1, 3, 2**20 + 1, 2**31):
        model = base.with_entry(b"general.alignment", U32, scalar(U32, value))
        yield bad(f"G9-{value}", model, INVALID, f"is the integer {value}, expected an integer from 8 to 1048576")
    yield bad("G9-13", base.with_entry(b"general.alignment", U32, scalar(U32, 13)), INVALID, "expected a power of two")
    for kind, raw in ((I32, scalar(I32, 32)), (STRING, string(b"32")), (ARRAY, array(U32, [scalar(U32, 32)]))):
        model = base.with_entry(b"general.alignment", kind, raw)
        yield bad(f"G9-type-{kind}", model, INVALID, f"'general.alignment': the value's type is {kind}, expected 4")


def not_finite(base: Gguf) -> Iterator[BadModel]:
    name = "blk.0.attn_q.weight"
    for label, value in (("nan", float("nan")), ("inf", float("inf"))):
        tensor = base.tensors[name]
        data = tensor.data[:-4] + struct.pack("<f", value)
        model = base.with_tensor(name, replace(tensor, data=data))
        yield bad(f"G10-{label}", model, INVALID, f"tensor '{name}' holds a number that is not finite", "run")
    block = struct.pack("<H", 0x7C00) + bytes(32)  # a scale that is infinite
    quantised = base.with_tensor(name, Tensor((DIM, DIM), TYPE_Q8_0, block * DIM))
    yield bad("G10-scale-inf", quantised, INVALID, f"tensor '{name}' holds a number that is not finite", "run")


def model_with_head_of(base: Gguf, values: int) -> Gguf:
    """One head of that many values, with tensors that agree."""
    model = base.with_entry(b"llama.attention.key_length", U32, scalar(U32, values))
    for key in ("llama.attention.head_count", "llama.attention.head_count_kv"):
        model = model.with_entry(key.encode(), U32, scalar(U32, 1))
    model = model.with_entry(b"llama.rope.dimension_count", U32, scalar(U32, values))
    for name in ("attn_q", "attn_k", "attn_v"):
        wide = Tensor((DIM, values), TYPE_F32, bytes(4 * DIM * values))
        model = model.with_tensor(f"blk.0.{name}.weight", wide)
    return model.with_tensor("blk.0.attn_output.weight", Tensor((values, DIM), TYPE_F32, bytes(4 * DIM * values)))


def hyper_parameters(base: Gguf) -> Iterator[BadModel]:
    sizes = (
        "llama.block_count",
        "llama.context_length",
        "llama.embedding_length",
        "llama.feed_forward_length",
        "llama.attention.head_count",
        "llama.attention.head_count_kv",
        "llama.rope.dimension_count",
    )
    for key in sizes:
        for kind, value in ((U32, 0), (I32, -1), (U32, 2**32 - 1), (U64, HUGE)):
            model = base.with_entry(key.encode(), kind, scalar(kind, value))
            yield bad(f"G11-{key}-{value}", model, INVALID, f"'{key}'", "run")
        for label, kind, raw in (("text", STRING, string(b"1")), ("float", F32, scalar(F32, 1.0))):
            yield bad(f"G11-{key}-{label}", base.with_entry(key.encode(), kind, raw), INVALID, f"'{key}'", "run")
    for key in ("llama.block_count", "llama.embedding_length", "llama.attention.head_count"):
        yield bad(f"G11-{key}-missing", base.without_entry(key.encode()), INVALID, f"'{key}' is missing", "run")
    for key in ("llama.rope.freq_base", "llama.attention.layer_norm_rms_epsilon"):
        for number in (0.0, -1.0, float("nan"), float("inf")):
            model = base.with_entry(key.encode(), F32, scalar(F32, number))
            yield bad(f"G11-{key}-{number}", model, INVALID, f"'{key}'", "run")
    yield bad("G11-head-of-4096-values", model_with_head_of(base, 4096), UNSUPPORTED, "heads of at most 2048", "run")
    three = base.with_entry(b"llama.attention.head_count", U32, scalar(U32, 3))
    yield bad("G11-heads-do-not-divide", three, INVALID, "'llama.attention.head_count", "run")
    two_blocks = base.with_entry(b"llama.block_count", U32, scalar(U32, 2))
    yield bad("G11-more-blocks-than-tensors", two_blocks, INVALID, "'blk.1.", "run")
    other = base.with_entry(b"general.architecture", STRING, string(b"gpt-9"))
    yield bad("G11-unknown-architecture", other, UNSUPPORTED, "gpt-9", "run")


def tensors_that_do_not_fit(base: Gguf) -> Iterator[BadModel]:
    for name in ("token_embd.weight", "blk.0.attn_q.weight", "output_norm.weight"):
        yield bad(f"G12-{name}-missing", base.without_tensor(name), INVALID, f"'{name}'", "run")
    name = "blk.0.ffn_up.weight"
    turned = base.with_tensor(name, replace(base.tensors[name], lengths=(FFN, DIM)))
    yield bad("G12-shape-turned", turned, INVALID, "has shape [32, 64], expected [64, 32]", "run")
    extra = base.with_tensor("blk.0.extra.weight", Tensor((DIM,), TYPE_F32, bytes(4 * DIM)))
    yield bad("G12-extra-tensor", extra, INVALID, "'blk.0.extra.weight'", "run")


def split_models(base: Gguf) -> Iterator[BadModel]:
    for count in (2, 65535):
        model = base.with_entry(b"split.count", U16, scalar(U16, count)).with_entry(b"split.no", U16, scalar(U16, 1))
        yield bad(f"G13-{count}-parts", model, UNSUPPORTED, f"part 2 of {count} of a split model")
    beyond = base.with_entry(b"split.count", U16, scalar(U16, 2)).with_entry(b"split.no", U16, scalar(U16, 2))
    yield bad("G13-part-beyond", beyond, INVALID, "'split.no' is the integer 2")
    text = base.with_entry(b"split.count", STRING, string(b"2"))
    yield bad("G13-count-text", text, INVALID, "'split.count' is the string")


def no_files(_: Gguf) -> Iterator[BadModel]:
    def sparse(path: Path) -> None:
        path.touch()
        os.truncate(path, 2**40)

    # Whoever looks for the file may refuse these in its own words, before it is opened.
    yield BadModel("G14-folder", lambda path: path.mkdir(), INVALID, "")
    yield BadModel("G14-pipe", lambda path: os.mkfifo(path), INVALID, "")
    yield BadModel("G14-device", lambda path: path.symlink_to("/dev/zero"), INVALID, "")
    yield BadModel("G14-link-to-nothing", lambda path: path.symlink_to("gone"), "file_not_found", "")
    yield BadModel("G14-sparse-1TiB", sparse, INVALID, "expected 'GGUF'")


def two_formats(base: Gguf) -> Iterator[BadModel]:
    yield bad("G15-zip-before-gguf", b"PK\x03\x04" + bytes(28) + base.to_bytes(), UNSUPPORTED, "a ZIP archive")


def tokenizers(base: Gguf) -> Iterator[BadModel]:
    def changed(key: str, kind: int, value: bytes) -> Gguf:
        return base.with_entry(b"tokenizer.ggml." + key.encode(), kind, value)

    def without(key: str) -> Gguf:
        return base.without_entry(b"tokenizer.ggml." + key.encode())

    ones = [scalar(I32, 1)] * (VOCAB + 1)
    yield bad("T-tokens-missing", without("tokens"), TOKENIZER, "'tokenizer.ggml.tokens' is missing", "run")
    yield bad("T-tokens-none", changed("tokens", ARRAY, array(STRING, [])), TOKENIZER, "token", "run")
    yield bad("T-merges-missing", without("merges"), TOKENIZER, "merges", "run")
    unknown_merge = changed("merges", ARRAY, array(STRING, [string(b"q zz")]))
    yield bad("T-merge-unknown", unknown_merge, TOKENIZER, "merge", "run")
    yield bad("T-model-unknown", changed("model", STRING, string(b"wordpiece-9")), UNSUPPORTED, "wordpiece-9", "run")
    yield bad("T-pre-unknown", changed("pre", STRING, string(b"nobody")), UNSUPPORTED, "nobody", "run")
    for count in (VOCAB - 1, VOCAB + 1):
        kinds = changed("token_type", ARRAY, array(I32, ones[:count]))
        yield bad(f"T-{count}-kinds", kinds, TOKENIZER, "token_type", "run")
    for kind in (F32, STRING, BOOL):
        items = [string(b"1") if kind == STRING else scalar(kind, 1)] * VOCAB
        model = changed("token_type", ARRAY, array(kind, items))
        yield bad(f"T-kinds-of-type-{kind}", model, TOKENIZER, "token_type", "run")
    rows = VOCAB - 1
    smaller = Tensor((DIM, rows), TYPE_F32, base.tensors["token_embd.weight"].data[: 4 * DIM * rows])
    fewer_rows = base.with_tensor("token_embd.weight", smaller)
    yield bad("T-fewer-rows-than-tokens", fewer_rows, INVALID, "rows", "run")
    for value in (VOCAB, 2**31, 2**32 - 1):
        yield bad(f"T-eos-{value}", changed("eos_token_id", U32, scalar(U32, value)), TOKENIZER, "eos", "run")


GROUPS = (
    truncated,
    other_formats,
    counts,
    keys_and_strings,
    value_types,
    shapes,
    tensor_types_and_names,
    places,
    alignments,
    not_finite,
    hyper_parameters,
    tensors_that_do_not_fit,
    split_models,
    no_files,
    two_formats,
    tokenizers,
)


def bad_models() -> list[BadModel]:
    base = base_model()
    return [model for group in GROUPS for model in group(base)]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: bad_gguf.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "good.gguf").write_bytes(base_model().to_bytes())
    for model in bad_models():
        path = folder / f"{model.name}.gguf"
        model.write(path)
        print(path, model.verb, model.code, model.message, sep="\t")


if __name__ == "__main__":
    main()
