#!/usr/bin/env bash
# Lets a program of a former version work beside the present one, as during an upgrade: two replicas of one centre, with letters.
# Usage: tests/beside_former.sh COMMIT
set -euo pipefail
cd "$(dirname "$0")/.."
commit=$(git rev-parse --short "${1:?the commit of the former version}")
folder=${CARGO_TARGET_DIR:-$PWD/target}/former-$commit
if [ ! -x "$folder/debug/xmserver" ]; then
    tree=$(mktemp -d)
    trap 'git worktree remove --force "$tree"' EXIT
    git worktree add --quiet --detach "$tree" "$commit"
    (cd "$tree" && CARGO_TARGET_DIR=$folder "${CARGO:-cargo}" build --locked --bin xmserver)
fi
XM_FORMER=$folder/debug/xmserver "${CARGO:-cargo}" test --locked --workspace --features engine/nemesis --test replicas -- --nocapture former
