#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/tokenizer: what PyPI's tokenizers makes of random texts and of every Unicode character.

    build/venv/bin/python3 -m scripts.make_tokenizer_vectors MODEL.gguf

Needs tokenizers 0.22; run by hand, the vectors are committed. smollm.json has rows like those of the reference
answers beside it, for the default model's vocabulary, special tokens parsed. unicode_classes.json has the
characters, as ranges, that the GPT-2 pattern takes for letters, numbers and white space, and that the Digits
step of SmolLM takes for digits.
"""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

from tokenizers import Regex, pre_tokenizers

from tests.oracles import vocabularies

OUT = Path(__file__).resolve().parent.parent / "tests/golden/tokenizer"
NUM_TEXTS = 330
SEED = 7


def ranges(is_member: Callable[[str], bool]) -> list[list[int]]:
    """The characters of a class as [first, last]."""
    out: list[list[int]] = []
    for code_point in (*range(0xD800), *range(0xE000, 0x110000)):
        if code_point == ord("'") or not is_member(chr(code_point)):
            continue
        if out and out[-1][1] == code_point - 1:
            out[-1][1] = code_point
        else:
            out.append([code_point, code_point])
    return out


def unicode_classes() -> dict[str, list[list[int]]]:
    """The classes of characters, by what joins with what."""
    words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    spaces = pre_tokenizers.Split(Regex(r"\s"), behavior="isolated")
    return {
        "letters": ranges(lambda c: len(words.pre_tokenize_str("a" + c)) == 1),
        "numbers": ranges(lambda c: len(words.pre_tokenize_str("1" + c)) == 1),
        "digits": ranges(lambda c: len(digits.pre_tokenize_str("!" + c)) == 2),
        "spaces": ranges(lambda c: len(spaces.pre_tokenize_str("!" + c)) == 2),
    }


def random_rows(model: Path) -> dict[str, list[dict[str, object]]]:
    """Random texts with their tokens, and these tokens with their text."""
    metadata = vocabularies.read_gguf(model)
    tokenizer = vocabularies.smollm_tokenizer(metadata)
    rng = random.Random(SEED)
    rows: dict[str, list[dict[str, object]]] = {"tokenize": [], "detok": []}
    for _ in range(NUM_TEXTS):
        text = vocabularies.random_text(rng, vocabularies.controls(metadata))
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        some = [rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randint(1, 8))]
        rows["tokenize"].append({"text": text, "ids": ids})
        rows["detok"].append({"ids": some, "text": tokenizer.decode(some, skip_special_tokens=False)})
    return rows


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    files = {"smollm": random_rows(Path(sys.argv[1])), "unicode_classes": unicode_classes()}
    for name, content in files.items():
        text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
        (OUT / f"{name}.json").write_text(text.replace("},{", "},\n{") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
