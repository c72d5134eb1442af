#!/bin/bash
# What Debian 13's OpenSSL 3.5 gains in opening letters over that of this machine: the same benchmark, built here, run here and in a chroot of
# Debian 13, four times each by turns, fastest median of each. Needs root and debootstrap; some minutes. Prints a line for each benchmark.
set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cargo=${CARGO:-cargo}
[ "$(id -u)" -eq 0 ] || { echo "openssl-gain: needs root, for a chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >&2
place=$(mktemp -d -t xm-openssl-gain-XXXXXX)
trap 'rm -rf --one-file-system "$place"' EXIT

binary=$(cd "$root" && $cargo bench --locked -p benches --bench open_and_verify --no-run --message-format=json 2>/dev/null |
    sed -n 's|.*"executable":"\([^"]*open_and_verify[^"]*\)".*|\1|p' | tail -n 1)
mirror=$(awk '$1 == "URIs:" { print $2; exit } $1 == "deb" { print $2; exit }' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true)
debootstrap --variant=minbase --include=openssl,libssl3t64 trixie "$place/trixie" "${mirror:-http://deb.debian.org/debian}" >"$place/log" 2>&1 ||
    { tail -n 20 "$place/log"; exit 1; }
cp "$binary" "$place/trixie/benchmark"

for turn in 1 2 3 4; do
    "$binary" --bench >"$place/here.$turn" 2>/dev/null
    chroot "$place/trixie" /benchmark --bench >"$place/there.$turn" 2>/dev/null
done
# medians FILE...: "NAME MICROSECONDS" for each benchmark, the fastest of the files. Divan's columns: fastest, slowest, median, mean.
medians() {
    python3 - "$@" <<'EOF'
import re, sys
factors, best = {"ns": 0.001, "µs": 1, "ms": 1000}, {}
for path in sys.argv[1:]:
    group = ""
    for line in open(path, encoding="utf-8"):
        named = re.match(r"^(│  |   )?[├╰]─ (\S+)", line)
        if not named:
            continue
        if not named[1]:
            group = named[2]
        columns = [column.strip() for column in line[named.end():].split("│")]
        measured = re.match(r"([\d.]+) (ns|µs|ms)$", columns[2]) if len(columns) > 3 else None
        if measured:
            name = f"{group}/{named[2]}" if named[1] else group
            took = float(measured[1]) * factors[measured[2]]
            best[name] = min(took, best.get(name, took))
for name, took in sorted(best.items()):
    print(name, f"{took:.1f}")
EOF
}
echo "here: $(openssl version | cut -d' ' -f1,2); there: $(chroot "$place/trixie" openssl version | cut -d' ' -f1,2)"
join <(medians "$place"/here.*) <(medians "$place"/there.*) |
    awk '{ printf "%-40s %8.1f us here %8.1f us there: %4.1f %% less\n", $1, $2, $3, 100 * (1 - $3 / $2) }'
