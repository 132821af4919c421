#!/bin/sh
# Builds the server if need be and runs it with the given options.
set -e
cd "$(dirname "$0")/.."
cargo build --release --quiet --bin my_redis_server
exec target/release/my_redis_server "$@"
