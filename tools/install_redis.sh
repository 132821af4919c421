#!/usr/bin/env bash
# Installs what ours is compared with, unless it is there: redis-server, redis-cli, redis-check-rdb, redis-benchmark (Debian).
set -euo pipefail

command -v redis-server >/dev/null && command -v redis-check-rdb >/dev/null &&
    command -v redis-cli >/dev/null && command -v redis-benchmark >/dev/null && exit
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
# The package would start a server of its own; policy-rc.d keeps it from that.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod +x "$policy"
    made_policy=yes
fi
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server redis-tools >/dev/null
[ "$made_policy" = no ] || $sudo rm "$policy"
