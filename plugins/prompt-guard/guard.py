# SPDX-License-Identifier: Apache-2.0
"""Masks personal data in prompts, or refuses prompts that hold any, as its config says."""

from __future__ import annotations

from collections.abc import Callable

from findings import FINDERS, Span
from llama_gpu_plugin import Plugin, PluginError, Reject, Request, Verdict

plugin = Plugin()


def find_all(text: str, kinds: list[str]) -> list[tuple[str, Span]]:
    """What of the kinds is in the text, by place; of two that overlap, the one of the kind named first."""
    found: list[tuple[str, Span]] = []
    taken = bytearray(len(text))
    for kind in kinds:
        for start, end in FINDERS[kind](text):
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append((kind, (start, end)))
    return sorted(found, key=lambda finding: finding[1])


def masker(kinds: list[str], mask: str) -> Callable[[str], str]:
    """The function that masks a text."""

    def change(text: str) -> str:
        parts = []
        at = 0
        for kind, (start, end) in find_all(text, kinds):
            parts += [text[at:start], mask.replace("{kind}", kind)]
            at = end
        return "".join([*parts, text[at:]])

    return change


@plugin.setup
def check_config() -> None:
    unknown = set(plugin.config["kinds"]) - set(FINDERS)
    if unknown:
        raise PluginError(f"unknown kinds {sorted(unknown)}, expected some of {sorted(FINDERS)}")
    if plugin.config["action"] not in ("mask", "reject"):
        raise PluginError(f"unknown action '{plugin.config['action']}', expected 'mask' or 'reject'")


@plugin.self_test
def know_an_address() -> None:
    if masker(["email"], "x")("a@example.com") != "x":
        raise PluginError("an e-mail address was not found")


@plugin.request_filter
def guard(request: Request) -> Verdict:
    kinds = [kind for kind in FINDERS if kind in plugin.config["kinds"]]
    if plugin.config["action"] == "mask":
        return request.map_text(masker(kinds, plugin.config["mask"]))
    for text in request.texts():
        found = find_all(text, kinds)
        if found:
            names = sorted({kind for kind, _ in found})
            return Reject(f"the prompt holds personal data ({', '.join(names)}): remove it and ask again")
    return None


if __name__ == "__main__":
    plugin.run()
