#!/usr/bin/env bash
# The long suites, one after another: nemesis, each fuzz target, and what `load` judges by bounds of its own. One line for each on the
# terminal, everything in the log. Hours: for the night.
# Usage: tests/night.sh [SEED]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
seed=${1:-$(date +%Y%m%d)}
log=${CARGO_TARGET_DIR:-$PWD/target}/night.log
mkdir -p "$(dirname "$log")"
: >"$log"
failed=0

run() {
    local name=$1 began=$SECONDS
    shift
    echo "=== $name: $*" >>"$log"
    if "$@" >>"$log" 2>&1; then
        echo "night: $name passed in $((SECONDS - began)) s"
    else
        failed=$((failed + 1))
        echo "night: $name FAILED after $((SECONDS - began)) s: $*"
    fi
}

load() {
    run "load $1" "${CARGO:-cargo}" run --locked --release -p benches --bin load -- "$@"
}

run "nemesis, seed $seed" make nemesis ARGS="--cycles 1000 --panics 100 --seed $seed"
run "fuzz" tests/fuzz/run.sh 600
load hostile
load burst --letters 100000
load mixed --letters 20000
load steady
load bulk
load strangers --claim nobody
load strangers --claim known
load certify
load import
load beside
load stations
run "the former version beside this one" tests/beside_former.sh "$(git describe --tags --abbrev=0 2>/dev/null || git rev-parse HEAD~1)"
run "tests under two busy loops" tests/under_load.sh 1 2 --workspace --features engine/nemesis
echo "night: $failed failed; log: $log"
[ "$failed" -eq 0 ]
