#!/usr/bin/env bash
# A chat in the terminal: with the running server, else with the model in this process.
source "$(dirname "$0")/common.sh"
url=http://127.0.0.1:${LLAMAGPU_SERVER__PORT:-8484}
if curl --silent --fail --max-time 1 "$url/readyz" >/dev/null 2>&1; then
  exec "$BIN" run smollm2-135m-instruct --url "$url"
fi
exec "$BIN" run smollm2-135m-instruct
