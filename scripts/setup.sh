#!/usr/bin/env bash
# Installs what is missing: `setup.sh run` for building and serving, `setup.sh test` for the whole test run.
# Debian packages by apt (as root, or by sudo, asked once), everything else below build/.
source "$(dirname "$0")/common.sh"

BUILD_PACKAGES=(
  build-essential cmake ninja-build pkg-config ccache python3 python3-venv python3-pip python3-yaml ca-certificates curl
  libboost1.81-dev libssl-dev libcurl4-openssl-dev nlohmann-json3-dev libspdlog-dev libfmt-dev
  prometheus-cpp-dev libcli11-dev libtomlplusplus-dev libseccomp-dev libpcre2-dev libutf8proc-dev libedit-dev zlib1g-dev
  libgtest-dev libgmock-dev) # the tests are configured with the program, though not built
TEST_PACKAGES=(
  clang-19 clang-tidy-19 clang-format-19 lld-19 libclang-rt-19-dev llvm-19
  codespell shellcheck shfmt yamllint prometheus chromium python3-pytest python3-jinja2 python3-numpy git unzip universal-ctags)

install_debian() {
  local missing=() package status
  status=$(dpkg-query -W -f='${Package} ${db:Status-Abbrev}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    grep -q "^$package ii" <<<"$status" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "missing packages: ${missing[*]}. Install them as root: there is no sudo here."
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq || die "apt-get update failed: is there a network?"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >"${TMPDIR:-/tmp}/llama-gpu-apt.log" 2>&1 ||
    die "apt-get install failed: $(tail -n 1 "${TMPDIR:-/tmp}/llama-gpu-apt.log")"
}

# Python packages by the pinned list of FILE into the one virtual environment.
install_python() {
  local file=$1 stamp
  stamp="$VENV/.installed-$(sha256sum "$file" | cut -c1-16)"
  [ -e "$stamp" ] && return
  [ -x "$VENV/bin/python3" ] || /usr/bin/python3 -m venv --system-site-packages "$VENV"
  say "installing the Python packages of $file"
  "$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement "$file" ||
    die "pip could not install $file: is there a network?"
  touch "$stamp"
}

case "${1:-}" in
  run)
    install_debian "${BUILD_PACKAGES[@]}"
    mkdir -p build
    install_python scripts/requirements-build.txt
    ;;
  test)
    install_debian "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    mkdir -p build
    install_python scripts/requirements-build.txt
    install_python scripts/requirements-test.txt
    ;;
  *) die "usage: setup.sh run|test" ;;
esac
