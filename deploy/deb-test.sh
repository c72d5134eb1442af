#!/bin/bash
# Installs, upgrades, removes and purges the package in a chroot of its own, and says of each promise whether it is kept. Builds the package
# first (deploy/release.sh), unless one is named: deploy/deb-test.sh xmserver_0.1.0-1_amd64.deb. Needs root and debootstrap; some minutes,
# so it is not part of `make test`.
set -euo pipefail
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
[ "$(id -u)" -eq 0 ] || { echo "deb-test: needs root, for a chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >&2

if [ $# -gt 0 ]; then
    package=$(realpath "$1")
else
    "$root/deploy/release.sh" >&2
    package=$(echo "$root"/target/release-files/xmserver_*.deb)
fi

# shellcheck source=/dev/null
. /etc/os-release
place=$(mktemp -d -t xm-deb-test-XXXXXX)
chroot=$place/chroot
mounted=()
finish() {
    for path in "${mounted[@]}"; do umount -l "$path" || true; done
    rm -rf --one-file-system "$place"
}
trap finish EXIT

failures=0
# promise WORDS COMMAND...: runs a command that must succeed.
promise() {
    local words=$1
    shift
    if "$@" >"$place/said" 2>&1; then
        echo "kept    $words"
    else
        echo "BROKEN  $words"
        sed 's/^/        /' "$place/said"
        failures=$((failures + 1))
    fi
}
inside() { chroot "$chroot" /usr/bin/env DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
mode_is() { [ "$(inside stat -c '%U:%G %a' "$2")" = "$1" ]; }
has() { dpkg-deb -c "$package" | awk '{ print $6 }' | grep -qx "\./$1"; }
not() { ! "$@"; }

# What is in it.
for file in usr/bin/xmserver usr/lib/systemd/system/xmserver.service usr/lib/systemd/system/xmserver@.service \
    usr/share/doc/xmserver/OPERATIONS.md usr/share/doc/xmserver/xmserver.toml usr/share/xmserver/haproxy/haproxy.cfg \
    usr/share/xmserver/prometheus/rules/alerts.yml usr/share/xmserver/grafana/dashboards/centre.json; do
    promise "the package has $file" has "$file"
done
promise "and nothing in /etc" not sh -c "dpkg-deb -c '$package' | grep -q ' \./etc/.'"

echo "making a chroot of $VERSION_CODENAME: a minute"
mirror=$(awk '$1 == "URIs:" { print $2; exit } $1 == "deb" { print $2; exit }' /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true)
debootstrap --variant=minbase "$VERSION_CODENAME" "$chroot" "${mirror:-http://deb.debian.org/debian}" >"$place/debootstrap" 2>&1 ||
    { tail -n 20 "$place/debootstrap"; exit 1; }
mount -t proc proc "$chroot/proc"
mounted+=("$chroot/proc")
# Sources with the security updates, and how this machine reaches them.
rm -f "$chroot/etc/apt/sources.list"
cp -a /etc/apt/sources.list.d/. "$chroot/etc/apt/sources.list.d/"
[ ! -s /etc/apt/sources.list ] || cp /etc/apt/sources.list "$chroot/etc/apt/"
cp -a /usr/share/keyrings/debian-archive-keyring.gpg "$chroot/usr/share/keyrings/"
cp /etc/resolv.conf "$chroot/etc/resolv.conf"
promise "its package lists can be read" inside apt-get update -qq

# Installed.
cp "$package" "$chroot/first.deb"
promise "it installs, with what it depends on" inside apt-get install -y -qq --no-install-recommends /first.deb
promise "the program runs there" inside xmserver --version
promise "it is built without the simulator" not inside xmserver demo --help
promise "the user is there, without a shell" inside sh -c "getent passwd xmserver | grep -q ':/var/lib/xmserver:/usr/sbin/nologin$'"
promise "/etc/xmserver is root's, and the service may read it" mode_is "root:xmserver 750" /etc/xmserver
promise "secrets are root's alone" mode_is "root:root 700" /etc/xmserver/secrets
promise "the data folder is the service's alone" mode_is "xmserver:xmserver 700" /var/lib/xmserver
promise "nothing is configured" not inside test -e /etc/xmserver/xmserver.toml
promise "nothing is enabled" not inside sh -c "ls /etc/systemd/system/*/xmserver* 2>/dev/null | grep -q ."
promise "nothing runs" not pgrep -f "$chroot/usr/bin/xmserver"

# Used: a centre with a private PostgreSQL, its keys and a secret.
promise "PostgreSQL, which is recommended, installs" inside apt-get install -y -qq --no-install-recommends postgresql
printf '[server]\ndata_folder = "/var/lib/xmserver"\n' >"$chroot/etc/xmserver/xmserver.toml"
echo secret >"$chroot/etc/xmserver/secrets/mailbox-password"
promise "a centre is made by its user" inside runuser -u xmserver -- xmserver --config /etc/xmserver/xmserver.toml \
    init --name centre-x --mode test
tree() { (cd "$chroot" && find var/lib/xmserver etc/xmserver -type f -not -path '*/pg_stat*' -print0 | sort -z | xargs -0 sha256sum); }
tree >"$place/before"
echo "        $(wc -l <"$place/before") files of the centre"

# Upgraded: the same content under the next version.
dpkg-deb -R "$package" "$place/next"
version=$(sed -n 's/^Version: //p' "$place/next/DEBIAN/control")
sed -i "s/^Version: .*/Version: $version+next/" "$place/next/DEBIAN/control"
dpkg-deb -b "$place/next" "$chroot/next.deb" >/dev/null
chroot_mode() { chmod 0711 "$chroot/var/lib/xmserver"; }
promise "an administrator gives the data folder another mode" chroot_mode
promise "it upgrades" inside dpkg -i /next.deb
promise "to the next version" inside sh -c "dpkg-query -W -f '\${Version}' xmserver | grep -qx '$version+next'"
promise "the mode stays as the administrator set it" mode_is "xmserver:xmserver 711" /var/lib/xmserver
same() { tree | diff "$place/before" -; }
promise "the centre is untouched" same
promise "and back to the version before" inside dpkg -i --force-downgrade /first.deb
promise "the centre is untouched" same

# Removed, purged.
promise "it is removed" inside apt-get remove -y -qq xmserver
promise "the program is gone" not inside test -e /usr/bin/xmserver
promise "the centre is untouched" same
promise "it is purged" inside apt-get purge -y -qq xmserver
promise "database, keys, configuration and secrets are untouched" same
promise "the package is forgotten" not inside dpkg -s xmserver
promise "the user stays, since files are its own" inside getent passwd xmserver
promise "it installs again over what is there" inside dpkg -i /first.deb
promise "the centre is untouched" same

echo "deb-test: $failures of its promises broken"
[ "$failures" -eq 0 ]
