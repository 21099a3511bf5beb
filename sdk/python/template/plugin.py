"""@NAME@: masks e-mail addresses in prompts."""

import re

from llama_gpu_plugin import Plugin, PluginError, Request, Verdict

EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
plugin = Plugin()


@plugin.request_filter
def mask(request: Request) -> Verdict:
    return request.map_text(lambda text: EMAIL.sub(lambda _: plugin.config["mask"], text))


@plugin.self_test
def self_test() -> None:
    if EMAIL.search("write to jane@example.com today") is None:
        raise PluginError("it finds no address")


plugin.run()
