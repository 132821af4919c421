#!/usr/bin/env bash
# Fuzzes what reads foreign bytes, until it finds a fault or is stopped: tools/fuzz.sh rdb_reader|request_parser [OPTION...]
# Options are libFuzzer's: -runs=1000000, -max_total_time=600, -max_len=65536. What it learns stays in target/fuzz/corpus, and a
# faulty input in target/fuzz/artifacts. Needs a nightly toolchain of Rust (for coverage) and a C++ compiler (for libFuzzer).
set -euo pipefail
cd "$(dirname "$0")/.."

fuzz_target=${1:?"rdb_reader or request_parser"}
shift
case $fuzz_target in
    rdb_reader) dictionary=rdb.dict ;;
    request_parser) dictionary=request.dict ;;
    *) echo "there is no target $fuzz_target" >&2; exit 1 ;;
esac
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

# No sanitizer: they look for faults of memory, which safe Rust does not have. Overflows and assertions are on.
corpus=target/fuzz/corpus/$fuzz_target
artifacts=target/fuzz/artifacts/$fuzz_target
mkdir -p "$corpus" "$artifacts"
exec cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none "$fuzz_target" \
    "$corpus" "tests/fuzz/corpus/$fuzz_target" \
    -- -max_len=512 -timeout=10 -dict="tests/fuzz/$dictionary" -artifact_prefix="$artifacts/" "$@"
