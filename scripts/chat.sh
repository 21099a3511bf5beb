#!/usr/bin/env bash
# A chat in the terminal: with the running server, else with the model in this process.
source "$(dirname "$0")/common.sh"

# Where a server with the same settings listens, as one of this machine reaches it.
server_url() {
  "$BIN" config show --json | python3 -c '
import json, sys

values = {row["key"]: row["value"] for row in json.load(sys.stdin)["settings"]}
host, port = values["server.host"], values["server.port"]
host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
print(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
'
}

url=$(server_url)
if curl --silent --fail --max-time 1 "$url/readyz" >/dev/null 2>&1; then
  exec "$BIN" run smollm2-135m-instruct --url "$url"
fi
exec "$BIN" run smollm2-135m-instruct
