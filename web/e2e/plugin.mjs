// Writes plugins for tests: Python programs that speak the protocol with nothing but the standard library.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MANIFEST = (version) => `
[plugin]
id = "acme/guard"
version = "${version}"
summary = "Masks a word in prompts"
license = "Apache-2.0"
command = ["python3", "guard.py"]
capabilities = ["request_filter"]
failure_policy = "closed"
[host_api]
min = "1.0.0"
max = "1.999.0"
[permissions]
read = ["/etc/hostname"]
[config]
mask = "[masked]"
limit = 3
strict = false
[config_schema]
type = "object"
required = ["mask"]
additionalProperties = false
[config_schema.properties.mask]
type = "string"
title = "Mask"
description = "What stands for the word"
minLength = 1
[config_schema.properties.limit]
type = "integer"
minimum = 1
[config_schema.properties.strict]
type = "boolean"
[config_schema.properties.words]
type = "array"
items = { type = "string" }
`;

const PROGRAM = ({ selfTest, call }) => `
import json, os, struct, sys

FD = int(os.environ["LLAMAGPU_PLUGIN_FD"])
config = {}


def read(size):
    data = b""
    while len(data) < size:
        piece = os.read(FD, size - len(data))
        if not piece:
            sys.exit(0)
        data += piece
    return data


def send(message):
    payload = json.dumps({"jsonrpc": "2.0", **message}).encode()
    frame = struct.pack("<IB", len(payload), 1) + payload
    while frame:
        frame = frame[os.write(FD, frame) :]


def log(text):
    send({"method": "log", "params": {"level": "info", "message": text}})


def self_test():
    ${selfTest}
    return {"ok": True}


def request_filter(params):
    ${call}
    log("masks with " + config["mask"])
    messages = params.get("messages")
    if messages is None or not any("secret" in message["content"] for message in messages):
        return {"action": "pass"}
    for message in messages:
        message["content"] = message["content"].replace("secret", config["mask"])
    return {"action": "replace", "messages": messages}


while True:
    (length, kind) = struct.unpack("<IB", read(5))
    message = json.loads(read(length))
    method, params = message.get("method"), message.get("params", {})
    if method == "shutdown":
        sys.exit(0)
    if "id" not in message:
        continue
    if method == "initialize":
        config = params["config"]
        result = {"protocol": 1, "capabilities": ["request_filter"]}
    elif method == "self_test":
        result = self_test()
    elif method == "health":
        result = {"status": "ok"}
    else:
        result = request_filter(params)
    send({"id": message["id"], "result": result})
`;

const CRASH = 'sys.exit("guard: the rules are missing")';

/** The folder of a package of acme/guard, made in `parent`; it may crash in its "selfTest" or in each "call". */
export function writePlugin(parent, version, { crashesIn = "" } = {}) {
  const folder = join(parent, `guard-${version}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "plugin.toml"), MANIFEST(version));
  writeFileSync(join(folder, "guard.py"), PROGRAM({ selfTest: "pass", call: "pass", [crashesIn]: CRASH }));
  return folder;
}
