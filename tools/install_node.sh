#!/usr/bin/env bash
# Installs the libraries for Node.js that tests/programs/node uses into target/node, unless they are there: the versions that
# package-lock.json names. Node.js itself and npm come from Debian if they lack.
set -euo pipefail
cd "$(dirname "$0")/.."
lock=tests/programs/node/package-lock.json
installed=target/node/installed-package-lock.json

install_node() {
    local sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
}

{ command -v node && command -v npm; } >/dev/null || install_node
cmp -s "$lock" "$installed" && exit
mkdir -p target/node
cp tests/programs/node/package.json "$lock" target/node/
npm ci --prefix target/node --silent --no-audit --no-fund --ignore-scripts
# Only now: what was broken off begins anew.
cp "$lock" "$installed"
