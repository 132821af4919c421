#!/usr/bin/env bash
# Measures our server beside redis-server, and valkey-server where there is one, on a fresh machine too: installs what is
# missing, builds, runs. tools/bench.sh --quick takes some minutes. Without it two cores take about 40 minutes, and more cores
# up to 30 minutes longer (scaling). --help tells the rest.
set -euo pipefail
folder=$(dirname "$0")
manifest=$folder/../Cargo.toml

"$folder/install_redis.sh"
cargo build --release --quiet --manifest-path "$manifest" --bin my_redis_server
exec cargo run --release --quiet --manifest-path "$manifest" --example bench -- "$@"
