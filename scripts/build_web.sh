#!/usr/bin/env bash
# Builds the dashboard into build/web, and its typed client from api/openapi.yaml. Does nothing when nothing changed.
source "$(dirname "$0")/common.sh"
stamp=build/web/.built
fingerprint=$(git ls-files -z -co --exclude-standard -- web api/openapi.yaml scripts/build_web.sh | xargs -0 sha256sum | sha256sum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$fingerprint" ]; then exit 0; fi
npm_install web
mkdir -p build/generated-web
cd web
node node_modules/openapi-typescript/bin/cli.js ../api/openapi.yaml --output ../build/generated-web/schema.d.ts \
  >../build/web.log 2>&1 || {
  cat ../build/web.log >&2
  die "the typed client could not be made from api/openapi.yaml"
}
say "building the dashboard"
node node_modules/vite/bin/vite.js build --logLevel warn >>../build/web.log 2>&1 ||
  {
    tail -n 30 ../build/web.log >&2
    die "the dashboard could not be built, see build/web.log"
  }
printf '%s\n' "$fingerprint" >"../$stamp"
