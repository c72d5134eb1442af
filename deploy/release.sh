#!/bin/sh
# Builds what is carried to other machines, into target/release-files: the package for this Debian, the program, what is in it (CycloneDX),
# and their checksums. Installs cargo-deb and cargo-cyclonedx when they are missing: minutes, once.
set -eu
cargo=${CARGO:-cargo}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
files=$root/target/release-files

$cargo deb --version >/dev/null 2>&1 || $cargo install --locked cargo-deb@3.8.0
$cargo cyclonedx --version >/dev/null 2>&1 || $cargo install --locked cargo-cyclonedx@0.5.9

XMSERVER_COMMIT=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
export XMSERVER_COMMIT
rm -rf "$files"
mkdir -p "$files"
$cargo deb --package engine --locked --output "$files/"
# Of the package's own build: without the simulator.
$cargo cyclonedx --manifest-path engine/Cargo.toml --format json --no-default-features --override-filename xmserver.cdx --quiet
mv engine/xmserver.cdx.json "$files/"
find . -name xmserver.cdx.json -not -path './target/*' -delete
cp target/release/xmserver "$files/"
(cd "$files" && sha256sum -- * >SHA256SUMS && cat SHA256SUMS)
