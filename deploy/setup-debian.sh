#!/bin/sh
# Installs what building, testing and demonstrating xmserver needs on Debian 12 or later, and nothing that is there.
# Starts no system service: tests run their own PostgreSQL, Dovecot, Postfix, HAProxy and Prometheus on loopback. Needs root or
# sudo only when something is missing. Rust itself is expected (https://rustup.rs).
set -eu

# Building: gcc, make, OpenSSL's headers. Testing: PostgreSQL, a POP3 and LMTP server, an SMTP server and a sender,
# a balancer, Prometheus with its promtool; what reads the files of deploy/ (systemd-analyze, amtool, shellcheck); the locale of a PostgreSQL that speaks French, as a ministry's does. swaks only recommends
# libnet-ssleay-perl, and without it speaks no TLS.
packages="ca-certificates gcc libc6-dev make pkg-config libssl-dev locales postgresql dovecot-core dovecot-pop3d dovecot-lmtpd postfix swaks libnet-ssleay-perl haproxy iproute2 prometheus systemd prometheus-alertmanager shellcheck openssl curl"
locale=fr_FR.UTF-8
# The first release with the fixes that the program insists on at its start.
openssl_floor=3.0.22

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

installed_version() {
    dpkg-query -W -f '${db:Status-Abbrev} ${Version}\n' "$1" 2>/dev/null | awk '$1 == "ii" { print $2; exit }'
}

check_rust() {
    command -v cargo >/dev/null 2>&1 || fail "cargo is missing: install Rust from https://rustup.rs"
    needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    found=$(rustc --version | awk '{ print $2 }')
    lowest=$(printf '%s\n%s\n' "$needed" "${found%%-*}" | sort -V | head -n 1)
    [ "$lowest" = "$needed" ] || fail "Rust $found is too old: $needed or newer is needed; run rustup update"
}

missing_packages() {
    for package in $packages; do
        [ -n "$(installed_version "$package")" ] || printf '%s ' "$package"
    done
    version=$(installed_version libssl-dev)
    if [ -n "$version" ] && dpkg --compare-versions "$version" lt "$openssl_floor"; then
        printf 'libssl-dev libssl3 openssl '
    fi
    python3 -m pip --version >/dev/null 2>&1 || printf 'python3 python3-pip '
}

# Sets $sudo: what runs a command as root.
become_root() {
    if [ "$(id -u)" -eq 0 ]; then
        sudo=""
    elif command -v sudo >/dev/null 2>&1; then
        sudo="sudo"
    else
        fail "root or sudo is needed to install: $*"
    fi
}

make_locale() {
    become_root "the locale $locale"
    say "making the locale $locale"
    $sudo localedef -i "${locale%.*}" -f "${locale#*.}" "$locale" || fail "localedef could not make $locale"
}

install_packages() {
    become_root "$*"
    say "installing $*"
    # Debian starts a service with its package unless this says no.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
        $sudo chmod 755 "$policy"
        # shellcheck disable=SC2064
        trap "$sudo rm -f $policy" EXIT
    fi
    echo "postfix postfix/main_mailer_type select No configuration" | $sudo debconf-set-selections 2>/dev/null || true
    $sudo apt-get update -qq || say "the package lists could not be updated; trying with those that are there"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
        fail "apt-get could not install: $*"
}

# Further readers of the files of deploy/, which Debian does not have: into the project's own target folder.
install_checkers() {
    say "installing $(grep -c '==' "$root/deploy/checkers.txt") checkers of deploy/ into target/checkers"
    rm -rf "$root/target/checkers"
    if ! python3 -m pip install --quiet --disable-pip-version-check --no-warn-conflicts --root-user-action ignore \
        --target "$root/target/checkers" --requirement "$root/deploy/checkers.txt" >&2; then
        rm -rf "$root/target/checkers"
        say "pip could not install deploy/checkers.txt: the tests of deploy/ that need them are skipped"
        return
    fi
    cp "$root/deploy/checkers.txt" "$root/target/checkers/checkers.txt"
}

check_rust
[ -r /etc/debian_version ] || fail "this is no Debian: install by hand what corresponds to: $packages"
missing=$(missing_packages)
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086
    install_packages $missing
    version=$(installed_version libssl-dev)
    if dpkg --compare-versions "$version" lt "$openssl_floor"; then
        fail "OpenSSL $version is all that apt offers, but $openssl_floor or newer is needed: turn on Debian's security updates"
    fi
    say "done"
fi
# As `locale -a` spells it.
locale -a | grep -qix 'fr_FR\.utf-\{0,1\}8' || make_locale
cmp -s "$root/deploy/checkers.txt" "$root/target/checkers/checkers.txt" || install_checkers
