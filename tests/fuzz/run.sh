#!/bin/bash
# Runs each fuzz target for a bounded time, one after another: `tests/fuzz/run.sh [seconds] [target...]`.
#
# What breaks a promise is left in `artifacts/<target>`. `cargo fuzz tmin` makes it small; kept in `kept/<target>` under
# a name that says what it broke, it is a test from then on.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(mime armour der payload pop3 intake)

# Sanitizers need the nightly compiler; nothing else here does.
if ! rustc +nightly --version >/dev/null 2>&1; then
    echo "fuzzing needs the nightly compiler: rustup toolchain install nightly --profile minimal" >&2
    exit 1
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

# Inputs are small, so that a second holds many: what is promised of large ones is promised by limits, each with a test.
# One allocation: the largest that a payload may ask for is the 4 MiB of its JSON, or the 8 MiB window of its frame.
status=0
for target in "${targets[@]}"; do
    seeds=("seeds/$target")
    [ -d "kept/$target" ] && seeds+=("kept/$target")
    [ "$target" = armour ] && seeds+=(../../schema/sdc/tests/vectors)
    mkdir -p "corpus/$target"
    echo "== $target, $seconds s"
    cargo +nightly fuzz run --fuzz-dir . "$target" "corpus/$target" "${seeds[@]}" -- \
        -dict="dictionaries/$target.dict" -max_total_time="$seconds" -timeout=5 -max_len=16384 \
        -malloc_limit_mb=32 -rss_limit_mb=1024 -print_final_stats=1 || status=$?
done
exit "$status"
