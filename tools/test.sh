#!/usr/bin/env bash
# Runs every check of the project, on a fresh machine too: installs the Redis tools that the tests compare with, then
# checks format and lints, and runs all tests.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the tests compare with: redis-server, redis-cli, redis-check-rdb, redis-benchmark (Debian), and rdbtools (PyPI).
# The package would start a server of its own; policy-rc.d keeps it from that.
install_redis() {
    command -v redis-server >/dev/null && command -v redis-check-rdb >/dev/null && command -v redis-cli >/dev/null && return
    local sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    local policy=/usr/sbin/policy-rc.d
    local made_policy=no
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
        $sudo chmod +x "$policy"
        made_policy=yes
    fi
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server redis-tools >/dev/null
    [ "$made_policy" = no ] || $sudo rm "$policy"
}

# rdbtools needs setuptools on Python 3.12 and later (it imports distutils); python-lzf spares it a warning.
install_rdbtools() {
    [ -x target/venv/bin/rdb ] && target/venv/bin/python -c 'import lzf' 2>/dev/null && return
    mkdir -p target
    python3 -m venv target/venv || {
        echo "python3 with venv is needed: apt-get install python3-venv" >&2
        exit 1
    }
    target/venv/bin/pip install --quiet --disable-pip-version-check setuptools rdbtools==0.1.15 python-lzf
}

install_redis
install_rdbtools

cargo fmt --check
cargo clippy --all-targets --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --quiet
cargo test --quiet
