#!/usr/bin/env bash
# Runs every check of the project, on a fresh machine too: installs the tools that the tests compare with, then
# checks format and lints, and runs all tests.
set -euo pipefail
cd "$(dirname "$0")/.."

# rdbtools needs setuptools on Python 3.12 and later (it imports distutils); python-lzf spares it a warning. redis is the
# client redis-py.
install_python_tools() {
    [ -x target/venv/bin/rdb ] && target/venv/bin/python -c 'import lzf, redis' 2>/dev/null && return
    mkdir -p target
    python3 -m venv target/venv || {
        echo "python3 with venv is needed: apt-get install python3-venv" >&2
        exit 1
    }
    target/venv/bin/pip install --quiet --disable-pip-version-check setuptools rdbtools==0.1.15 python-lzf \
        redis==8.1.0
}

tools/install_redis.sh
install_python_tools

cargo fmt --check
cargo clippy --all-targets --quiet -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items --quiet
# Many tests wait for servers most of the time, so few processors can run more tests at once than there are processors.
threads=$(nproc)
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((threads > 4 ? threads : 4))} cargo test --quiet
