#!/usr/bin/env bash
# Installs the proxies that the README shows before our servers, unless they are there: HAProxy and twemproxy (Debian,
# where its program and its package are called nutcracker).
set -euo pipefail
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
policy=/usr/sbin/policy-rc.d

missing=""
command -v haproxy >/dev/null || missing="haproxy"
command -v nutcracker >/dev/null || missing="$missing nutcracker"
[ -n "$missing" ] || exit 0

# The packages would start the proxies; policy-rc.d keeps them from that.
made_policy=no
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod +x "$policy"
    made_policy=yes
fi
$sudo apt-get update -qq
# A word for each package.
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null
[ "$made_policy" = no ] || $sudo rm "$policy"
