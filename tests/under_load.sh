#!/usr/bin/env bash
# Runs tests again and again while other processes take the processors: a test that depends on how fast the machine is fails here.
# Usage: tests/under_load.sh TIMES BUSY_LOOPS [arguments of cargo test]
# Without arguments: the tests of order, priority, leases and deadlines.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
times=${1:?how many times} loops=${2:?how many busy loops}
shift 2
all="--workspace --features engine/nemesis"
suites=("$all --test lanes" "$all --test pipeline" "$all --test neighbours" "$all --test handing_over"
    "$all --test hung" "$all --test odd_servers" "$all --test run"
    "$all --lib -- writer_time:: in_hand settle::tests::order payload_room:: withheld::")
[ "$#" -eq 0 ] || suites=("$*")
log=${CARGO_TARGET_DIR:-target}/under_load.log
mkdir -p "$(dirname "$log")"
: >"$log"

# Built before anything takes the processors.
for suite in "${suites[@]}"; do
    # shellcheck disable=SC2086
    "${CARGO:-cargo}" test --locked --no-run ${suite%% -- *} >>"$log" 2>&1 || { echo "under load: $suite does not build; log: $log"; exit 1; }
done

busy=()
trap 'kill "${busy[@]}" 2>/dev/null' EXIT
for _ in $(seq "$loops"); do
    (while :; do :; done) &
    busy+=($!)
done

failed=0
for run in $(seq "$times"); do
    for suite in "${suites[@]}"; do
        # shellcheck disable=SC2086
        output=$("${CARGO:-cargo}" test --locked $suite 2>&1) || { failed=$((failed + 1)); echo "run $run: $suite failed"; }
        echo "$output" >>"$log"
        # A selection of nothing passes every time.
        echo "$output" | grep -qE '^test result: .* [1-9][0-9]* passed' || { echo "under load: $suite has no tests"; exit 1; }
    done
    echo "run $run of $times done, $failed failures so far"
done
echo "under load: $times times with $loops busy loops, $failed failures; log: $log"
[ "$failed" -eq 0 ]
