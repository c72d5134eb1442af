#!/usr/bin/env bash
# Runs every test: one line for each binary and for each failure on the terminal, everything in the log, and at the end one
# line that says how many passed, how many failed, and where the log lies.
# Tests of one crate share one private PostgreSQL by running in one process: cargo test, not one process per test.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

log=${CARGO_TARGET_DIR:-target}/test.log
mkdir -p "$(dirname "$log")"
"${CARGO:-cargo}" test --locked --workspace --no-fail-fast "$@" 2>&1 | tee "$log" |
    grep --line-buffered -E '^( +(Running|Doc-tests|Compiling [a-z-]+ v[^ ]+ \()|test result:|test .* FAILED$|(error|warning)(\[|:))'
status=${PIPESTATUS[0]}

# What each failed test said, once more where it is looked for.
if [ "$status" -ne 0 ]; then
    sed -n '/^failures:$/,/^test result:/p; /^error/,/^$/p' "$log"
fi
awk -v log_file="$log" -v status="$status" '
    /^test result:/ { passed += $4; failed += $6; ignored += $8 }
    END {
        note = (status != 0 && failed == 0) ? "; cargo ended with " status ": the tests did not all build or run" : ""
        printf "test: %d passed, %d failed, %d ignored%s; log: %s\n", passed, failed, ignored, note, log_file
    }' "$log"
exit "$status"
