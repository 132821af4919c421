#!/usr/bin/env bash
# Installs packages of Debian, without starting the servers that come with them: install_packages.sh PACKAGE...
set -euo pipefail
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
# The packages would start servers of their own; policy-rc.d keeps them from that.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod +x "$policy"
    made_policy=yes
fi
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
[ "$made_policy" = no ] || $sudo rm "$policy"
