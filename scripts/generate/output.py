"""What every generator needs: names and files."""

from pathlib import Path


def pascal_case(name: str) -> str:
    """model_not_found -> ModelNotFound"""
    return "".join(word.capitalize() for word in name.split("_"))


def cpp_string(text: str) -> str:
    """A C++ string literal of `text`."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def write_if_changed(path: Path, text: str) -> None:
    """Leaves an equal file alone, so that nothing that includes it is built again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
