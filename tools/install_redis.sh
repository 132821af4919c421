#!/usr/bin/env bash
# Installs what ours is compared with, unless it is there: redis-server, redis-cli, redis-check-rdb, redis-benchmark (Debian).
# The tests know the answers of one version, which the file redis_version names.
set -euo pipefail
wanted=$(cat "$(dirname "$0")/redis_version")
tools="redis-server redis-cli redis-check-rdb redis-benchmark"

all_are_there() {
    for tool in $tools; do
        command -v "$tool" >/dev/null || return 1
    done
}

# Whether a tool is of the version: "Redis server v=7.0.15 sha=...", "redis-cli 7.0.15".
is_wanted() {
    [[ " $("$1" --version) " == *[\ =]"$wanted "* ]]
}

all_are_there || "$(dirname "$0")/install_packages.sh" redis-server redis-tools
for tool in $tools; do
    is_wanted "$tool" && continue
    cat >&2 <<END
The tests compare with Redis $wanted, but $(command -v "$tool") says: $("$tool" --version)
Debian 12 and Ubuntu 24.04 have $wanted. Elsewhere, build it and put it first on the PATH:
    curl -O https://download.redis.io/releases/redis-$wanted.tar.gz
    tar xf redis-$wanted.tar.gz
    make -C redis-$wanted
    PATH=\$PWD/redis-$wanted/src:\$PATH tools/test.sh
END
    exit 1
done
