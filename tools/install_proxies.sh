#!/usr/bin/env bash
# Installs the proxies that the README shows before our servers, unless they are there: HAProxy and twemproxy (Debian,
# where its program and its package are called nutcracker).
set -euo pipefail
missing=()
for tool in haproxy nutcracker; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
[ "${#missing[@]}" = 0 ] || "$(dirname "$0")/install_packages.sh" "${missing[@]}"
