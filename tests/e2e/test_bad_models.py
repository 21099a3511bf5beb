# SPDX-License-Identifier: Apache-2.0
"""Every file of bad_gguf.py is refused by the program itself: by name, with the right exit code, in one line."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from bad_gguf import BadModel, bad_models, base_model

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("LLAMAGPU_BIN", str(ROOT / "build" / "release" / "bin" / "llama-gpu"))
EXIT_CODES = {row["name"]: row["exit"] for row in yaml.safe_load((ROOT / "api" / "errors.yaml").read_text())["errors"]}


def run_program(verb: str, path: Path) -> subprocess.CompletedProcess[str]:
    arguments = ["--json"] if verb == "show" else ["hi", "--max-tokens", "1"]
    command = [PROGRAM, verb, str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)


def test_the_model_that_they_are_made_from_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "good.gguf"
    path.write_bytes(base_model().to_bytes())

    shown = run_program("show", path)
    answered = run_program("run", path)

    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["metadata"]["general.architecture"] == "llama"
    assert answered.returncode == 0, answered.stderr


def test_bytes_behind_the_model_are_only_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "zip-behind.gguf"
    path.write_bytes(base_model().to_bytes() + b"PK\x05\x06" + bytes(18))

    shown = run_program("show", path)
    answered = run_program("run", path)

    assert shown.returncode == 0, shown.stderr
    [warning] = json.loads(shown.stdout)["warnings"]
    assert "22 bytes behind the last tensor" in warning
    assert answered.returncode == 0, answered.stderr
    assert warning in answered.stderr


@pytest.mark.parametrize("model", bad_models(), ids=lambda model: model.name)
def test_a_bad_model_is_refused_by_name(model: BadModel, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    model.write(path)

    result = run_program(model.verb, path)

    assert result.returncode == EXIT_CODES[model.code], result.stderr
    assert model.message in result.stderr
    assert f"'{path}'" in result.stderr
    assert result.stderr.startswith("llama-gpu: ")
    assert result.stdout == ""
