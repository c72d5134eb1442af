#!/usr/bin/env bash
# Runs every test: one line for each binary and for each failure on the terminal, everything in the log, and at the end one
# line that says how many passed, how many failed, and where the log lies. Arguments go to every binary: a part of a test's name.
# ONLY=… runs the binaries whose name this pattern matches.
# Tests of one crate share one private PostgreSQL by running in one process. Two processes run beside each other, since much of
# what they do is to wait for mail servers; those of whole centres, which take longest, begin.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

folder=${CARGO_TARGET_DIR:-$PWD/target}
log=$folder/test.log
outputs=$folder/test-outputs
mkdir -p "$folder"
rm -rf "$outputs"
mkdir "$outputs"

# With the engine of nemesis, which else is built while its tests wait for it.
"${CARGO:-cargo}" test --locked --workspace --features engine/nemesis --no-run --message-format=json-render-diagnostics \
    2> >(tee "$log" | grep --line-buffered -E '^( +Compiling [a-z-]+ v[^ ]+ \(|(error|warning)(\[|:))' >&2) \
    | sed -n 's|.*"manifest_path":"\([^"]*\)/Cargo.toml".*"executable":"\([^"]*\)".*|\1 \2|p' | grep '/deps/[^/]*$' | sort -u >"$outputs/binaries"
built=${PIPESTATUS[0]}
if [ -n "${ONLY:-}" ]; then
    grep -E "/deps/($ONLY)-[0-9a-f]+\$" "$outputs/binaries" >"$outputs/chosen"
    mv "$outputs/chosen" "$outputs/binaries"
fi

# Runs one binary from its crate's folder, as cargo does.
run_one() {
    local crate=$1 binary=$2 name output status=0
    shift 2
    name=$(basename "$crate")/$(basename "$binary" | sed 's/-[0-9a-f]*$//')
    output=$outputs/$(basename "$binary")
    (cd "$crate" && CARGO_MANIFEST_DIR=$crate "$binary" "$@") >"$output" 2>&1 || status=$?
    { echo "     Running $name"; cat "$output"; } >>"$log"
    echo "     Running $name: $(grep '^test result:' "$output" || echo "error: it ended with $status and no result")"
    grep -E '^test .* FAILED$' "$output"
    [ "$status" -eq 0 ] || echo "$output" >>"$outputs/failed"
    return 0
}
export -f run_one
export outputs log

if [ "$built" -eq 0 ]; then
    { grep "^$PWD/tests " "$outputs/binaries"; grep -v "^$PWD/tests " "$outputs/binaries"; true; } |
        xargs -P 2 -L 1 bash -c 'run_one "$1" "$2" '"$(printf '%q ' "$@")" _
fi

# What each failed test said, once more where it is looked for.
status=$built
if [ -s "$outputs/failed" ]; then
    status=1
    while read -r output; do sed -n '/^failures:$/,/^test result:/p; /^error/,/^$/p' "$output"; done <"$outputs/failed"
fi
awk -v log_file="$log" -v status="$status" '
    /^test result:/ { passed += $4; failed += $6; ignored += $8 }
    END {
        note = (status != 0 && failed == 0) ? "; not all tests were built or ran to their end" : ""
        printf "test: %d passed, %d failed, %d ignored%s; log: %s\n", passed, failed, ignored, note, log_file
    }' "$log"
exit "$status"
